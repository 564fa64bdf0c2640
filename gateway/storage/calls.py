"""The gateway's own calls to the backend: sent, repeated where that is safe, and read whole."""

import asyncio
import hashlib
import random
from abc import ABC, abstractmethod
from http import HTTPStatus

from multidict import CIMultiDict

from gateway.errors import ServiceUnavailable
from gateway.s3.address import Query
from gateway.storage import answers
from gateway.storage.answers import Answer
from gateway.storage.upstream import BrokenUpstream, Outgoing, Upstream

DOCUMENT_LIMIT = 8 << 20
TRIES = 4
PAUSE = 0.1
# What may pass by itself; 501 does not.
FAILURES = frozenset((429, 500, 502, 503, 504))


class Calls(ABC):
    """Whole answers to the gateway's own requests, over one `send`.

    What may be repeated is repeated a few times when the backend fails (5xx, no connection,
    an answer broken off), then is ServiceUnavailable; any other refusal is BackendError.
    """

    @abstractmethod
    async def send(self, request: Outgoing) -> Upstream:
        """The backend's answer to one request, signed and sent once."""

    async def _call(
        self, request: Outgoing, *, limit: int = DOCUMENT_LIMIT, tries: int = TRIES
    ) -> Answer:
        for attempt in range(1, tries + 1):
            try:
                answer = await self._once(request, limit)
            except (ServiceUnavailable, BrokenUpstream) as error:
                if attempt == tries:
                    raise ServiceUnavailable(_silent(request)) from error
            else:
                if answer.status not in FAILURES:
                    return answer
                if attempt == tries:
                    raise ServiceUnavailable(_silent(request)) from answers.failure(answer)
            # Jitter keeps many callers from coming back at the same moment.
            await asyncio.sleep(PAUSE * 2**attempt * random.random())  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    async def _once(self, request: Outgoing, limit: int) -> Answer:
        upstream = await self.send(request)
        lowered = {name.lower(): value for name, value in upstream.headers.items()}
        if upstream.status >= HTTPStatus.MULTIPLE_CHOICES:
            limit = DOCUMENT_LIMIT
        return Answer(upstream.status, lowered, await upstream.read(limit))


def accepted(answer: Answer) -> Answer:
    """The answer, if it is no refusal; BackendError."""
    # Redirects are refusals here.
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise answers.failure(answer)
    return answer


def holding(
    method: str,
    bucket: str,
    key: str,
    data: bytes,
    *,
    query: Query | None = None,
    headers: CIMultiDict[str] | None = None,
) -> Outgoing:
    """A request whose body is held whole, and hashed."""
    return Outgoing(
        method,
        bucket,
        key,
        query or Query(()),
        headers if headers is not None else CIMultiDict(),
        data,
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


def _silent(request: Outgoing) -> str:
    return f"the backend does not answer {request.method}; try again"
