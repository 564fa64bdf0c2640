"""Which version of a key a caller sees: for readers the pinned one, for writers the newest."""

from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST, Role, is_public, is_public_key
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import NULL_VERSION, Pin
from gateway.errors import GatewayError, NoSuchKey, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.light import light
from gateway.services.keys.access import Access
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.viewing import Viewing
from gateway.storage.bucket import BackendError, Bucket, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits

LOOKS = 3


@light
@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see of one key: the backend version, and the pin it is, if it is one.

    `version_id` None is the newest. `pin` is None for what no commit holds. `ordinary` is what
    a reader sees outside every artifact, as the bucket holds it. `etag` is there where a copy
    source has no version to be named by.
    """

    version_id: str | None
    pin: Pin | None = None
    artifact: Artifact | None = None
    ordinary: bool = False
    etag: str | None = None


class Seeing:
    """Turns keys into what a caller may see of them."""

    def __init__(
        self,
        access: Access,
        bucket: Bucket,
        catalogue: Catalogue,
        commits: Commits,
        committing: Committing,
        viewing: Viewing,
    ) -> None:
        self._access = access
        self._bucket = bucket
        self._catalogue = catalogue
        self._commits = commits
        self._committing = committing
        self._viewing = viewing

    def right_on(self, caller: Caller, workspace: Workspace) -> Right:
        """What the caller may do there by grant: what it sees hangs on this alone."""
        return self._access.right_on(caller, workspace)

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
        right = self.right_on(caller, workspace)
        as_writer = right >= Right.WRITE if staged is None else staged
        if as_writer:
            self._access.require(caller, workspace, Right.WRITE)
            return self._newest(location, version_id)
        if right < Right.READ:
            self._check_public(caller, workspace, location, version_id)
        artifact, role = location.artifact, location.place.role
        if role is Role.STAGED_MANIFEST:
            raise missing(location, version_id)
        if role is Role.MARKER and (
            (artifact is not None and version_id is not None)
            or not await self._shows_below(workspace, location)
        ):
            raise missing(location, version_id)
        if role is not Role.MARKER and artifact is not None:
            return await self._committed(workspace, location, artifact, version_id, number)
        if artifact is None and (
            number is not None or any(above.collection for above in location.above)
        ):
            # Below a collection, what is no artifact's is not there yet.
            raise missing(location, version_id)
        if version_id is not None and not await self._is_ordinary(workspace, location, version_id):
            raise missing(location, version_id)
        return Sight(version_id, ordinary=True)

    async def _is_ordinary(self, workspace: Workspace, location: Location, version_id: str) -> bool:
        """Whether a version that lies in no artifact was never one's.

        Where an artifact once was, old versions may have been committed, or only staged, in
        it. What is the newest there is an ordinary object.
        """
        if not await self._catalogue.held_artifact(workspace.id, location.key):
            return True
        try:
            newest = await self._head(workspace, location.key)
        except BackendError:
            return False
        return newest is not None and version_id == (newest.version_id or NULL_VERSION)

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
            raise missing(location, None)
        return Sight(None, location.pin, artifact)

    def _check_public(
        self, caller: Caller, workspace: Workspace, location: Location, version_id: str | None
    ) -> None:
        """Callers without a right read below `public/`, what the workspace opens there."""
        if not may_read_publicly(workspace, location.key):
            self._access.require(caller, workspace, Right.READ)
        if location.artifact is None and workspace.public != "objects":
            raise missing(location, version_id)

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
                raise missing(location, version_id)
        if pin is None:
            raise missing(location, None)
        if pin.path == MANIFEST and pin.version_id is None:
            pin = await self._published(workspace, artifact, pin, number or artifact.version)
        if not pin.version_id:
            pin = replace(pin, version_id=NULL_VERSION)
        return Sight(pin.version_id, pin, artifact)

    async def _published(
        self, workspace: Workspace, artifact: Artifact, pin: Pin, number: int
    ) -> Pin:
        """The pin of a version's manifest, its plain key written first where it was not yet."""
        if not await self._commits.is_published(artifact, number):
            await self._committing.complete(workspace, artifact.id, number)
        # Looked for again in any case: it may have been written since the pin was read.
        return await self._catalogue.pin(artifact.id, MANIFEST, number) or pin

    async def source(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        version_id: str | None,
    ) -> Sight:
        """What a copy is to be made of: fixed now, whatever is staged until it is made.

        NoSuchKey, NoSuchVersion, AccessDenied.
        """
        for _ in range(LOOKS):
            sight = await self.see(caller, workspace, location, version_id=version_id)
            if not sight.ordinary:
                return sight
            try:
                head = await self._head(workspace, location.key, version_id)
            except BackendError:
                return sight  # the copy itself will be answered so
            now = await self._catalogue.locate(workspace.id, location.key)
            if now.place == location.place and now.artifact == location.artifact:
                if head is None:
                    break
                fixed = version_id or head.version_id
                return replace(sight, version_id=fixed, etag=None if fixed else head.etag)
            location = now
        raise missing(location, version_id)

    async def _head(
        self, workspace: Workspace, key: str, version_id: str | None = None
    ) -> ObjectHead | None:
        return await self._bucket.head(workspace.bucket, workspace.backend_key(key), version_id)


def may_read_publicly(workspace: Workspace, key: str) -> bool:
    """Whether anonymous callers may read `key`, if there is something for them."""
    return workspace.public != "none" and is_public_key(key)


def may_list_publicly(workspace: Workspace, prefix: str) -> bool:
    """Whether anonymous callers may list what begins with `prefix`, below `public/`."""
    return workspace.public != "none" and is_public(prefix)


def missing(location: Location, version_id: str | None) -> GatewayError:
    """What every key that a caller may not know of answers, and every version."""
    if version_id is None:
        return NoSuchKey("The specified key does not exist.", key=location.key)
    return NoSuchVersion(
        "The specified version does not exist.", key=location.key, versionId=version_id
    )
