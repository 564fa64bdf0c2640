"""A gateway of the Hypha door's tests: some of them end it, some flood it."""

import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway
from tests.acceptance.processes import free_port

BUCKET = "hypha-door"
WORKERS = 2


@pytest.fixture(scope="package")
def hypha(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of two workers, at whose Hypha door nobody needs a token to write."""
    client = backend.client()
    if BUCKET not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=BUCKET)
    port = free_port()
    settings = {
        "listen": {"host": "127.0.0.1", "port": port, "workers": WORKERS},
        "system": {"bucket": "artifact-gateway-system", "prefix": "hypha/"},
        "workspaces": {
            WORKSPACE: {"bucket": BUCKET, "prefix": "one/"},
            OTHER_WORKSPACE: {"bucket": BUCKET, "prefix": "two/", "public": "none"},
        },
        "hypha": {"anonymous": {WORKSPACE: "write"}},
    }
    folder = tmp_path_factory.mktemp("hypha")
    running = Gateway(backend, folder, settings, port=port)
    try:
        yield running.start()
    finally:
        running.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)
