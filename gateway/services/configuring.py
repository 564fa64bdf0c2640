"""Change a bucket's settings, unless they would cost a commit its files."""

from xml.etree.ElementTree import Element

from gateway.errors import AccessDenied, InvalidBucketState
from gateway.identity import Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.xml import parse
from gateway.services.forwarding import Changes, Forwarding
from gateway.services.payloads import read_payload
from gateway.storage.catalogue import Catalogue

DOCUMENT_BYTES = 1 << 20
DELETE_BUCKET = "DeleteBucket"


class Configuring:
    """Answers what writes to a bucket itself."""

    def __init__(self, catalogue: Catalogue, forwarding: Forwarding) -> None:
        self._catalogue = catalogue
        self._forwarding = forwarding

    async def change(self, workspace: Workspace, verified: Verified) -> Reply:
        """The backend's answer; AccessDenied, InvalidBucketState."""
        name = verified.operation.name
        if name == DELETE_BUCKET:
            raise AccessDenied(
                f"the workspace {workspace.name!r} is set in the gateway's configuration: an "
                "operator removes it there",
                workspace=workspace.name,
            )
        if workspace.prefix:
            raise AccessDenied(
                f"the workspace {workspace.name!r} is a part of a bucket, which takes no settings",
                workspace=workspace.name,
            )
        if name not in ("PutBucketVersioning", "PutBucketLifecycleConfiguration"):
            return await self._forwarding.forward(verified, workspace)
        document = await read_payload(verified, DOCUMENT_BYTES)
        root = parse(document)
        if _costs_versions(root) and await self._catalogue.has_artifacts(workspace.id):
            raise InvalidBucketState(
                "commits keep their files as old versions of this bucket: its versioning stays "
                "on, and none expire, while there are artifacts; see the gateway's own gc",
                workspace=workspace.name,
            )
        return await self._forwarding.forward(verified, workspace, Changes(body=document))


def _costs_versions(root: Element) -> bool:
    """Whether a setting stops keeping old versions, or lets them expire."""
    if root.tag == "VersioningConfiguration":
        return root.findtext("Status") != "Enabled"
    return any(element.tag.startswith("NoncurrentVersion") for element in root.iter())
