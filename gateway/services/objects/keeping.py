"""Acknowledge writes into workspaces made at run time: only if the workspace outlived them.

Who removes a workspace says so in its row, then looks whether anything is in the bucket, then
deletes it; some backends delete a bucket with all that is in it. A write may have found the
workspace before, and reach the bucket after that look. So the row is read once more when the
backend has stored what came, and before anybody hears of it:

    nothing is said there      whoever removes it later looks later, and finds what was stored
    it is being removed        the outcome is waited for; it decides
    it has gone                what was stored has gone with it: NoSuchBucket, as a moment later

So no worker or replica has to know of another's writes, and those into workspaces of the
configuration, which are not removed, pay nothing. Only what would be lost is looked after: parts
of an upload are nobody's object yet, and settings and removals go with their bucket.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from gateway.errors import NoSuchBucket
from gateway.identity import Workspace
from gateway.s3.message import Body, Reply
from gateway.services.objects.finishing import Finishing
from gateway.services.transfer.payloads import close_body
from gateway.services.workspaces import Workspaces

REDIRECTION = 300


class Keeping:
    """Looks after what was written."""

    def __init__(self, workspaces: Workspaces, finishing: Finishing) -> None:
        self._workspaces = workspaces
        self._finishing = finishing

    async def check(self, workspace: Workspace, now: datetime) -> None:
        """Return when what was stored in the workspace before now stays; NoSuchBucket.

        OperationAborted where it takes longer than 10 s to know.
        """
        if self._workspaces.configured(workspace.name) is not None:
            return
        if not await self._finishing.outlasts(workspace.id, now):
            raise NoSuchBucket("The specified bucket does not exist", BucketName=workspace.name)

    async def acknowledge(self, reply: Reply, workspace: Workspace, now: datetime) -> Reply:
        """The reply to a write, if what was written stays; `check` tells what is raised else.

        CopyObject and CompleteMultipartUpload may answer before they have stored anything: then
        the end of the answer waits, and never comes where nothing stays.
        """
        if reply.status >= REDIRECTION or self._workspaces.configured(workspace.name) is not None:
            return reply
        if isinstance(reply.body, bytes):
            await self.check(workspace, now)
            return reply
        return replace(reply, body=self._held(reply.body, workspace, now))

    async def _held(self, body: Body, workspace: Workspace, now: datetime) -> AsyncIterator[bytes]:
        last = b""
        try:
            async for piece in body:
                if last:
                    yield last
                last = piece
            await self.check(workspace, now)
            yield last
        finally:
            await asyncio.shield(close_body(body))
