"""Make and remove workspaces at run time, each with a backend bucket of its own name."""

import asyncio
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from uuid import uuid4

from gateway.errors import (
    AccessDenied,
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocationConstraint,
    InvalidBucketName,
    InvalidBucketState,
    NoSuchBucket,
)
from gateway.identity import EVERY_WORKSPACE, Caller, Right, Workspace
from gateway.s3.address import valid_bucket_name
from gateway.s3.creation import DEFAULT_REGION, parse_creation, render_creation
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.services.enduring import Enduring
from gateway.services.keys.access import Access
from gateway.services.objects.finishing import Finishing
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import close_body, read_payload
from gateway.services.workspaces import Workspaces
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.registry import MAKING, REMOVING, Entry, Registry

DOCUMENT_BYTES = 1 << 16
# What found the workspace before it was withdrawn is given so long to be done with it, and keeps
# it then. What comes later is refused, unless the workspace stays after all (`keeping`).
DRAIN_SECONDS = 0.25
TAKEN = b"<Code>BucketAlready"
GONE = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND))


class Provisioning:
    """Answers CreateBucket and DeleteBucket."""

    def __init__(
        self,
        access: Access,
        workspaces: Workspaces,
        registry: Registry,
        catalogue: Catalogue,
        bucket: Bucket,
        forwarding: Forwarding,
        finishing: Finishing,
        enduring: Enduring,
    ) -> None:
        self._access = access
        self._workspaces = workspaces
        self._registry = registry
        self._catalogue = catalogue
        self._bucket = bucket
        self._forwarding = forwarding
        self._finishing = finishing
        self._enduring = enduring

    async def create(self, caller: Caller, verified: Verified, now: datetime) -> Reply:
        """The backend's answer to CreateBucket, once there is a workspace of that name.

        BucketAlreadyOwnedByYou where the caller may use one that is there, else
        BucketAlreadyExists; also where the backend has such a bucket, which stays what it is.
        AccessDenied for who is no admin of `*`; InvalidBucketName, IllegalLocationConstraint.
        """
        name = verified.address.bucket
        if caller.anonymous:
            raise AccessDenied("making a workspace needs credentials")
        await self._refuse_second(caller, name, now)
        _require_every(caller, f"there is no workspace {name!r}, and making one")
        if not valid_bucket_name(name):
            raise InvalidBucketName("The specified bucket is not valid.", BucketName=name)
        if verified.operation.dangerous and not self._workspaces.defaults.backend_settings:
            raise AccessDenied(
                "an ACL other than private, or an ownership, would open the bucket behind the "
                "gateway's back; an operator can allow it by workspace_defaults.backend_settings"
            )
        body = self._document(verified, await read_payload(verified, DOCUMENT_BYTES))
        return await self._enduring.finish(self._make(caller, verified, body, now))

    async def delete(self, caller: Caller, verified: Verified, now: datetime) -> Reply:
        """The backend's answer to DeleteBucket; the workspace is gone where that is 204 or 404.

        NoSuchBucket, AccessDenied for who is no admin of `*`, BucketNotEmpty, and
        InvalidBucketState for a workspace of the configuration.
        """
        name = verified.address.bucket
        await self._finishing.settled(name, now)
        workspace = await self._workspaces.named(name)
        _require_every(caller, "removing a workspace")
        if self._workspaces.configured(name) is not None:
            raise InvalidBucketState(
                f"the workspace {name!r} is set in the gateway's configuration: an operator "
                "takes it out there",
                BucketName=name,
            )
        return await self._enduring.finish(self._remove(workspace, verified))

    async def _refuse_second(self, caller: Caller, name: str, now: datetime) -> None:
        """Return when there is no workspace called `name`; a client hears whether it has it."""
        if (
            self._workspaces.configured(name) is None
            and await self._finishing.settled(name, now) is None
        ):
            return
        if self._access.right_on(caller, await self._workspaces.named(name)) >= Right.READ:
            raise BucketAlreadyOwnedByYou("this workspace is there, and yours", BucketName=name)
        raise BucketAlreadyExists("a workspace of this name is there", BucketName=name)

    def _document(self, verified: Verified, body: bytes) -> bytes:
        """The body for the backend: where it is, is where its buckets are."""
        wanted = parse_creation(body)
        # A client that takes the gateway to be in some region means no other place by it.
        believed = "" if verified.signature is None else verified.signature.claim.region
        here = self._bucket.region
        if wanted.region not in ("", here, believed):
            raise IllegalLocationConstraint(
                f"the workspaces of this gateway lie in {here}: leave LocationConstraint out",
                LocationConstraint=wanted.region,
            )
        return render_creation(replace(wanted, region="" if here == DEFAULT_REGION else here))

    async def _make(self, caller: Caller, verified: Verified, body: bytes, now: datetime) -> Reply:
        name, creator = verified.address.bucket, caller.access_key_id or ""
        hand = self._finishing.worker_id
        entry = Entry(uuid4().hex, name, name, "", now, creator, MAKING, hand)
        with self._finishing.working(entry.id):
            taken = self._workspaces.claims(name) or await self._finishing.is_taken(name)
            if taken or not await self._registry.reserve(entry):
                await self._refuse_second(caller, name, now)  # somebody was faster
                raise _taken(name)
            workspace = Workspace(entry.id, entry.name, entry.bucket, entry.prefix)
            reply = await self._forwarding.forward(verified, workspace, Changes(body=body))
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return reply  # nobody knows whether the bucket was made: whoever looks next asks
            if await self._was_there(entry, reply):
                await self._registry.forget(entry)
                if not isinstance(reply.body, bytes):
                    await close_body(reply.body)
                raise _taken(name)
            if reply.status < HTTPStatus.MULTIPLE_CHOICES:
                await self._finishing.made(entry)
            else:
                await self._registry.forget(entry)
            return reply

    async def _was_there(self, entry: Entry, reply: Reply) -> bool:
        """Whether somebody made the bucket in the last moment."""
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            # Some backends say 200 to an owner who makes a bucket again.
            return not await self._bucket.is_empty(entry.bucket)
        told = reply.body if isinstance(reply.body, bytes) else b""
        return reply.status == HTTPStatus.CONFLICT and TAKEN in told

    async def _remove(self, workspace: Workspace, verified: Verified) -> Reply:
        await self._check_empty(workspace)
        entry = await self._withdraw(workspace)
        with self._finishing.working(entry.id):
            try:
                await asyncio.sleep(DRAIN_SECONDS)
                # Some backends delete a bucket with all the versions in it.
                await self._check_empty(workspace)
            except BucketNotEmpty:
                await self._finishing.kept(entry)
                raise
            reply = await self._forwarding.forward(verified, workspace)
            if reply.status in GONE:
                await self._finishing.removed(entry)
            elif reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._finishing.kept(entry)
            return reply

    async def _withdraw(self, workspace: Workspace) -> Entry:
        """The workspace's entry, from here on being removed; NoSuchBucket."""
        entry = await self._registry.with_id(workspace.id)
        if entry is not None and not entry.unfinished:
            entry = await self._registry.move(entry, REMOVING, self._finishing.worker_id)
            if entry is not None:
                return entry
        raise NoSuchBucket("The specified bucket does not exist", BucketName=workspace.name)

    async def _check_empty(self, workspace: Workspace) -> None:
        """Return when nothing is in the workspace, old versions included; BucketNotEmpty."""
        name = workspace.name
        if await self._catalogue.has_artifacts(workspace.id):
            raise BucketNotEmpty("delete the workspace's artifacts first", BucketName=name)
        try:
            empty = await self._bucket.is_empty(workspace.bucket)
        except BackendError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return
        if not empty:
            raise BucketNotEmpty(
                "The bucket you tried to delete is not empty; old versions and delete markers "
                "count too",
                BucketName=name,
            )


def _taken(name: str) -> BucketAlreadyExists:
    return BucketAlreadyExists("the backend has a bucket of this name", BucketName=name)


def _require_every(caller: Caller, purpose: str) -> None:
    if caller.grants.on(EVERY_WORKSPACE) < Right.ADMIN:
        raise AccessDenied(f"{purpose} needs the right 'admin' on all workspaces ('*')")
