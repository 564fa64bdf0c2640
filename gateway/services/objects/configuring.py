"""Change a bucket's settings, unless they would cost a commit its files."""

from collections.abc import Sequence

from gateway.errors import AccessDenied, InvalidBucketState
from gateway.identity import Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.naming import Names, rename_arns
from gateway.s3.retention import (
    MFA_DELETE,
    STATUS,
    expires_old_versions,
    expiring_prefixes,
    parse_versioning,
    render_versioning,
)
from gateway.s3.translation import translate
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import read_payload
from gateway.storage.catalogue import Catalogue
from gateway.storage.records import Records

DOCUMENT_BYTES = 1 << 20
# Settings without keys, prefixes, tags or other buckets in them.
TOLD_TO_PARTS = frozenset(
    (
        "GetBucketAccelerateConfiguration",
        "GetBucketAcl",
        "GetBucketEncryption",
        "GetBucketLocation",
        "GetBucketOwnershipControls",
        "GetBucketRequestPayment",
        "GetBucketVersioning",
        "GetObjectLockConfiguration",
        "GetPublicAccessBlock",
        "HeadBucket",
    )
)
PUT_VERSIONING = "PutBucketVersioning"
PUT_LIFECYCLE = "PutBucketLifecycleConfiguration"


class Configuring:
    """Answers what writes to a bucket itself."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: Records,
        versioning: Versioning,
        forwarding: Forwarding,
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._versioning = versioning
        self._forwarding = forwarding

    async def read(self, workspace: Workspace, verified: Verified) -> Reply:
        """The backend's answer to what asks for a bucket's setting; AccessDenied.

        A workspace that is a part of a bucket learns what says nothing of the other parts.
        """
        if workspace.prefix and verified.operation.name not in TOLD_TO_PARTS:
            raise _of_others(workspace)
        return await self._forwarding.forward(verified, workspace)

    async def change(self, workspace: Workspace, verified: Verified) -> Reply:
        """The backend's answer; AccessDenied, InvalidBucketState, MalformedXML."""
        name = verified.operation.name
        if workspace.prefix:
            raise _of_others(workspace)
        if name == PUT_VERSIONING:
            return await self._put_versioning(workspace, verified)
        if name == PUT_LIFECYCLE:
            return await self._put_lifecycle(workspace, verified)
        if not workspace.renamed or not verified.operation.takes_body:
            return await self._forwarding.forward(verified, workspace)
        body = await read_payload(verified, DOCUMENT_BYTES)
        return await self._forwarding.forward(
            verified, workspace, Changes(body=_renamed(workspace, body))
        )

    async def _put_versioning(self, workspace: Workspace, verified: Verified) -> Reply:
        values = parse_versioning(await read_payload(verified, DOCUMENT_BYTES))
        if values[STATUS] != "Enabled":
            await self._check_no_records(workspace)
        if values.get(MFA_DELETE) == "Enabled" and not workspace.backend_settings:
            raise AccessDenied(
                "with MfaDelete the gateway could remove no version any more; an operator can "
                "allow it by backend_settings of the workspace",
                workspace=workspace.name,
            )
        try:
            # Written anew: what was checked is what the backend reads.
            changes = Changes(body=render_versioning(values))
            return await self._forwarding.forward(verified, workspace, changes)
        finally:
            self._versioning.forget(workspace)

    async def _put_lifecycle(self, workspace: Workspace, verified: Verified) -> Reply:
        document = await read_payload(verified, DOCUMENT_BYTES)
        expiring = expiring_prefixes(document)
        # Where versions are kept, an expired object lies below a delete marker, and the pins
        # stay; elsewhere it is gone.
        if expires_old_versions(document) or (
            expiring and not await self._versioning.kept(workspace)
        ):
            await self._check_no_records(workspace)
        if expiring:
            await self._check_no_artifact(workspace, expiring)
        return await self._forwarding.forward(verified, workspace, Changes(body=document))

    async def _check_no_artifact(self, workspace: Workspace, expiring: Sequence[str]) -> None:
        """Return when no artifact has keys that begin so; InvalidBucketState.

        The backend would change its files without an edit: readers' listings would lack them.
        """
        there = list(await self._catalogue.descendants(workspace.id, ""))
        root = await self._catalogue.artifact(workspace.id, "")
        for artifact in [*there, *([root] if root else [])]:
            folder = f"{artifact.prefix}/" if artifact.prefix else ""
            if any(folder.startswith(each) or each.startswith(folder) for each in expiring):
                raise InvalidBucketState(
                    f"a rule would expire files of the artifact {artifact.prefix!r}: narrow its "
                    "prefix, or delete the artifact first",
                    workspace=workspace.name,
                    prefix=artifact.prefix,
                )

    async def _check_no_records(self, workspace: Workspace) -> None:
        """Return when no record pins a version in the workspace's bucket; InvalidBucketState.

        Whatever was once committed there counts while its record is kept, also under another
        workspace that lay in the bucket.
        """
        ids = {workspace.id}
        async for found in self._records.workspaces():
            if found.bucket == workspace.bucket:
                ids.add(found.id)
        kept = await self._catalogue.has_artifacts(workspace.id)
        for each in ids if not kept else ():
            async for _ in self._records.records(each):
                kept = True
                break
        if kept:
            raise InvalidBucketState(
                "commits keep their files as old versions of this bucket: its versioning stays "
                "on, and none expire, while there are records of them; see the gateway's own gc",
                workspace=workspace.name,
            )


def _of_others(workspace: Workspace) -> AccessDenied:
    return AccessDenied(
        f"the workspace {workspace.name!r} is a part of a bucket, whose settings are not its own",
        workspace=workspace.name,
    )


def _renamed(workspace: Workspace, document: bytes) -> bytes:
    """A setting in which the workspace's own name is the bucket's; MalformedXML."""
    names = Names(workspace.name, workspace.bucket).reversed
    if document.lstrip().startswith(b"<"):
        return translate(document, names)
    return rename_arns(names, document.decode(errors="surrogateescape")).encode(
        errors="surrogateescape"
    )
