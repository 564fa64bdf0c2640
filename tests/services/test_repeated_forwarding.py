"""What a request is to the backend is worked out once, for this very request."""

from dataclasses import replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.identity import Workspace
from gateway.s3.address import SEAWEEDFS_RULES, Address, Query
from gateway.s3.checks import BackendChecks
from gateway.s3.exchange import Verified
from gateway.s3.message import NOTHING, NOWHERE, Request, new_notes
from gateway.s3.operation import identify
from gateway.s3.payload import Form, Payload
from gateway.services.transfer.forwarding import AS_IT_CAME, ONWARD, Changes, Forwarding
from gateway.storage.bucket import Outgoing, Upstream
from gateway.storage.capabilities import Capabilities

SPACE = Workspace("id", "ws", "bucket", "inside/")


class Away(Exception):
    """The backend is not asked any further."""


class Hearing:
    """A backend that hears what would go to it."""

    def __init__(self) -> None:
        self.heard: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Upstream:
        self.heard.append(outgoing)
        raise Away


@pytest.fixture
def backend() -> Hearing:
    return Hearing()


@pytest.fixture
def forwarding(backend: Hearing) -> Forwarding:
    capabilities = Capabilities(
        keys=SEAWEEDFS_RULES,
        checks=BackendChecks(),
        takes_trailers=True,
        conditional_put=True,
        versioning=True,
        delete_by_version=True,
    )
    return Forwarding(backend, capabilities)  # type: ignore[arg-type]


def verified(method: str, key: str, query: Query) -> Verified:
    headers = CIMultiDictProxy(CIMultiDict({"Host": "h"}))
    request = Request(method, f"/ws/{key}", query.encode(), headers, NOTHING, notes=new_notes())
    address = Address("ws", key)
    operation = identify(method, address, query, headers)
    return Verified(request, operation, address, query, Payload(Form.UNSIGNED, 0))


async def sent(
    forwarding: Forwarding,
    backend: Hearing,
    asked: Verified,
    changes: Changes = AS_IT_CAME,
    space: Workspace = SPACE,
) -> Outgoing:
    with pytest.raises(Away):
        await forwarding.forward(asked, space, changes)
    return backend.heard[-1]


async def test_same_request_is_worked_out_once(forwarding: Forwarding, backend: Hearing) -> None:
    asked = verified("GET", "key", Query())
    first = await sent(forwarding, backend, asked, Changes(version_id="v"))
    assert (first.bucket, first.key, first.query.first("versionId")) == (
        "bucket",
        "inside/key",
        "v",
    )
    assert await sent(forwarding, backend, asked, Changes(version_id="v")) is first


async def test_other_versions_keys_and_workspaces_are_not_mixed_up(
    forwarding: Forwarding, backend: Hearing
) -> None:
    asked = verified("GET", "key", Query())
    await sent(forwarding, backend, asked, Changes(version_id="v"))
    other = await sent(forwarding, backend, asked, Changes(version_id="w"))
    assert other.query.first("versionId") == "w"
    assert (await sent(forwarding, backend, asked, Changes(key="other"))).key == "inside/other"
    moved = await sent(forwarding, backend, asked, space=replace(SPACE, bucket="elsewhere"))
    assert (moved.bucket, moved.query) == ("elsewhere", Query())


async def test_pages_of_a_listing_are_requests_of_their_own(
    forwarding: Forwarding, backend: Hearing
) -> None:
    asked = verified("GET", "", Query((("list-type", "2"), ("prefix", "a"))))
    assert (await sent(forwarding, backend, asked)).query.first("prefix") == "inside/a"
    page = replace(asked, query=asked.query.replacing("prefix", "b"))
    assert (await sent(forwarding, backend, page)).query.first("prefix") == "inside/b"
    assert (await sent(forwarding, backend, asked)).query.first("prefix") == "inside/a"


async def test_nothing_is_kept_of_what_will_not_come_again(
    forwarding: Forwarding, backend: Hearing
) -> None:
    asked = verified("GET", "key", Query())
    once = replace(asked, request=replace(asked.request, notes=NOWHERE))
    first = await sent(forwarding, backend, once)
    assert await sent(forwarding, backend, once) is not first
    assert once.request.notes.get(ONWARD) is None
