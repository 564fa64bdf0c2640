"""Bring the backend's answer home: its headers filtered, its names the workspace's."""

import logging
import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping

from gateway.errors import MalformedXML, ServiceUnavailable
from gateway.s3.exchange import Verified
from gateway.s3.message import NOWHERE, Body, Note, Reply
from gateway.s3.naming import Names, rename_arns
from gateway.s3.rewriting import Hiding, Rewriter, rewrite
from gateway.storage.bucket import BrokenUpstream, Upstream

logger = logging.getLogger(__name__)

WHOLE_BYTES = 1 << 16
POLICY_BYTES = 1 << 20
# Numbers: a member of an enumeration takes longer to be looked up than to be compared.
REDIRECTION, REFUSAL, FORBIDDEN = 300, 400, 403
BODILESS = frozenset((204, 304))

# Of the connection, or of the server that said it: browsers would take them for the gateway's.
# The request has an id of the gateway's; Vary names headers that the client has sent.
DROPPED = frozenset(
    (
        "alt-svc",
        "connection",
        "content-security-policy",
        "keep-alive",
        "nel",
        "proxy-authenticate",
        "proxy-connection",
        "report-to",
        "reporting-endpoints",
        "server",
        "set-cookie",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "x-amz-request-id",
        "x-content-type-options",
    )
)
OF_SIGNATURES = frozenset({"InvalidAccessKeyId", "RequestTimeTooSkewed", "SignatureDoesNotMatch"})
VENDORS = ("access-control-", "seaweed-", "x-seaweedfs-", "x-minio-")
_CODE = re.compile(rb"<Code>(\w+)</Code>")


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """What a client may have of one head of the backend's: the same again, and no other like it.

    `length` is the body's, more than WHOLE_BYTES where it is not said. `moves`: the head has a
    Location.
    """

    headers: MultiMapping[str]
    length: int
    moves: bool


PASSING: Note[Passing] = Note()


def answer(
    upstream: Upstream, verified: Verified, names: Names, hiding: Hiding | None = None
) -> Reply | Awaitable[Reply]:
    """The reply, or what is awaited for it: of most objects all is here that it takes.

    What is small comes whole, all else streamed, broken off where the backend does. What reads an
    object may answer with its author's bytes, whatever the operation is called: they are never
    changed, and said to be `authored`. A listing that is translated comes without what `hiding`
    hides. BrokenUpstream where a document can't be read.
    """
    passing = upstream.notes.get(PASSING) or _passing(upstream)
    status, of = upstream.status, None if upstream.notes is NOWHERE else passing
    is_object = verified.operation.shows_object and status < REFUSAL
    bodiless = verified.request.method == "HEAD" or status in BODILESS
    headers = passing.headers
    if bodiless or passing.moves or not is_object:
        headers = changed = CIMultiDict(passing.headers)
        if passing.moves:
            _relocate(status, changed, names)
        if bodiless:
            if status >= REFUSAL and not names.equal:
                # The length of a document with the backend's names in it.
                changed.popall("Content-Length", None)
            return _without_body(upstream, Reply(status, headers, authored=is_object, of=of))
        if not is_object:
            return _document(upstream, verified, names, hiding, changed, passing)
    body = upstream.stream() if passing.length > WHOLE_BYTES else upstream.at_hand(WHOLE_BYTES)
    if body is None:
        return _whole(upstream, headers, of)
    return Reply(status, headers, body, authored=True, of=of)


async def _without_body(upstream: Upstream, reply: Reply) -> Reply:
    await upstream.close()
    return reply


async def _whole(upstream: Upstream, headers: MultiMapping[str], of: Passing | None) -> Reply:
    document = await upstream.read(WHOLE_BYTES)
    return Reply(upstream.status, headers, document, authored=True, of=of)


