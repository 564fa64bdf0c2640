"""Answer for committed files from memory, as the backend would, or ask it.

By the time that a request gets here, the index has said which version of which file its caller
sees. What is kept is the answer to a plain GET of such a version, whole: it never changes but by
what hangs on it (`storage/hot_files`). Whatever could make the backend answer otherwise (a
condition, a range, a customer's key) is the backend's to answer.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.artifact.version import NULL_VERSION, Pin
from gateway.identity import Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Body, Note, Reply
from gateway.services.lifecycle.surveying import bare
from gateway.services.objects.seeing import Sight
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import close_body
from gateway.storage.hot_files import HotFile, HotFiles, Pinned

OK = 200  # HTTPStatus looks its members up by a call
PLAIN = frozenset(("GetObject", "HeadObject"))
# These say no more than which version is meant, or which operation.
PASSED_OVER = frozenset(("versionId", "x-id"))

# What may be told again: what a version has from its first moment, and always.
LASTING = frozenset(
    (
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "x-amz-version-id",
    )
)
LASTING_KINDS = ("x-amz-checksum-", "x-amz-meta-")
WITH_CHECKSUMS = ("x-amz-checksum-mode", "ENABLED")
# Of the exchange, not of the object.
PASSING = frozenset(("date", "x-amz-id-2"))
# AWS says so of every object, other kinds of encryption ask more of who reads.
ENCRYPTION = ("x-amz-server-side-encryption", "AES256")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for, by the sight that its caller has of the key.

    `version` is what the backend is asked for, `pinned` the file that may be in memory.
    """

    sight: Sight
    version: Changes
    pinned: Pinned | None


TARGET: Note[Target] = Note()


class Caching:
    """Forwards reads of versions; the small ones that are asked for often it answers itself."""

    def __init__(self, forwarding: Forwarding, files: HotFiles) -> None:
        self._forwarding = forwarding
        self._files = files
        self._fetches: dict[Pinned, asyncio.Future[HotFile | None]] = {}

    def forward(
        self, verified: Verified, workspace: Workspace, sight: Sight
    ) -> Coroutine[Any, Any, Reply]:
        """The object of the sight, as `Forwarding.forward` answers it."""
        target = verified.request.notes.get(TARGET)
        if target is None or target.sight is not sight:
            version = Changes(version_id=sight.version_id)
            target = Target(sight, version, self._pinned(verified, workspace, sight))
            verified.request.notes[TARGET] = target
        if target.pinned is None:
            return self._forwarding.forward(verified, workspace, target.version)
        return self._remembered(target.pinned, verified, workspace, target)

    async def _remembered(
        self, pinned: Pinned, verified: Verified, workspace: Workspace, target: Target
    ) -> Reply:
        """The answer that is in memory, or soon will be; the backend's where it is not kept."""
        file = self._files.get(pinned)
        fetch = None if file is not None else self._fetches.get(pinned)
        if fetch is not None:
            # Of many who want the same at once one asks.
            file = await asyncio.shield(fetch)
        if file is not None:
            return _reply(file, verified)
        pin = target.sight.pin
        size = 0 if pin is None else pin.size
        if (
            fetch is not None
            or verified.operation.method == "HEAD"
            or not self._files.admits(pinned, size)
        ):
            return await self._forwarding.forward(verified, workspace, target.version)
        return await self._fetch(pinned, verified, workspace, target)

    def _pinned(self, verified: Verified, workspace: Workspace, sight: Sight) -> Pinned | None:
        """What the request is for, if it is for a small committed file, and for nothing else."""
        pin, operation = sight.pin, verified.operation
        if (
            pin is None
            or pin.version_id != sight.version_id
            or pin.version_id is None
            or pin.version_id == NULL_VERSION
            or operation.name not in PLAIN
            or not self._files.takes(pin.size)
        ):
            return None
        if any([name not in PASSED_OVER for name, _ in verified.query.pairs]):  # noqa: C419 (short)
            return None
        checksums = False
        for name, value in verified.request.headers.items():
            if name.lower() in operation.headers:
                if (name.lower(), value) != WITH_CHECKSUMS:
                    return None
                checksums = True
        key = workspace.backend_key(verified.address.key)
        return Pinned(workspace.bucket, key, pin.version_id, checksums)

    async def _fetch(
        self, pinned: Pinned, verified: Verified, workspace: Workspace, target: Target
    ) -> Reply:
        fetch = self._fetches[pinned] = asyncio.get_running_loop().create_future()
        file = None
        try:
            reply = await self._forwarding.forward(verified, workspace, target.version)
            headers = _lasting(reply, target.sight.pin)
            if headers is None:
                return reply
            file = HotFile(headers, await _whole(reply))
            self._files.put(pinned, file)
            return _reply(file, verified)
        finally:
            del self._fetches[pinned]
            fetch.set_result(file)


def _lasting(reply: Reply, pin: Pin | None) -> CIMultiDictProxy[str] | None:
    """The headers of an answer that may be told again; None where that can't be said of all."""
    headers = reply.headers
    if (
        pin is None
        or reply.status != OK
        or bare(headers.get("ETag")) != bare(pin.etag)
        or headers.get("x-amz-version-id") != pin.version_id
        or headers.get("Content-Length") != str(pin.size)
    ):
        return None
    kept = [(name, value) for name, value in headers.items() if name.lower() not in PASSING]
    return CIMultiDictProxy(CIMultiDict(kept)) if all(map(_lasts, kept)) else None


def _lasts(header: tuple[str, str]) -> bool:
    name, value = header
    lowered = name.lower()
    lasting = lowered in LASTING or lowered.startswith(LASTING_KINDS)
    return lasting or (lowered, value) == ENCRYPTION


async def _whole(reply: Reply) -> bytes:
    """The body of an answer, which is small."""
    body: bytes | Body = reply.body
    if isinstance(body, bytes):
        return body
    try:
        return b"".join([piece async for piece in body])
    finally:
        await close_body(body)


def _reply(file: HotFile, verified: Verified) -> Reply:
    body = b"" if verified.operation.method == "HEAD" else file.body
    return Reply(OK, file.headers, body, authored=True, of=file.answer)
