"""Where files are, on this machine: what is sent, and what may be written."""

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.client.errors import InvalidArgument, InvalidPath

PIECE = 1 << 20
MANIFESTS = frozenset({"manifest.yaml", "_manifest.yaml"})
_UNFIT = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is to be sent, as it was when it was found."""

    path: Path
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> "Source":
        """The file as it is now."""
        stat = path.stat()
        return cls(path, stat.st_size, stat.st_mtime_ns)

    @property
    def content_type(self) -> str:
        """What its name says it holds."""
        guessed, encoding = mimetypes.guess_type(self.path.name)
        return guessed if guessed and not encoding else "application/octet-stream"

    async def pieces(self, start: int, size: int) -> AsyncIterator[bytes]:
        """The bytes of a span; InvalidArgument where the file has got shorter."""
        file = await asyncio.to_thread(self.path.open, "rb")
        try:
            file.seek(start)
            while size:
                piece = await asyncio.to_thread(file.read, min(PIECE, size))
                if not piece:
                    raise self.changed()
                size -= len(piece)
                yield piece
        finally:
            file.close()

    def check(self) -> None:
        """InvalidArgument if the file is not what it was."""
        if Source.of(self.path) != self:
            raise self.changed()

    def changed(self) -> InvalidArgument:
        """What is said of a file that changed while it was sent."""
        return InvalidArgument(f"{self.path} changed while it was sent: send it again")


def sources(source: Path, path: str) -> Mapping[str, Source]:
    """The files to send, by their paths in the artifact.

    Of a folder, all files below it: links to files count as files, links to folders are not
    followed. At the artifact's top, manifests are no files of it and are left out.
    FileNotFoundError, InvalidPath.
    """
    if source.is_dir():
        folder = path.strip("/")
        found = {}
        for root, folders, names in os.walk(source):
            folders.sort()
            below = Path(root).relative_to(source).parts
            for name in sorted(names):
                place = "/".join([*([folder] if folder else []), *below, name])
                if place not in MANIFESTS:
                    found[_sendable(place)] = Source.of(Path(root, name))
        return found
    place = f"{path}{source.name}" if not path or path.endswith("/") else path
    return {_sendable(place): Source.of(source)}


def _sendable(place: str) -> str:
    try:
        place.encode()
    except UnicodeEncodeError:
        raise InvalidPath(f"{place!r} is no UTF-8: give the file another name") from None
    return place


def check_name(name: str) -> None:
    """InvalidPath for what can't be the name of a file or a folder, wherever it is."""
    if name in _UNFIT or any(c in name for c in "/\\\0"):
        raise InvalidPath(f"the gateway names a file {name!r}: that is no name")


def inside(target: Path, path: str) -> Path:
    """The place below `target` of a path that the gateway said; InvalidPath if it isn't below.

    Nothing that was there before leads out of it either: links are followed before it is compared.
    """
    segments = path.split("/")
    for segment in segments:
        check_name(segment)
    place = target.joinpath(*segments)
    # Where the system has drives, "c:" is one.
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise InvalidPath(f"{place} leads out of {target}: a link is in the way")
    return place
