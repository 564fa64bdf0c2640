"""Fetches files, several at once, to where they are whole or not at all."""

import asyncio
import os
import re
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import httpx

from gateway.client.crew import side_by_side
from gateway.client.errors import BadDigest, NoSuchKey, NotReached
from gateway.client.etags import can_tell, md5_of, tells
from gateway.client.listing import State, files_below
from gateway.client.methods import AsyncMethods
from gateway.client.patience import was_damaged
from gateway.client.places import PIECE, inside
from gateway.client.progress import Report, Tally
from gateway.client.results import File, GetOptions
from gateway.client.session import Session

PARTIAL = 206
_RANGE = re.compile(r"bytes (\d+)-\d+/\d+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is to be fetched, and where it goes; while it comes, it lies at `temporary`."""

    path: str
    size: int
    etag: str
    place: Path

    @property
    def temporary(self) -> Path:
        """Another one for other bytes, so that what was begun can be continued."""
        name = sha256(f"{self.path}\n{self.etag}".encode()).hexdigest()[:24]
        return self.place.with_name(f".{name}.part")

    def is_there(self) -> bool:
        """Whether the very file is at its place."""
        if not self.place.is_file() or self.place.stat().st_size != self.size:
            return False
        return tells(self.place, self.etag) is True


@dataclass(frozen=True, slots=True)
class Downloading:
    """A download of one state of an artifact. Jobs are how many files come at once."""

    methods: AsyncMethods
    session: Session
    state: State
    silent: bool
    jobs: int

    async def run(self, target: Path, path: str, report: Report | None) -> list[Path]:
        """The places of what was fetched, or was there already."""
        wanted = await self._wanted(target, path)
        tally = Tally(report, {each.path: each.size for each in wanted})
        await side_by_side(self.jobs, [partial(self._fetch, each, tally) for each in wanted])
        return [each.place for each in wanted]

    async def _wanted(self, target: Path, path: str) -> list[Wanted]:
        path = path.strip("/")
        files = await files_below(self.methods, self.state, path, self.jobs)
        if not files and path:
            folder, _, name = path.rpartition("/")
            for entry in await self.methods.list_files(
                self.state.prefix, folder, self.state.stage, self.state.version
            ):
                if entry["type"] == "file" and entry["name"] == name:
                    into = await asyncio.to_thread(target.is_dir)
                    place = inside(target, name) if into else target
                    return [_wanted(path, entry, place)]
            raise NoSuchKey(f"{self.state.prefix!r} has neither a file nor a folder {path!r}")
        start = len(path) + 1 if path else 0
        return [
            _wanted(each, file, inside(target, each[start:]))
            for each, file in sorted(files.items())
        ]

    async def _fetch(self, wanted: Wanted, tally: Tally) -> None:
        if not await asyncio.to_thread(wanted.is_there):
            await asyncio.to_thread(wanted.place.parent.mkdir, parents=True, exist_ok=True)
            attempt = _Attempt(self, wanted, tally)
            while True:
                before = attempt.furthest
                try:
                    await self.session.patience.repeat(attempt.once, was_damaged)
                    break
                except NotReached:
                    # However often a connection breaks off: it goes on while more arrives.
                    if attempt.furthest <= before:
                        raise
        tally.done(wanted.path)

    def options(self, *, counted: bool) -> GetOptions:
        """What `get_file` is told; what was `counted` is not counted again."""
        options: GetOptions = {"silent": self.silent or counted, "stage": self.state.stage}
        if self.state.version is not None:
            options["version"] = self.state.version
        return options


@dataclass(slots=True)
class _Attempt:
    """The attempts at one file: each goes on where the one before it was broken off."""

    downloading: Downloading
    wanted: Wanted
    tally: Tally
    counted: bool = False
    furthest: int = 0
    last: bytes = b""

    async def once(self) -> None:
        """Fetch what is missing, look at all of it, and put it to its place."""
        wanted, temporary = self.wanted, self.wanted.temporary
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        encrypted = False
        with os.fdopen(descriptor, "r+b") as file:
            have = file.seek(0, os.SEEK_END)
            if have > wanted.size:
                have = file.truncate(file.seek(0))
            self._note(have)
            if have < wanted.size:
                encrypted = await self._continue(file, have)
        await self._check(temporary, encrypted=encrypted)
        await asyncio.to_thread(temporary.replace, wanted.place)

    async def _continue(self, file: BinaryIO, have: int) -> bool:
        """Write what comes behind the bytes that are there; whether it is encrypted."""
        wanted, downloading = self.wanted, self.downloading
        prefix, options = downloading.state.prefix, downloading.options(counted=self.counted)
        url = await downloading.methods.get_file(prefix, wanted.path, options)
        headers = {"If-Match": f'"{wanted.etag}"'}
        if have:
            headers["Range"] = f"bytes={have}-"
        async with downloading.session.get(url, headers) as answer:
            self.counted = True
            start = _start(answer)
            if start not in {0, have}:
                raise NotReached(f"{wanted.path!r}: another range came than was asked for")
            file.truncate(file.seek(start))
            self._note(start)
            have = start
            held = bytearray()
            try:
                async for piece in answer.aiter_raw():
                    have += len(piece)
                    if have > wanted.size:
                        raise self._wrong("more bytes came than it has")
                    held += piece
                    self.tally.moved(wanted.path, len(piece))
                    if len(held) >= PIECE:
                        full, held = held, bytearray()
                        await asyncio.to_thread(file.write, full)
            finally:  # what came before it broke off, too
                file.write(held)
                self.furthest = max(self.furthest, have)
        if have < wanted.size:
            raise NotReached(f"{wanted.path!r} was broken off after {have} of {wanted.size} bytes")
        return _is_encrypted(answer)

    def _note(self, have: int) -> None:
        """So much of it is there."""
        self.furthest = max(self.furthest, have)
        known = self.tally.sent.get(self.wanted.path, 0)
        if have != known:
            self.tally.moved(self.wanted.path, have - known)

    async def _check(self, temporary: Path, *, encrypted: bool) -> None:
        """BadDigest, and it comes again from the start, unless these are the file's bytes.

        Of a file whose ETag doesn't tell, as its parts are of an unusual size, the same bytes twice
        are believed.
        """
        if encrypted:
            return
        told = await asyncio.to_thread(tells, temporary, self.wanted.etag)
        if told is None and can_tell(self.wanted.etag):
            digest = await asyncio.to_thread(md5_of, temporary)
            told, self.last = digest == self.last, digest
        if told is False:
            await asyncio.to_thread(temporary.unlink)
            raise self._wrong("other bytes came than its ETag tells of")

    def _wrong(self, what: str) -> BadDigest:
        return BadDigest(f"{self.wanted.path!r}: {what}")


def _wanted(path: str, file: File, place: Path) -> Wanted:
    return Wanted(path, file["size"], file["etag"].strip('"'), place)


def _start(answer: httpx.Response) -> int:
    """Where the bytes of an answer begin; -1 where it doesn't say."""
    if answer.status_code != PARTIAL:
        return 0
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _is_encrypted(answer: httpx.Response) -> bool:
    """Whether the ETag is not of the bytes, but of what they were encrypted to."""
    headers = answer.headers
    kms = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return kms or "x-amz-server-side-encryption-customer-algorithm" in headers
