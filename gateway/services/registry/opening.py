"""Open what a path of the artifact door names: an artifact's manifest, a file, a folder."""

from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote

from multidict import CIMultiDict

from gateway.artifact.badge import badge
from gateway.artifact.layout import Role, check_path, place
from gateway.artifact.lifecycle import Location
from gateway.artifact.value import JsonValue
from gateway.errors import InvalidPath, NoSuchArtifact, NoSuchKey
from gateway.identity import Caller, Workspace
from gateway.s3.address import Address, Query
from gateway.s3.exchange import Verified
from gateway.s3.message import Note, Reply, Request
from gateway.s3.operation import identify
from gateway.s3.payload import parse_payload
from gateway.services.objects.caching import Caching
from gateway.services.objects.reading import Reading, shown_to_all
from gateway.services.objects.seeing import Seeing
from gateway.services.registry.archiving import Archiving
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.documents import written
from gateway.services.registry.showing import Wanted
from gateway.storage.catalogue import Catalogue

OK = 200
JSON = (("Content-Type", "application/json"),)
BADGE_CACHE = "max-age=60"
REDIRECT = 300

MEANT: Note[Verified] = Note()


@dataclass(frozen=True, slots=True)
class Path:
    """A decoded path below a workspace; `folder` says that it ended in a slash."""

    text: str
    folder: bool = False


class Opening:
    """Answers the artifact door."""

    def __init__(
        self,
        catalogue: Catalogue,
        browsing: Browsing,
        seeing: Seeing,
        reading: Reading,
        caching: Caching,
        archiving: Archiving,
    ) -> None:
        self._catalogue = catalogue
        self._browsing = browsing
        self._seeing = seeing
        self._reading = reading
        self._caching = caching
        self._archiving = archiving

    async def open(
        self,
        caller: Caller,
        workspace: Workspace,
        path: Path,
        wanted: Wanted,
        request: Request,
        *,
        download: bool = False,
    ) -> Reply:
        """The manifest as JSON, the folder's files as JSON, or the file's bytes.

        NoSuchArtifact, NoSuchVersion, NoSuchKey; AccessDenied where a right is missing.
        """
        prefix = _checked(path)
        artifact = await self._catalogue.artifact(workspace.id, prefix, recalled=True)
        if path.folder:
            return await self._folder(caller, workspace, prefix, wanted)
        if artifact is not None and (wanted.stage or artifact.version):
            document = await self._browsing.document(caller, workspace, prefix, wanted)
            return Reply(OK, CIMultiDict(JSON), document, of=("JSON", len(document)))
        return await self._file(caller, workspace, prefix, wanted, request, download=download)

    async def archive(
        self, caller: Caller, workspace: Workspace, path: Path, wanted: Wanted, request: Request
    ) -> Reply:
        """The files of the artifact, or below a path in one, as a zip; refuses as `open` does."""
        name = _checked(path)
        location = await self._catalogue.locate(workspace.id, f"{name}/-" if name else "-")
        shown = committed_only(location)
        if shown is not location:
            prefix = name if shown.artifact is None else shown.artifact.prefix
            await self._browsing.find(caller, workspace, prefix, wanted)
            folder = name[len(prefix) :].strip("/")
            raise NoSuchKey(f"{prefix!r} has no files below {folder!r}", prefix=prefix, path=folder)
        reply = await self._archiving.archive(caller, workspace, name, wanted, request)
        return reply.saying("Content-Disposition", attachment(f"{name or workspace.name}.zip"))

    async def stats(
        self,
        caller: Caller,
        workspace: Workspace,
        path: Path,
        since: date | None,
        until: date | None,
        *,
        now: datetime,
    ) -> Reply:
        """The artifact's counters and series, as JSON; refuses as `open` does, InvalidArgument."""
        prefix = _checked(path)
        report = await self._browsing.stats(caller, workspace, prefix, since, until, now=now)
        return await json_reply(report)

    async def badge(self, caller: Caller, workspace: Workspace, path: Path) -> Reply:
        """The count of the artifact's downloads as an SVG image; refuses as `open` does."""
        micros = await self._browsing.downloads(caller, workspace, _checked(path))
        headers = CIMultiDict({"Content-Type": "image/svg+xml", "Cache-Control": BADGE_CACHE})
        return Reply(OK, headers, badge("downloads", micros))

    async def _folder(
        self, caller: Caller, workspace: Workspace, path: str, wanted: Wanted
    ) -> Reply:
        location = await self._catalogue.locate(workspace.id, f"{path}/-" if path else "-")
        artifact = (location if wanted.stage else committed_only(location)).artifact
        prefix = path if artifact is None else artifact.prefix
        rest = path[len(prefix) :].strip("/")
        files = await self._browsing.list_files(caller, workspace, prefix, wanted, path=rest)
        if rest and not files:
            raise NoSuchKey(f"{prefix!r} has no files below {rest!r}", prefix=prefix, path=rest)
        return await json_reply(files)

    async def _file(
        self,
        caller: Caller,
        workspace: Workspace,
        key: str,
        wanted: Wanted,
        request: Request,
        *,
        download: bool,
    ) -> Reply:
        location = await self._catalogue.locate(workspace.id, key, recalled=True)
        if not wanted.stage:
            location = committed_only(location)
        artifact = location.artifact
        prefix = key if artifact is None else artifact.prefix
        if artifact is None or location.place.role is not Role.FILE:
            # Refuses callers without the right before anybody learns what is there.
            try:
                await self._browsing.find(caller, workspace, prefix, wanted)
            except InvalidPath as error:
                raise NoSuchArtifact(error.message, prefix=prefix) from None
            raise NoSuchKey(f"there is no file {key!r} in an artifact", key=key)
        sight = await self._seeing.see(
            caller, workspace, location, staged=wanted.stage, number=wanted.version
        )
        verified = _get(workspace, key, request)
        reply = await self._caching.forward(verified, workspace, sight)
        reply.public = not wanted.stage and shown_to_all(workspace, key, sight, reply)
        if download and reply.status < REDIRECT:
            reply = reply.saying("Content-Disposition", attachment(key))
        if wanted.silent or wanted.stage or request.method != "GET":
            return reply
        return await self._reading.counted(reply, sight, caller, request)


