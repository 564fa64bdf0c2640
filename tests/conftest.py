"""Real backends for the tests: SeaweedFS as a process, moto's server in a thread.

Both are started once for the whole run, when the first test asks for them.
"""

import gc
import secrets
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass, field

import psutil
import pytest
import pytest_asyncio

from gateway.config import Backend
from gateway.storage.bucket import Bucket
from gateway.storage.embedded import EmbeddedServer
from tests.moto import server


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nobody looks for garbage among the tests and all that they import: it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@dataclass(frozen=True, slots=True)
class BackendInUse:
    """A backend that a test runs against, and what it is called."""

    name: str
    backend: Backend = field(repr=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seaweed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    """SeaweedFS, as the gateway embeds it."""
    server = EmbeddedServer(tmp_path_factory.mktemp("seaweed"))
    async with server as running:
        yield Backend(
            endpoint_url=running.endpoint_url,
            access_key_id=running.access_key_id,
            secret_access_key=running.secret_access_key,
        )
        # Nobody wants its data any more, and asked to end it takes seconds.
        assert server.pid is not None
        process = psutil.Process(server.pid)
        for each in [*process.children(recursive=True), process]:
            each.kill()


@pytest.fixture(scope="session")
def moto_backend() -> Iterator[Backend]:
    """moto's server: a backend with other habits, which checks no signatures."""
    running = server()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield Backend(
        endpoint_url=f"http://127.0.0.1:{running.port}",
        access_key_id="moto",
        secret_access_key="moto",
    )
    running.shutdown()
    thread.join()


@pytest.fixture(params=["seaweed", "moto_backend"])
def each_backend(request: pytest.FixtureRequest) -> BackendInUse:
    """Each backend in turn."""
    backend: Backend = request.getfixturevalue(request.param)
    return BackendInUse(request.param, backend)


@pytest_asyncio.fixture
async def each_bucket(each_backend: BackendInUse) -> AsyncIterator[Bucket]:
    """A client of each backend in turn."""
    async with Bucket(each_backend.backend) as bucket:
        yield bucket


@pytest_asyncio.fixture
async def weed_bucket(seaweed: Backend) -> AsyncIterator[Bucket]:
    """A client of SeaweedFS."""
    async with Bucket(seaweed) as bucket:
        yield bucket


@pytest.fixture
def fresh_name() -> str:
    """A bucket name that nothing has had before."""
    return f"test-{secrets.token_hex(8)}"