async def _document(
    upstream: Upstream,
    verified: Verified,
    names: Names,
    hiding: Hiding | None,
    headers: CIMultiDict[str],
    passing: Passing,
) -> Reply:
    """A reply that is the backend's own words, with the workspace's names in them."""
    kind = "" if names.equal else headers.get("Content-Type", "")
    refused = upstream.status == FORBIDDEN
    said = upstream.at_hand(POLICY_BYTES)
    if said is None and (passing.length <= WHOLE_BYTES or "json" in kind or refused):
        said = await upstream.read(POLICY_BYTES)
    lasts = upstream.notes is not NOWHERE and verified.operation.lists and not passing.moves
    if said is not None:
        if refused:
            _check_signature(said)
        document = _renamed(said, kind, names, hiding, encoded=_is_encoded(verified))
        headers["Content-Length"] = str(len(document))
        follows = (passing, len(document)) if lasts else None
        return Reply(upstream.status, headers, document, of=follows)
    if "xml" in kind:
        headers.popall("Content-Length", None)
        rewriter = Rewriter(names, hiding, encoded=_is_encoded(verified))
        return Reply(upstream.status, headers, _Rewritten(upstream.stream(), rewriter))
    return Reply(upstream.status, headers, upstream.stream(), of=passing if lasts else None)


def _renamed(
    document: bytes, kind: str, names: Names, hiding: Hiding | None, *, encoded: bool
) -> bytes:
    """A document of this content type with the workspace's names in it; BrokenUpstream."""
    if "json" in kind or ("xml" in kind and not _is_xml(document)):
        return rename_arns(names, document.decode(errors="replace")).encode()
    if "xml" not in kind or not document:
        return document
    with _readable():
        return rewrite(document, names, hiding, encoded=encoded)


def _is_xml(document: bytes) -> bool:
    # To strip a long document would copy it.
    return document[:1] == b"<" or document.lstrip()[:1] in (b"", b"<")


def _is_encoded(verified: Verified) -> bool:
    """Whether names in the answer are percent-encoded."""
    return verified.query.first("encoding-type") == "url"


def _check_signature(document: bytes) -> None:
    """Nothing; ServiceUnavailable where it is the gateway whom the backend does not believe.

    The client's signature has been verified here, and never reaches the backend; what the
    backend shows of the gateway's is for the operator alone.
    """
    found = _CODE.search(document)
    if found is not None and found[1].decode() in OF_SIGNATURES:
        logger.error("the backend refuses the gateway's own signature: %s", found[1].decode())
        raise ServiceUnavailable(
            "the backend refuses the gateway's credentials: its operator has to look at them"
        )


@contextmanager
def _readable() -> Iterator[None]:
    """What the backend's documents are: BrokenUpstream, as no client is to blame."""
    try:
        yield
    except MalformedXML as error:
        raise BrokenUpstream(f"the backend's answer can't be read: {error.message}") from error


def _passing(upstream: Upstream) -> Passing:
    """What the client may have; it is kept if it may come again."""
    kept = CIMultiDict([each for each in upstream.headers.items() if _passes(each[0])])
    headers = CIMultiDictProxy(kept)
    length = int(headers.get("Content-Length", WHOLE_BYTES + 1))
    passing = Passing(headers, length, "Location" in headers)
    upstream.notes[PASSING] = passing
    return passing


@lru_cache(1_024)
def _passes(name: str) -> bool:
    lowered = name.lower()
    return lowered not in DROPPED and not lowered.startswith(VENDORS)


def _relocate(status: int, headers: CIMultiDict[str], names: Names) -> None:
    if REDIRECTION <= status < REFUSAL:
        # It leads to the backend, where the client has no business.
        del headers["Location"]
    elif not names.equal:
        here = names.place + names.key
        headers["Location"] = here if names.place else f"/{names.workspace}"


class _Rewritten:
    """A document rewritten while it streams. A class: it closes also when it never ran."""

    def __init__(self, document: Body, rewriter: Rewriter) -> None:
        self._document = document
        self._rewriter = rewriter
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._ended:
            piece = await anext(self._document, None)
            self._ended = piece is None
            with _readable():
                said = self._rewriter.close() if piece is None else self._rewriter.feed(piece)
            if said:
                return said
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Nothing; an answer that was not read to its end is cut off."""
        close = getattr(self._document, "aclose", None)
        if close is not None:
            await close()
