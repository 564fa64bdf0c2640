"""Bring the backend's answer home: its headers filtered, its names the workspace's."""

from http import HTTPStatus
from typing import Self

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.s3.exchange import Verified
from gateway.s3.message import Body, Reply
from gateway.s3.operation import Effect
from gateway.s3.translation import Names, Translator, translate
from gateway.storage.bucket import Upstream

WHOLE_BYTES = 1 << 16
BODILESS = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED))

# Of the connection, or of the server that said it; the request has an id of the gateway's.
DROPPED = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-amz-request-id",
    )
)
VENDORS = ("access-control-", "seaweed-", "x-seaweedfs-", "x-minio-")


async def answer(upstream: Upstream, verified: Verified, names: Names) -> Reply:
    """The reply: small documents whole, all else streamed; broken off where the backend does.

    What reads an object may answer with its author's bytes, whatever the operation is called:
    they are never changed, and can't act as a page of the gateway's own.
    """
    headers = _headers(upstream.headers)
    reads = verified.operation.effect is Effect.READ_OBJECT
    is_object = reads and upstream.status < HTTPStatus.BAD_REQUEST
    if is_object:
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Content-Security-Policy"] = "sandbox"
    _relocate(upstream.status, headers, names)
    if verified.request.method == "HEAD" or upstream.status in BODILESS:
        await upstream.close()
        return Reply(upstream.status, headers)
    foreign = not is_object and not names.equal and "xml" in headers.get("Content-Type", "")
    length = int(headers.get("Content-Length", WHOLE_BYTES + 1))
    if length == 0 or (not is_object and length <= WHOLE_BYTES):
        document = await upstream.read(WHOLE_BYTES)
        if foreign and document:
            document = translate(document, names)
            headers["Content-Length"] = str(len(document))
        return Reply(upstream.status, headers, document)
    if foreign:
        headers.popall("Content-Length", None)
        return Reply(upstream.status, headers, _Translated(upstream.stream(), names))
    return Reply(upstream.status, headers, upstream.stream())


def _headers(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = CIMultiDict[str]()
    for name, value in headers.items():
        lowered = name.lower()
        if lowered not in DROPPED and not lowered.startswith(VENDORS):
            kept.add(name, value)
    return kept


def _relocate(status: int, headers: CIMultiDict[str], names: Names) -> None:
    if "Location" not in headers:
        return
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        # It leads to the backend, where the client has no business.
        del headers["Location"]
    elif not names.equal:
        headers["Location"] = names.location or f"/{names.workspace}"


class _Translated:
    """A document translated while it streams. A class: it closes also when it never ran."""

    def __init__(self, document: Body, names: Names) -> None:
        self._document = document
        self._translator = Translator(names)
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._ended:
            piece = await anext(self._document, None)
            if piece is None:
                self._ended = True
                said = self._translator.close()
            else:
                said = self._translator.feed(piece)
            if said:
                return said
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Nothing; an answer that was not read to its end is cut off."""
        close = getattr(self._document, "aclose", None)
        if close is not None:
            await close()
