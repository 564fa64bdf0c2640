"""A gateway whose backend is listened to, and what makes sure that it hears nothing."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Gateway, Response
from tests.acceptance.signer import Signer
from tests.acceptance.wire import WireTap

SECRET_KEY = "0" * 64
TARGET = f"/{WORKSPACE}/signed/data.csv"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(scope="package")
def tap(backend: Backend) -> Iterator[WireTap]:
    """What stands between gateway and backend, and hears everything."""
    with WireTap(backend.endpoint_url) as listening:
        yield listening


@pytest.fixture(scope="package")
def tapped(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that reaches its backend through the tap alone."""
    running = Gateway(
        backend,
        tmp_path_factory.mktemp("tapped"),
        settings={"system": {"bucket": "system-of-the-tapped", "prefix": ""}},
        endpoint_url=tap.url,
    )
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def signer(tapped: Gateway) -> Signer:
    """Signs as the writer, now."""
    return Signer(f"127.0.0.1:{tapped.port}")


@pytest.fixture
def silence(tap: WireTap, tapped: Gateway) -> Iterator[None]:
    """Nothing reaches the backend during the test."""
    assert tapped.process is not None
    tap.forget()
    yield
    time.sleep(0.05)
    heard = [(each.method, each.target) for each in tap.requests]
    assert not heard, f"reached the backend: {heard}"


def code(answer: Response) -> str:
    """The code of an XML or JSON error."""
    if answer.headers.get_content_type() == "application/json":
        return str(json.loads(answer.body)["error"]["code"])
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    assert found, answer
    return found[1].decode()
