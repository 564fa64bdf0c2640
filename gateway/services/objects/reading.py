"""Open what a caller may see, and answer for what it may not as for what is not there."""

import secrets
from collections.abc import Awaitable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from multidict import CIMultiDict

from gateway.artifact.download import ANYBODY
from gateway.artifact.layout import KEY_BYTES, MANIFEST
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin
from gateway.errors import NoSuchKey, NoSuchVersion, NotImplementedByGateway
from gateway.identity import Caller, Right, Workspace
from gateway.light import light
from gateway.s3.exchange import Verified
from gateway.s3.message import Note, Reply, Request
from gateway.s3.xml import parse
from gateway.services.objects.caching import Caching
from gateway.services.objects.seeing import LOOKS, Seeing, Sight, may_read_publicly, missing
from gateway.services.statistics.counting import Counting
from gateway.services.statistics.today import Line
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import Measured, close_body
from gateway.storage.catalogue import Catalogue

T = TypeVar("T")

OK = 200
ABSENT = frozenset(("NoSuchKey", "NoSuchVersion", "NotFound"))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a request's callers see who have this right, in one generation of the index.

    `caller` is one of them. `public` is None where the answer has to say whether it is for
    everybody. `counted` says that it may be a download.
    """

    generation: Hashable
    caller: Caller
    right: Right
    workspace: Workspace
    sight: Sight
    public: bool | None
    counted: bool


@light
@dataclass(frozen=True, slots=True)
class Tallied:
    """The line by which an answer was counted, which counts the same answer again.

    It is the same where it follows from the same (`Reply.of`), is of the same file as it was
    committed, and its body is at hand. Only where it does not matter who asks there is a line.
    """

    of: object
    pin: Pin
    artifact: Artifact
    line: Line


SEEN: Note[Seen] = Note()
TALLIED: Note[Tallied] = Note()


class Reading:
    """Opens objects as their callers see them, counting downloads."""

    def __init__(
        self,
        seeing: Seeing,
        catalogue: Catalogue,
        forwarding: Forwarding,
        caching: Caching,
        counting: Counting,
    ) -> None:
        self._seeing = seeing
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._caching = caching
        self._counting = counting

    async def again(self, caller: Caller, seen: Seen, verified: Verified) -> Reply:
        """What `open` answers where the caller sees what was seen before."""
        reply = await self._caching.forward(verified, seen.workspace, seen.sight)
        public = seen.public
        if public is None:
            public = _is_public(reply, seen.workspace, seen.sight, verified)
        reply.public = public
        if seen.counted:
            reply = self._counted(reply, seen.sight, caller, verified.request)
        # Most have nothing to wait for, not even a coroutine.
        return await self._settled(reply) if self._counting.unsettled else reply

    async def open(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        generation: Hashable | None = None,
    ) -> Reply:
        """The object as the caller may see it, or what the backend says of one that is not there.

        NoSuchVersion, AccessDenied; NoSuchKey for URLs of the gateway's own. `generation` is the
        index's, from before anything was asked of it: what is committed is seen so in all of it.
        """
        own = verified.own
        version_id = verified.query.first("versionId")
        staged = own is not None and own.first("stage") == "true"
        number = own.first("version") if own is not None else None
        for _ in range(LOOKS):
            try:
                sight = await self._seeing.see(
                    caller,
                    workspace,
                    location,
                    version_id=version_id,
                    staged=None if own is None else staged,
                    number=None if number is None else int(number),
                )
            except (NoSuchKey, NoSuchVersion):
                if own is not None or location.pin is not None:
                    raise
                return await self._absent(workspace, location, verified)
            named = _check_named(sight, verified)
            reply = await self._caching.forward(verified, workspace, sight)
            if named and not sight.ordinary:
                break
            # What has become an artifact's meanwhile may be staged: that is for nobody yet.
            now = await _or_cut_off(self._catalogue.locate(workspace.id, location.key), reply)
            if now.place == location.place and now.artifact == location.artifact:
                break
            await _cut_off(reply)
            location = now
        else:
            raise missing(location, version_id)
        public = _is_public(reply, workspace, sight, verified)
        silent = own is not None and own.first("silent") == "true"
        counted = sight.pin is not None and verified.operation.reads_bytes and not silent
        if sight.ordinary:
            reply = await _uniform(reply, location, version_id)
        elif generation is not None and sight.pin is not None and named:
            right = self._seeing.right_on(caller, workspace)
            lasting = None if sight.version_id is None else public
            seen = Seen(generation, caller, right, workspace, sight, lasting, counted)
            verified.request.notes[SEEN] = seen
        reply.public = public
        if counted:
            reply = self._counted(reply, sight, caller, verified.request)
        return await self._settled(reply)

    async def _absent(self, workspace: Workspace, location: Location, verified: Verified) -> Reply:
        """What the backend says of a key at which nothing is.

        The key itself may hold what is staged: the backend is asked for another that nothing
        has. So nobody can tell the two apart, whatever else is wrong with the request, nor by
        the time that the answer takes.
        """
        version_id = verified.query.first("versionId")
        mark = secrets.token_hex(16)
        stem = location.key.rstrip("/")
        other = stem + mark + location.key[len(stem) :]
        if len(workspace.backend_key(other).encode()) > KEY_BYTES:
            raise missing(location, version_id)
        reply = await self._forwarding.forward(verified, workspace, Changes(key=other))
        document = (await reply.whole()).replace(mark.encode(), b"")
        headers = CIMultiDict(reply.headers)
        if verified.request.method != "HEAD":
            headers["Content-Length"] = str(len(document))
        return await _uniform(replace(reply, headers=headers, body=document), location, version_id)

    async def counted(self, reply: Reply, sight: Sight, caller: Caller, request: Request) -> Reply:
        """The reply, its download recorded before its first byte, if it is one."""
        return await self._settled(self._counted(reply, sight, caller, request))

    async def _settled(self, reply: Reply) -> Reply:
        """The reply, once what was just counted of it survives what it has to."""
        if self._counting.unsettled:
            await _or_cut_off(self._counting.settled(), reply)
        return reply

    def _counted(self, reply: Reply, sight: Sight, caller: Caller, request: Request) -> Reply:
        pin, artifact = sight.pin, sight.artifact
        known = request.notes.get(TALLIED)
        if (
            known is not None
            and known.of is reply.of
            and known.pin is pin
            and known.artifact is artifact
            and isinstance(reply.body, bytes)
            and self._counting.again(known.line)
        ):
            return reply
        if pin is None or artifact is None or pin.path == MANIFEST:
            return reply
        served = reply.headers.get("x-amz-version-id")
        if served is not None and pin.version_id is not None and served != pin.version_id:
            return reply
        counting, body, status = self._counting, reply.body, reply.status
        visit = ANYBODY
        if status != OK or not counting.anybodys:
            visit = counting.visit(caller, request)
            if not counting.counts(visit, status, reply.headers.get("Content-Range")):
                return reply
        whole = len(body) if isinstance(body, bytes) else 0
        line = counting.download(
            artifact.id, artifact.epoch, pin.path, pin.weight, visit, size=whole
        )
        if isinstance(body, bytes):
            if line is not None and reply.of is not None:
                request.notes[TALLIED] = Tallied(reply.of, pin, artifact, line)
            return reply
        sent = partial(counting.sent, artifact.id, artifact.epoch, pin.path)
        measured = Measured(body, sent)
        return Reply(status, reply.headers, measured, reply.authored, reply.public, reply.of)


def _is_public(reply: Reply, workspace: Workspace, sight: Sight, verified: Verified) -> bool:
    own = verified.own
    staged = own is not None and own.first("stage") == "true"
    return not staged and shown_to_all(workspace, verified.address.key, sight, reply)


def shown_to_all(workspace: Workspace, key: str, sight: Sight, reply: Reply) -> bool:
    """Whether anonymous callers get the same of `key`: what is public, as the commit has it.

    What a writer is shown is staged unless the backend names the pinned version.
    """
    if not may_read_publicly(workspace, key):
        return False
    pin = sight.pin
    if pin is None:
        return sight.ordinary and workspace.public == "objects"
    return pin.version_id == (sight.version_id or reply.headers.get("x-amz-version-id"))


def _check_named(sight: Sight, verified: Verified) -> bool:
    """Whether the request can name the version that the caller sees; NotImplementedByGateway.

    Some operations take no versionId. While nothing is staged, the newest is the committed.
    """
    seen = sight.version_id
    if seen is None or verified.operation.reads_version:
        return True
    if sight.artifact is not None and sight.artifact.stage is not None:
        raise NotImplementedByGateway(
            f"{verified.operation.name} can't name a version, and this artifact is being edited",
            Method=verified.operation.method,
        )
    return False


async def _uniform(reply: Reply, location: Location, version_id: str | None) -> Reply:
    """The reply, but a version that is not there answers as one that is nobody's to read."""
    if version_id is None or reply.status != HTTPStatus.NOT_FOUND:
        return reply
    document = await reply.whole()
    code = parse(document).findtext("Code") if document else None
    if code is None or code in ABSENT:
        raise missing(location, version_id)
    return reply


async def _or_cut_off(work: Awaitable[T], reply: Reply) -> T:
    """What the work comes to; where it fails, nobody will get the reply: it is cut off."""
    try:
        return await work
    except BaseException:
        await _cut_off(reply)
        raise


async def _cut_off(reply: Reply) -> None:
    if not isinstance(reply.body, bytes):
        await close_body(reply.body)
