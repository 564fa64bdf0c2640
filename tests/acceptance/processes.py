"""Child processes that never outlive the tests, and the SeaweedFS among them."""

import ctypes
import http.client
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import requests

from tests.acceptance.keys import Key
from tests.acceptance.warm import Run

PROGRAMS = Path(sys.executable).parent
PDEATHSIG = 1


def free_port() -> int:
    """A loopback port that is free, and so is the one 10,000 above it (SeaweedFS's gRPC).

    Both lie below the ports that the kernel gives to outgoing connections. No port comes twice,
    to any of pytest's workers: each has ports of its own.
    """
    for port in _ports:
        try:
            for candidate in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", candidate))
        except OSError:
            continue
        return port
    message = "every port has been given away"
    raise AssertionError(message)


def _own_ports() -> Iterator[int]:
    """The ports of this worker among pytest's, in no order: other runs may go on beside it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(11_000 + worker, 21_000, workers)
    return iter(random.sample(own, len(own)))


_ports = _own_ports()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc().prctl(PDEATHSIG, signal.SIGKILL)


def spawn(
    command: list[str], folder: Path, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A child process that is killed when this one dies; its output is appended to `log`."""
    _libc()  # loaded before the fork: nothing may be imported after it
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads hold locks that it needs
        )


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that AWS's or rclone's clients read."""
    vendors = ("AWS_", "RCLONE_", "S3_", "ARTIFACT_GATEWAY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(vendors)}


def wait_until(
    url: str, process: subprocess.Popen[bytes] | Run, log: Path, *, seconds: float
) -> None:
    """Return once `url` answers below 500; AssertionError with the log's end otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if requests.get(url, timeout=2).status_code < http.client.INTERNAL_SERVER_ERROR:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-6000:]
    raise AssertionError(f"{url} never got ready (exit {process.poll()}):\n{tail}")


SEAWEED_SECURITY = """\
[jwt.signing]
key = "{0}"
[jwt.signing.read]
key = "{1}"
[jwt.filer_signing]
key = "{2}"
[jwt.filer_signing.read]
key = "{3}"
"""


def seaweed_command(folder: Path, port: int, key: Key) -> list[str]:
    """The command line of a SeaweedFS on loopback alone, with one account, `key`."""
    account = {
        "name": key.name,
        "credentials": [{"accessKey": key.access_key_id, "secretKey": key.secret_access_key}],
        "actions": ["Admin"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [account]}))
    (folder / "security.toml").write_text(
        SEAWEED_SECURITY.format(*(secrets.token_hex(32) for _ in range(4)))
    )
    ports = {f"{name}.port": free_port() for name in ("master", "volume", "filer", "admin")}
    flags = {
        "dir": str(folder / "data"),
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "admin.ui": "false",
        "webdav": "false",
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "s3.port": str(port),
        "s3.allowDeleteBucketNotEmpty": "false",
        "s3.autoCreateBucket": "false",
        "s3.config": str(folder / "s3.json"),
        **{name: str(value) for name, value in ports.items()},
    }
    (folder / "data").mkdir(exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    return [
        str(PROGRAMS / "weed"),
        f"-logdir={folder / 'logs'}",
        "mini",
        *(f"-{name}={value}" for name, value in flags.items()),
        "-disableHttp",
    ]
