"""Fixtures: one backend and one gateway for all, a new prefix for each test."""

import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.collecting import tended
from tests.acceptance.edited import edited
from tests.acceptance.harness import Backend, Gateway
from tests.acceptance.hypha_places import hypha
from tests.acceptance.pages import pages
from tests.acceptance.publics import publics, watched
from tests.acceptance.secrecy import secluded
from tests.acceptance.silence import signer, silence, tap, tapped

__all__ = [
    "backend",
    "edited",
    "gateway",
    "hypha",
    "pages",
    "publics",
    "secluded",
    "signer",
    "silence",
    "tap",
    "tapped",
    "tended",
    "watched",
]


@pytest.fixture(scope="package")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """The shared SeaweedFS. Don't stop or pause it: others use it."""
    running = Backend(tmp_path_factory.mktemp("seaweedfs"))
    try:
        yield running.start()
    finally:
        running.kill()
        shutil.rmtree(running.folder / "data", ignore_errors=True)  # pytest keeps folders: 1 GB


@pytest.fixture(scope="package")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The shared gateway. Don't stop or kill it: others use it."""
    running = Gateway(backend, tmp_path_factory.mktemp("gateway"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def prefix(gateway: Gateway) -> str:
    """A prefix that nothing has used, private."""
    return gateway.new_prefix()


@pytest.fixture
def public_prefix(gateway: Gateway) -> str:
    """A prefix that nothing has used, below `public/`."""
    return gateway.new_prefix(public=True)