def committed_only(location: Location) -> Location:
    """The location as it would be without artifacts that are staged alone.

    What they would own answers as if they were not there.
    """
    above = tuple(artifact for artifact in location.above if artifact.version)
    if len(above) == len(location.above):
        return location
    where = place(location.key, [artifact.node for artifact in above])
    artifact = next((a for a in above if a.prefix == where.prefix), None)
    kept = artifact is not None and artifact == location.artifact
    return Location(location.key, where, artifact, location.pin if kept else None, above)


def _checked(path: Path) -> str:
    try:
        return check_path(path.text) if path.text else ""
    except InvalidPath as error:
        raise NoSuchArtifact(error.message, prefix=path.text) from None


async def json_reply(value: JsonValue, status: int = OK) -> Reply:
    """A JSON answer."""
    return Reply(status, CIMultiDict(JSON), await written(value))


def attachment(key: str) -> str:
    """The Content-Disposition that saves an object under its own name (RFC 6266)."""
    name = key.rsplit("/", 1)[-1]
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _get(workspace: Workspace, key: str, request: Request) -> Verified:
    """The GetObject or HeadObject that a request of this door amounts to."""
    verified = request.notes.get(MEANT)
    if verified is None:
        address, query = Address(workspace.name, key), Query()
        verified = Verified(
            request=request,
            operation=identify(request.method, address, query, request.headers),
            address=address,
            query=query,
            payload=parse_payload(request.headers, "UNSIGNED-PAYLOAD", 0),
        )
        request.notes[MEANT] = verified
    return verified
