"""What the gateway says of every answer: who may keep it, what it depends on, that it is no page.

Every answer of every door takes this path, so no handler can forget it:

- An answer may be kept, as its author's own Cache-Control says, where anybody gets the same
  (`Reply.public`): what callers without credentials are answered, and a committed file below
  `public/`, whoever asks for it. All else carries `Cache-Control: private, no-store`, in place
  of what an author stored: what needed a right, what shows a stage, refusals and failures.
- `Vary` names the request headers that the answer depends on: the door's own, and Origin where
  `gateway.web.cors` looks at it.
- Bytes that users stored (`Reply.authored`) carry `X-Content-Type-Options: nosniff` and a
  sandbox, so that a browser neither guesses their type nor runs them as a page of the gateway's.
"""

from aiohttp import hdrs
from multidict import CIMultiDict

from gateway.s3.message import Reply
from gateway.web.cors import Cors
from gateway.web.exchange import Door, Exchange

REFUSAL = 400
SERVER = "ArtifactGateway"
PRIVATE = "private, no-store"
NOSNIFF = "nosniff"
SANDBOX = "sandbox"


def final_headers(
    reply: Reply, exchange: Exchange, door: Door | None, cors: Cors
) -> CIMultiDict[str]:
    """The headers that go out; `door` is None where a request got to none."""
    headers = CIMultiDict(reply.headers)
    headers[hdrs.SERVER] = SERVER
    headers["x-amz-request-id"] = exchange.request_id
    headers["X-Request-Id"] = exchange.request_id
    if not reply.public or reply.status >= REFUSAL:
        headers[hdrs.CACHE_CONTROL] = PRIVATE
    if reply.authored:
        headers["X-Content-Type-Options"] = NOSNIFF
        headers["Content-Security-Policy"] = SANDBOX
    if door is not None:
        varies = cors.mark(exchange.request, door, headers)
        if varies:
            headers[hdrs.VARY] = ", ".join(varies)
    return headers
