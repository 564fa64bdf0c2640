"""A backend whose buckets are sub-domains of its endpoint."""

import socket
from dataclasses import replace
from typing import Any

import pytest

from gateway.config import Backend
from gateway.storage.bucket import Bucket

ODD = "folder/ü b+c%20.txt"


@pytest.fixture
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names below `backend.test` lead to this machine."""
    look_up = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        local = isinstance(host, str) and host.endswith("backend.test")
        return look_up("127.0.0.1" if local else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.usefixtures("_named")
async def test_keys_are_the_same_in_both_styles(moto_backend: Backend, fresh_name: str) -> None:
    port = moto_backend.endpoint_url.rpartition(":")[2]
    named = replace(
        moto_backend, endpoint_url=f"http://backend.test:{port}", addressing_style="virtual"
    )
    async with Bucket(named) as virtual, Bucket(moto_backend) as path_style:
        await virtual.create_bucket(fresh_name)
        await virtual.put(fresh_name, ODD, b"stored")
        found = await path_style.get(fresh_name, ODD, limit=100)
        assert found is not None
        assert found[1] == b"stored"
        assert [o.key async for page in virtual.list(fresh_name, "") for o in page] == [ODD]
        await virtual.delete(fresh_name, ODD)
        assert await path_style.is_empty(fresh_name)
        await virtual.delete_bucket(fresh_name)
        assert not await path_style.bucket_exists(fresh_name)
