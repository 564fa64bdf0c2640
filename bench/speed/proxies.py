"""The proxies beside which the gateway is measured: child processes, configured here."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.speed.load import program
from bench.speed.usage import Tree
from tests.acceptance.backends import REGION, Backend
from tests.acceptance.harness import ROOT
from tests.acceptance.keys import Key
from tests.acceptance.processes import (
    PROGRAMS,
    clean_environment,
    free_port,
    spawn,
    wait_until,
)

# One thread or worker each, as the gateway has; rclone knows no such setting.
HAPROXY = """\
global
    nbthread 1
    maxconn 2048
    log stderr local0 emerg
defaults
    mode http
    option {splice}
    http-reuse always
    timeout connect 5s
    timeout client 120s
    timeout server 120s
frontend door
    bind 127.0.0.1:{port}
    default_backend s3
backend s3
    server one 127.0.0.1:{backend} maxconn 1024
"""

NGINX = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000000;
    upstream s3 {{
        server 127.0.0.1:{backend};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://s3;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 120s;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Somebody who answers S3 requests; `tree` is None where nothing stands before the backend."""

    name: str
    url: str
    key: Key
    tree: Tree | None


def direct(backend: Backend) -> Server:
    """The backend itself."""
    return Server("backend", backend.endpoint_url, backend.key, None)


@contextmanager
def haproxy(backend: Backend, folder: Path, splice: str) -> Iterator[Server]:
    """HAProxy, which splices as the option `splice` says."""
    port = free_port()
    file = folder / f"haproxy-{splice}.cfg"
    file.write_text(HAPROXY.format(splice=splice, port=port, backend=backend.port))
    command = [program("haproxy", "haproxy"), "-db", "-f", str(file)]
    with _running(f"HAProxy {splice}", command, port, backend.key, folder) as server:
        yield server


@contextmanager
def nginx(backend: Backend, folder: Path) -> Iterator[Server]:
    """nginx, which buffers nothing and keeps its connections to the backend."""
    port = free_port()
    own = folder / "nginx"
    own.mkdir()
    file = own / "nginx.conf"
    file.write_text(NGINX.format(folder=own, port=port, backend=backend.port))
    command = [program("nginx", "nginx-light"), "-p", str(own), "-e", str(own / "error.log")]
    command += ["-c", str(file)]
    with _running("nginx", command, port, backend.key, folder) as server:
        yield server


@contextmanager
def rclone(backend: Backend, folder: Path) -> Iterator[Server]:
    """`rclone serve s3` as it is without options, of a remote that is the backend."""
    port = free_port()
    key = backend.key
    environment = {
        "RCLONE_CONFIG": "",
        "RCLONE_CONFIG_BACK_TYPE": "s3",
        "RCLONE_CONFIG_BACK_PROVIDER": "Other",
        "RCLONE_CONFIG_BACK_ENDPOINT": backend.endpoint_url,
        "RCLONE_CONFIG_BACK_REGION": REGION,
        "RCLONE_CONFIG_BACK_ACCESS_KEY_ID": key.access_key_id,
        "RCLONE_CONFIG_BACK_SECRET_ACCESS_KEY": key.secret_access_key,
        "RCLONE_CONFIG_BACK_NO_CHECK_BUCKET": "true",
    }
    command = [str(PROGRAMS / "rclone"), "serve", "s3", "back:", f"--addr=127.0.0.1:{port}"]
    command.append(f"--auth-key={key.access_key_id},{key.secret_access_key}")
    with _running("rclone", command, port, key, folder, environment) as server:
        yield server


@contextmanager
def bare_relay(backend: Backend, folder: Path) -> Iterator[Server]:
    """A process that copies and hashes, and does nothing else; a thread for each connection."""
    port = free_port()
    command = [sys.executable, "-m", "bench.speed.relay", str(port), str(backend.port)]
    environment = {"PYTHONPATH": str(ROOT)}
    with _running("bare relay", command, port, backend.key, folder, environment) as server:
        yield server


@contextmanager
def _running(
    name: str,
    command: list[str],
    port: int,
    key: Key,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    log = folder / f"{name.replace(' ', '-')}.log"
    process = spawn(command, folder, log, clean_environment() | dict(environment or {}))
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(url, process, log, seconds=30)
        yield Server(name, url, key, Tree(process.pid))
    finally:
        process.terminate()
        process.wait(15)


def versions() -> dict[str, str]:
    """The versions of all that takes part, by name."""
    return {
        "HAProxy": _said([program("haproxy", "haproxy"), "-v"]).split()[2],
        "nginx": _said([program("nginx", "nginx-light"), "-v"]).rpartition("/")[2].strip(),
        "rclone": _said([str(PROGRAMS / "rclone"), "version"]).split()[1],
        "SeaweedFS": _said([str(PROGRAMS / "weed"), "version"]).split()[2],
        "wrk": _said([program("wrk", "wrk"), "-v"]).split()[1],
    }


def _said(command: Sequence[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return run.stdout + run.stderr
