"""Open what a caller may see: for readers the pinned version, for writers the newest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, Role, is_public
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin
from gateway.errors import AccessDenied, NoSuchKey, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Body, Reply
from gateway.services.access import Access
from gateway.services.committing import Committing
from gateway.services.counting import Counting, is_download
from gateway.services.forwarding import Changes, Forwarding
from gateway.services.payloads import close_body
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see of one key: the backend version, and the pin it is, if it is one.

    `version_id` None is the newest. `pin` is None for what no commit holds.
    """

    version_id: str | None
    pin: Pin | None = None
    artifact: Artifact | None = None


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
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._commits = commits
        self._committing = committing
        self._forwarding = forwarding
        self._counting = counting

    async def open(
        self, caller: Caller, workspace: Workspace, location: Location, verified: Verified
    ) -> Reply:
        """The object as the caller may see it; NoSuchKey, NoSuchVersion, AccessDenied."""
        own = verified.own
        staged = own is not None and own.first("stage") == "true"
        number = own.first("version") if own is not None else None
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
        silent = own is not None and own.first("silent") == "true"
        if sight.pin is None or silent or verified.operation.name != "GetObject":
            return reply
        return await self.counted(reply, sight)

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
        self._check_public(caller, workspace, location)
        if location.place.role is Role.STAGED_MANIFEST:
            raise AccessDenied(f"{STAGED_MANIFEST} needs write", key=location.key)
        artifact = location.artifact
        if artifact is None:
            if location.place.role is Role.ARRIVING:
                raise _absent(location)
            return Sight(version_id)
        if location.place.role is Role.MARKER:
            return Sight(version_id)
        return await self._committed(workspace, location, artifact, version_id, number)

    def _newest(self, location: Location, version_id: str | None) -> Sight:
        artifact = location.artifact
        if version_id is not None or artifact is None:
            return Sight(version_id, location.pin, artifact)
        if location.place.role is Role.MANIFEST and artifact.manifest_staged:
            raise _absent(location)
        return Sight(None, location.pin, artifact)

    def _check_public(self, caller: Caller, workspace: Workspace, location: Location) -> None:
        """Anonymous callers read below `public/`, what the workspace opens there."""
        if self._access.right_on(caller, workspace) >= Right.READ:
            return
        if not may_read_publicly(workspace, location.key):
            self._access.require(caller, workspace, Right.READ)
        if location.artifact is None and workspace.public != "objects":
            raise _absent(location)

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
                raise NoSuchVersion(
                    "The specified version does not exist.", key=location.key, versionId=version_id
                )
        if pin is None:
            raise _absent(location)
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


def _absent(location: Location) -> NoSuchKey:
    return NoSuchKey("The specified key does not exist.", key=location.key)
