"""Starts beside a backend that starts too: it may be away, or not know yet what it holds."""

import json
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.assembly import cellar
from gateway.assembly.cellar import BACKEND_SECONDS
from gateway.errors import ServiceUnavailable
from gateway.settings import parse
from gateway.storage.calls import TRIES
from tests.acceptance.faulty import Fault, FaultyProxy
from tests.acceptance.harness import Backend, Gateway
from tests.waiting import wait_until

MANY = 2 * TRIES + 1


def test_a_start_waits_until_the_backend_finds_what_it_holds(
    backend: Backend, tmp_path: Path
) -> None:
    port = urlsplit(backend.endpoint_url).port
    assert port is not None
    settings = {"system": {"bucket": "system-of-the-patient"}}
    gateway = Gateway(backend, tmp_path, settings=settings)
    gateway.start().stop()
    with FaultyProxy(port) as between:
        between.fail(Fault.BUSY, "GET", "capabilities.json", times=MANY)
        gateway.endpoint_url = between.url
        gateway.start()
        try:
            failed = between.heard("GET", "capabilities.json")
            assert sum(exchange.fault is not None for exchange in failed) == MANY
            assert gateway.log.read_text().count("waiting for the backend: ") == 1
            assert gateway.request("GET", "/_health/ready").status == HTTPStatus.OK
        finally:
            gateway.stop()


async def test_a_start_ends_where_the_backend_stays_away(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cellar, "BACKEND_SECONDS", 3)
    with FaultyProxy(1) as between:
        between.fail(Fault.BUSY, "HEAD", "", times=1_000)
        gateway = Gateway(backend, tmp_path, endpoint_url=between.url)
        gateway.data_dir.mkdir()
        config = parse(json.dumps(gateway.configuration()), {})
        with pytest.raises(ServiceUnavailable, match="the backend does not answer"):
            await cellar.open_cellar(config, None).__aenter__()
        assert len(between.heard("HEAD", "")) > TRIES, "asked again, though not for ever"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_that_waits_can_be_stopped(backend: Backend, tmp_path: Path, workers: int) -> None:
    with FaultyProxy(1) as between:
        between.fail(Fault.BUSY, "HEAD", "", times=1_000)
        gateway = Gateway(backend, tmp_path, endpoint_url=between.url)
        listen = {"host": "127.0.0.1", "port": gateway.port, "workers": workers}
        path = tmp_path / "gateway.yaml"
        path.write_text(json.dumps(gateway.configuration() | {"listen": listen}))
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(path)]
        with gateway.log.open("wb") as log, subprocess.Popen(command, stderr=log) as process:
            assert wait_until(lambda: b"waiting for the backend" in gateway.log.read_bytes())
            process.terminate()
            assert process.wait(BACKEND_SECONDS / 2) == 0, gateway.log.read_text()
