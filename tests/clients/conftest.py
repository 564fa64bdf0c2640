"""Fixtures: one backend, one tap and one gateway for all clients, and places to read and write."""

import shutil
from collections.abc import Iterator, Mapping

import pytest

from tests.acceptance.harness import Backend, Gateway, S3Client
from tests.acceptance.wire import WireTap
from tests.clients.places import Place, Target, make_place, make_target
from tests.clients.terminator import Terminator, make_certificate


@pytest.fixture(scope="package")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The SeaweedFS behind the gateway."""
    running = Backend(tmp_path_factory.mktemp("seaweedfs"))
    try:
        yield running.start()
    finally:
        running.kill()
        shutil.rmtree(running.folder / "data", ignore_errors=True)  # pytest keeps folders


@pytest.fixture(scope="package")
def tap(backend: Backend) -> Iterator[WireTap]:
    """What stands between gateway and backend, and hears everything: `forget` first."""
    with WireTap(backend.endpoint_url) as listening:
        yield listening


@pytest.fixture(autouse=True)
def _forgotten(tap: WireTap) -> Iterator[None]:
    """The tap keeps every body: nobody needs them after the test."""
    yield
    tap.forget()


@pytest.fixture(scope="package")
def gateway(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The gateway that all clients speak with; its workspaces are below `localhost` too."""
    folder = tmp_path_factory.mktemp("gateway")
    running = Gateway(backend, folder, endpoint_url=tap.url)
    running.settings = {
        "listen": {"host": "127.0.0.1", "port": running.port, "domain": "localhost"}
    }
    # Version 1 of aws-cli makes URLs with Signature V2 unless it is told so.
    settings = folder / "home" / ".aws" / "config"
    settings.parent.mkdir(parents=True)
    settings.write_text("[default]\ns3 =\n    signature_version = s3v4\n")
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def secure(gateway: Gateway) -> Iterator[Terminator]:
    """The same gateway behind TLS."""
    running = Terminator(gateway.port, make_certificate(gateway.folder))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def places(gateway: Gateway) -> Mapping[str, Place]:
    """The places that clients read, by their kind. Don't write there."""
    return {kind: make_place(gateway, kind) for kind in ("folder", "committed", "edited")}


@pytest.fixture(params=["folder", "committed", "edited"])
def place(request: pytest.FixtureRequest, places: Mapping[str, Place]) -> Place:
    """Each of the places in turn."""
    return places[request.param]


@pytest.fixture(params=["read", "write"])
def caller(request: pytest.FixtureRequest) -> str:
    """Each of the keys in turn: what one with `read` and one with `write` sees may differ."""
    return str(request.param)


@pytest.fixture(scope="package")
def direct(backend: Backend) -> S3Client:
    """A client that speaks with the backend itself."""
    return backend.client()


@pytest.fixture(params=["folder", "artifact"])
def target(request: pytest.FixtureRequest, gateway: Gateway, direct: S3Client) -> Target:
    """A new folder, then a new artifact, to write to."""
    return make_target(gateway, direct, request.param)


@pytest.fixture
def artifact(gateway: Gateway, direct: S3Client) -> Target:
    """A new artifact to write to, where a folder would show no more."""
    return make_target(gateway, direct, "artifact")
