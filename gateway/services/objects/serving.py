"""Answer an S3 request: authorise it, then act by its operation's effect.

Every request of the S3 door takes this one path, so no operation can forget a check: the
right of its row first, then the rules of the key's place.
"""

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime

from gateway.errors import (
    AccessDenied,
    ServiceUnavailable,
    SlowDown,
)
from gateway.identity import Caller, Right, Workspace
from gateway.s3.buckets import bucket_page
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.operation import Effect
from gateway.s3.post import Posted, answer_form
from gateway.s3.xml import render_buckets
from gateway.services.keys.access import Access
from gateway.services.objects.configuring import Configuring
from gateway.services.objects.erasing import Erasing
from gateway.services.objects.exempting import Exempting
from gateway.services.objects.keeping import Keeping
from gateway.services.objects.listing import Listings
from gateway.services.objects.posting import opened
from gateway.services.objects.provisioning import Provisioning
from gateway.services.objects.reading import SEEN, Reading
from gateway.services.objects.writing import Writing
from gateway.services.transfer.forwarding import Forwarding
from gateway.services.workspaces import Workspaces
from gateway.storage.catalogue import Catalogue

OK = 200
NO_CONTENT = 204
DELETING = "deleting"
CREATE_BUCKET = "CreateBucket"
DELETE_BUCKET = "DeleteBucket"
RESTORE_OBJECT = "RestoreObject"
RESTORE_BYTES = 1 << 20

# Effects that store something: it must not go with a workspace that somebody removes meanwhile.
STORING = frozenset((Effect.WRITE_OBJECT, Effect.RENAME_OBJECT, Effect.UNLISTED))

Act = Callable[[Caller, Workspace, Verified, datetime], Awaitable[Reply]]


class Serving:
    """The S3 door's rooms behind one door."""

    def __init__(  # noqa: PLR0913, PLR0917 (one for each effect)
        self,
        access: Access,
        workspaces: Workspaces,
        catalogue: Catalogue,
        forwarding: Forwarding,
        reading: Reading,
        listings: Listings,
        writing: Writing,
        erasing: Erasing,
        configuring: Configuring,
        provisioning: Provisioning,
        exempting: Exempting,
        keeping: Keeping,
    ) -> None:
        self._access = access
        self._workspaces = workspaces
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._reading = reading
        self._listings = listings
        self._writing = writing
        self._erasing = erasing
        self._configuring = configuring
        self._provisioning = provisioning
        self._exempting = exempting
        self._keeping = keeping
        self._acts: dict[Effect, Act] = {
            Effect.LIST: self._list,
            Effect.WRITE_OBJECT: writing.write,
            Effect.ALTER_OBJECT: writing.alter,
            Effect.RENAME_OBJECT: writing.rename,
            Effect.DELETE_OBJECT: writing.delete,
            Effect.DELETE_MANY: self._delete_many,
            Effect.READ_UPLOAD: self._pass,
            Effect.WRITE_UPLOAD: writing.upload,
            Effect.BUCKET_READ: self._ask,
            Effect.BUCKET_WRITE: self._set,
        }

    def answer(self, caller: Caller, verified: Verified, now: datetime) -> Awaitable[Reply]:
        """The answer to a verified request; GatewayError for every refusal."""
        if not verified.operation.reads_object:
            return self._answer(caller, verified, now)
        try:
            generation = self._catalogue.generation()
        except (ServiceUnavailable, SlowDown):
            generation = None  # readers of what was committed go on without
        # What the same request was shown before is shown again in the same generation of the
        # index, to whoever has the same right by now.
        seen = verified.request.notes.get(SEEN)
        if seen is not None and seen.generation == generation:
            self._authorise(caller, seen.workspace, verified)
            if seen.caller is caller or self._access.right_on(caller, seen.workspace) is seen.right:
                return self._reading.again(caller, seen, verified)
        return self._read(caller, verified, generation)

    async def _answer(self, caller: Caller, verified: Verified, now: datetime) -> Reply:
        if verified.operation.effect is Effect.SERVICE:
            return await self._buckets(caller, verified)
        if verified.operation.name == CREATE_BUCKET:
            return await self._provisioning.create(caller, verified, now)
        if verified.operation.name == DELETE_BUCKET:
            return await self._provisioning.delete(caller, verified, now)
        name = verified.address.bucket
        workspace = self._workspaces.configured(name) or await self._workspaces.named(name)
        reply = await self._act(caller, workspace, verified, now)
        if verified.operation.effect in STORING:
            return await self._keeping.acknowledge(reply, workspace, now)
        return reply

    async def _act(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        if verified.operation.effect is Effect.UNLISTED:
            return await self._exempting.pass_on(caller, workspace, verified)
        self._authorise(caller, workspace, verified)
        self._forwarding.check_known(verified.operation)
        if verified.posted is not None:
            return await self._post(caller, workspace, verified, verified.posted, now)
        return await self._acts[verified.operation.effect](caller, workspace, verified, now)

    def _authorise(self, caller: Caller, workspace: Workspace, verified: Verified) -> None:
        operation = verified.operation
        if operation.opens:
            return  # reading and listing decide which right the key or the prefix needs
        self._access.require(caller, workspace, operation.right)
        if operation.dangerous and not workspace.backend_settings:
            raise AccessDenied(
                f"{operation.name} would open or change the backend behind the gateway's back; "
                "an operator can allow it by backend_settings of the workspace",
                workspace=workspace.name,
            )

    async def _buckets(self, caller: Caller, verified: Verified) -> Reply:
        if caller.anonymous:
            raise AccessDenied("listing workspaces needs credentials")
        seen = [
            (workspace.name, made)
            for workspace, made in await self._workspaces.all()
            if self._access.right_on(caller, workspace) >= Right.READ
        ]
        page = bucket_page(verified.query, seen)
        document = render_buckets(caller.name, page.buckets, prefix=page.prefix, token=page.token)
        return Reply(OK, body=document).saying("Content-Type", "application/xml")

    async def _pass(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._forwarding.forward(verified, workspace)

    async def _list(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del now
        if verified.operation.name not in ("ListObjects", "ListObjectsV2"):
            return await self._listings.pass_on(workspace, verified)
        return await self._listings.list(caller, workspace, verified)

    async def _read(self, caller: Caller, verified: Verified, generation: Hashable | None) -> Reply:
        """What is asked for, as the caller may see it."""
        workspace = await self._workspaces.named(verified.address.bucket)
        self._authorise(caller, workspace, verified)
        self._forwarding.check_known(verified.operation)
        key = verified.address.key
        location = await self._catalogue.locate(workspace.id, key, recalled=True)
        return await self._reading.open(caller, workspace, location, verified, generation)

    async def _post(
        self,
        caller: Caller,
        workspace: Workspace,
        verified: Verified,
        posted: Posted,
        now: datetime,
    ) -> Reply:
        reply = await self._writing.write(caller, workspace, await opened(verified, posted), now)
        if reply.status != OK:
            return reply
        url = self._forwarding.url(verified, verified.address)
        return answer_form(posted, verified.address, url, reply)

    async def _delete_many(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        async def one(single: Verified) -> Reply:
            return await self._writing.delete(caller, workspace, single, now)

        return await self._erasing.delete_many(workspace, verified, one)

    async def _ask(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._configuring.read(workspace, verified)

    async def _set(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._configuring.change(workspace, verified)
