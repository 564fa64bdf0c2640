"""A listing that the backend refuses: its answer is read, whoever is shown it in the end."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from unittest.mock import AsyncMock, Mock

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.identity import Caller, Right, Workspace
from gateway.s3.address import SEAWEEDFS_RULES, Address, Query
from gateway.s3.exchange import Verified
from gateway.s3.message import NOTHING, Reply, Request
from gateway.s3.operation import identify
from gateway.s3.payload import Form, Payload
from gateway.services.objects.listing import Listings


async def test_refusal_that_streams_is_at_hand() -> None:
    async def refusal() -> AsyncIterator[bytes]:
        yield b"<Error>"
        yield b"</Error>"

    headers = CIMultiDictProxy(CIMultiDict[str]())
    address, query = Address("ws", ""), Query((("list-type", "2"),))
    request = Request("GET", "/ws", query.encode(), headers, NOTHING)
    operation = identify("GET", address, query, headers)
    verified = Verified(request, operation, address, query, Payload(Form.UNSIGNED, 0))
    listings = Listings(
        SimpleNamespace(right_on=Mock(return_value=Right.READ)),  # type: ignore[arg-type]
        SimpleNamespace(generation=Mock(return_value=1)),  # type: ignore[arg-type]
        SimpleNamespace(marks=AsyncMock(return_value=())),  # type: ignore[arg-type]
        SimpleNamespace(  # type: ignore[arg-type]
            forward=AsyncMock(return_value=Reply(503, body=refusal()))
        ),
        SEAWEEDFS_RULES,
    )
    caller = Mock(spec=Caller)
    reply = await listings.list(caller, Workspace("id", "ws", "bucket", "inside/"), verified)
    assert (reply.status, reply.body) == (503, b"<Error></Error>")
