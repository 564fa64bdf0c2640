"""Pass on what has no row in the table of operations, where that can cost nobody anything."""

from gateway.artifact.layout import Role
from gateway.identity import Caller, Right, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.operation import Level, unknown
from gateway.services.keys.access import Access
from gateway.services.transfer.forwarding import Forwarding
from gateway.storage.catalogue import Catalogue


class Exempting:
    """Answers operations that the gateway does not know, for whoever may do everything."""

    def __init__(self, access: Access, catalogue: Catalogue, forwarding: Forwarding) -> None:
        self._access = access
        self._catalogue = catalogue
        self._forwarding = forwarding

    async def pass_on(self, caller: Caller, workspace: Workspace, verified: Verified) -> Reply:
        """The backend's answer; NotImplementedByGateway unless an admin asks for it.

        The workspace is a whole bucket, and the path is in no artifact.
        """
        if not await self._is_exempt(caller, workspace, verified):
            raise unknown(verified.operation.method, verified.operation.subresources)
        return await self._forwarding.forward(verified, workspace)

    async def _is_exempt(self, caller: Caller, workspace: Workspace, verified: Verified) -> bool:
        admin = self._access.right_on(caller, workspace) >= Right.ADMIN
        if not admin or workspace.prefix or verified.own is not None:
            return False
        if verified.operation.level is Level.BUCKET:
            return True
        location = await self._catalogue.locate(workspace.id, verified.address.key)
        return location.artifact is None and location.place.role is Role.ORDINARY
