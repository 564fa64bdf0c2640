"""Open what a caller may see: for readers the pinned version, for writers the newest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from http import HTTPStatus

from gateway.artifact.layout import MANIFEST, Role, is_public
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin
from gateway.errors import GatewayError, NoSuchKey, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Body, Reply
from gateway.s3.operation_headers import HEADER_GROUPS
from gateway.s3.xml import parse
from gateway.services.keys.access import Access
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.viewing import Viewing
from gateway.services.statistics.counting import Counting, is_download
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import close_body
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits

LOOKS = 3
ABSENT = frozenset(("NoSuchKey", "NoSuchVersion", "NotFound"))
CONDITIONS = HEADER_GROUPS["if-get"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see of one key: the backend version, and the pin it is, if it is one.

    `version_id` None is the newest. `pin` is None for what no commit holds. `ordinary` is what
    a reader sees outside every artifact, as the bucket holds it.
    """

    version_id: str | None
    pin: Pin | None = None
    artifact: Artifact | None = None
    ordinary: bool = False


class Reading:
    """Resolves keys to versions, and opens them, counting downloads."""

    def __init__(
        self,
        access: Access,
        catalogue: Catalogue,
        commits: Commits,
        committing: Committing,
        forwarding: Forwarding,
        counting: Counting,
        viewing: Viewing,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._commits = commits
        self._committing = committing
        self._forwarding = forwarding
        self._counting = counting
        self._viewing = viewing

    async def open(
        self, caller: Caller, workspace: Workspace, location: Location, verified: Verified
    ) -> Reply:
        """The object as the caller may see it; NoSuchKey, NoSuchVersion, AccessDenied."""
        own = verified.own
        staged = own is not None and own.first("stage") == "true"
        number = own.first("version") if own is not None else None
        for _ in range(LOOKS):
            sight = await self.see(
                caller,
                workspace,
                location,
                version_id=verified.query.first("versionId"),
                staged=None if own is None else staged,
                number=None if number is None else int(number),
            )
            changes = Changes(version_id=sight.version_id)
            reply = await self._forwarding.forward(verified, workspace, changes)
            if not sight.ordinary:
                break
            reply = await self._uniform(reply, workspace, location, verified)
            # What has become an artifact's meanwhile may be staged: that is for nobody yet.
            now = await self._catalogue.locate(workspace.id, location.key)
            if now.place == location.place and now.artifact == location.artifact:
                break
            await _cut_off(reply)
            location = now
        else:
            raise _missing(location, verified.query.first("versionId"))
        silent = own is not None and own.first("silent") == "true"
        if sight.pin is None or silent or not verified.operation.reads_bytes:
            return reply
        return await self.counted(reply, sight)

    async def _uniform(
        self, reply: Reply, workspace: Workspace, location: Location, verified: Verified
    ) -> Reply:
        """The reply, but what is absent answers as what is staged alone does."""
        version_id = verified.query.first("versionId")
        if reply.status == HTTPStatus.PRECONDITION_FAILED:
            # Some backends evaluate conditions also of what is not there.
            changes = Changes(drop=CONDITIONS)
            unconditional = await self._forwarding.forward(verified, workspace, changes)
            await _cut_off(unconditional)
            if unconditional.status == HTTPStatus.NOT_FOUND:
                await _cut_off(reply)
                raise _missing(location, version_id)
            return reply
        if reply.status != HTTPStatus.NOT_FOUND:
            return reply
        document = await read_reply(reply)
        code = parse(document).findtext("Code") if document else None
        if code is None or code in ABSENT:
            raise _missing(location, version_id)
        return replace(reply, body=document)

    async def counted(self, reply: Reply, sight: Sight) -> Reply:
        """The reply, its download recorded before its first byte, if it is one."""
        pin, artifact = sight.pin, sight.artifact
        if pin is None or artifact is None or pin.path == MANIFEST:
            return reply
        served = reply.headers.get("x-amz-version-id")
        if served is not None and pin.version_id is not None and served != pin.version_id:
            return reply
        if not is_download(reply.status, reply.headers.get("Content-Range")):
            return reply
        self._counting.download(artifact.id, artifact.epoch, pin.path, pin.weight)
        await self._counting.settled()
        if isinstance(reply.body, bytes):
            self._counting.sent(artifact.id, artifact.epoch, pin.path, len(reply.body))
            return reply
        return replace(reply, body=self._measured(reply.body, artifact, pin))

    async def _measured(self, body: Body, artifact: Artifact, pin: Pin) -> AsyncIterator[bytes]:
        sent = 0
        try:
            async for chunk in body:
                sent += len(chunk)
                yield chunk
        finally:
            self._counting.sent(artifact.id, artifact.epoch, pin.path, sent)
            await asyncio.shield(close_body(body))

    async def see(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        *,
        version_id: str | None = None,
        staged: bool | None = None,
        number: int | None = None,
    ) -> Sight:
        """Which version of the key the caller sees.

        `version_id` is the client's own; `number` an artifact's version. `staged` is None for
        the S3 door's rule (writers see the stage), else says whether the stage is meant.
        """
        right = self._access.right_on(caller, workspace)
        as_writer = right >= Right.WRITE if staged is None else staged
        if as_writer:
            self._access.require(caller, workspace, Right.WRITE)
            return self._newest(location, version_id)
        missing = _missing(location, version_id)
        self._check_public(caller, workspace, location, missing)
        artifact, role = location.artifact, location.place.role
        if role is Role.STAGED_MANIFEST:
            raise missing
        if role is Role.MARKER and (
            (artifact is not None and version_id is not None)
            or not await self._shows_below(workspace, location)
        ):
            raise missing
        if role is not Role.MARKER and artifact is not None:
            return await self._committed(workspace, location, artifact, version_id, number)
        waits = any(above.collection for above in location.above)
        if artifact is None and (number is not None or waits):
            raise missing  # below a collection, what is no artifact's is not there yet
        if version_id is not None and await self._catalogue.pinned(
            workspace.id, location.key.rstrip("/"), version_id
        ):
            raise missing  # of an artifact that was deleted
        return Sight(version_id, ordinary=True)

    async def _shows_below(self, workspace: Workspace, location: Location) -> bool:
        """Whether readers see anything below a key that ends in a slash."""
        if location.artifact is None:
            marks = await self._viewing.marks(workspace, location.key)
            if not marks or await self._viewing.shows(workspace, marks, location.key):
                return True
        return bool(await self._catalogue.pin_page(workspace.id, location.key, "", 1))

    def _newest(self, location: Location, version_id: str | None) -> Sight:
        artifact = location.artifact
        if version_id is not None or artifact is None:
            return Sight(version_id, location.pin, artifact)
        if location.place.role is Role.MANIFEST and artifact.manifest_staged:
            raise _missing(location, None)
        return Sight(None, location.pin, artifact)

    def _check_public(
        self, caller: Caller, workspace: Workspace, location: Location, missing: GatewayError
    ) -> None:
        """Anonymous callers read below `public/`, what the workspace opens there."""
        if self._access.right_on(caller, workspace) >= Right.READ:
            return
        if not may_read_publicly(workspace, location.key):
            self._access.require(caller, workspace, Right.READ)
        if location.artifact is None and workspace.public != "objects":
            raise missing

    async def _committed(
        self,
        workspace: Workspace,
        location: Location,
        artifact: Artifact,
        version_id: str | None,
        number: int | None,
    ) -> Sight:
        pin = location.pin
        if number is not None:
            if not await self._catalogue.has_version(artifact, number):
                raise NoSuchVersion(
                    f"{artifact.prefix!r} has no version {number}", prefix=artifact.prefix
                )
            pin = await self._catalogue.pin(artifact.id, location.place.path, number)
        elif version_id is not None:
            pin = await self._catalogue.pinned(
                workspace.id, location.key, version_id, since=artifact.buried
            )
            if pin is None:
                raise _missing(location, version_id)
        if pin is None:
            raise _missing(location, None)
        if pin.path == MANIFEST and pin.version_id is None:
            pin = await self._published(workspace, artifact, pin)
        return Sight(pin.version_id, pin, artifact)

    async def _published(self, workspace: Workspace, artifact: Artifact, pin: Pin) -> Pin:
        """The manifest's pin, its plain key written first where a commit did not get so far."""
        if await self._commits.is_published(artifact):
            return pin
        await self._committing.complete(workspace, artifact.id, artifact.version)
        return await self._catalogue.pin(artifact.id, MANIFEST) or pin


def may_read_publicly(workspace: Workspace, key: str) -> bool:
    """Whether anonymous callers may read `key`, if there is something for them."""
    return workspace.public != "none" and is_public(key)


async def read_reply(reply: Reply) -> bytes:
    """The whole body of a reply."""
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([chunk async for chunk in reply.body])


async def _cut_off(reply: Reply) -> None:
    if not isinstance(reply.body, bytes):
        await close_body(reply.body)


def _missing(location: Location, version_id: str | None) -> GatewayError:
    """What every key that a caller may not know of answers, and every version."""
    if version_id is None:
        return NoSuchKey("The specified key does not exist.", key=location.key)
    return NoSuchVersion(
        "The specified version does not exist.", key=location.key, versionId=version_id
    )
