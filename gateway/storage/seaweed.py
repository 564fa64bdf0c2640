"""How SeaweedFS is started for one gateway alone: binary, ports, keys, flags, files.

`weed mini` is master, volume server, filer, administration and S3 server in one process. All
listen on loopback. S3 takes signed requests; the HTTP ports of the others take none (tokens
signed with keys made here, or nothing at all), and their gRPC ports ask for a certificate that
is made here too.
"""

import json
import os
import random
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

LOOPBACK = "127.0.0.1"
IDENTITY = "identity.json"
SERVERS = ("master", "volume", "filer", "admin", "s3")
GRPC_OFFSET = 10_000
# Both a port and its gRPC port stay below those that outgoing connections are given.
LOWEST_PORT, HIGHEST_PORT = 12_000, 22_000

_JWT_SECTIONS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
_GRPC_SECTIONS = ("master", "volume", "filer", "s3", "admin", "worker", "client")
_FLAGS = (
    f"-ip={LOOPBACK}",
    f"-ip.bind={LOOPBACK}",
    "-disableHttp",
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.iam=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-s3.autoCreateBucket=false",
    # A bucket takes a volume of its own. By itself SeaweedFS allows as many as would fit if all
    # were full: with 8 GB free, the 67th bucket takes no object.
    "-volume.max=10000",
    "-volume.preStopSeconds=0",
    # Relative to the working directory: the path of a socket has at most 107 bytes.
    "-filer.localSocket=filer.sock",
    "-s3.localSocket=s3.sock",
)


class SeaweedMissing(Exception):
    """The `weed` program is not installed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same over restarts: the port of each server, and the S3 access key."""

    ports: Mapping[str, int]
    access_key_id: str
    secret_access_key: str = field(repr=False)


def find_binary() -> Path:
    """The path of `weed`: beside this Python, where pip puts it, or on PATH; SeaweedMissing."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise SeaweedMissing(
            "the embedded backend needs SeaweedFS: pip install 'artifact-gateway[local]', "
            "or name an S3 service under `backend` in the configuration"
        )
    return Path(found).absolute()


def prepare(folder: Path) -> Identity:
    """Writes what the server reads into `folder`, and returns who it is.

    The identity of the last start is kept while its ports are free; tokens' keys and the
    certificate are new each time. Nobody but this user can read any of it.
    """
    for path in (folder, folder / "data", folder / "log", folder / "run"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    chosen = _identity(folder)
    _write(folder / "run" / "s3.json", json.dumps(_s3_config(chosen)))
    _write(folder / "run" / "security.toml", _security(folder / "run"))
    return chosen


def identity(folder: Path) -> Identity:
    """The identity of the server that was last prepared in `folder`."""
    return Identity(**json.loads((folder / IDENTITY).read_text()))


def command(binary: Path, folder: Path, identity: Identity) -> list[str]:
    """The server's command line, to be run in `folder`/run."""
    return [
        str(binary),
        f"-logdir={folder / 'log'}",
        "-alsologtostderr=false",
        "-log_max_size_mb=16",
        "-log_max_files=3",
        "mini",
        f"-dir={folder / 'data'}",
        f"-s3.config={folder / 'run' / 's3.json'}",
        *_FLAGS,
        *(f"-{server}.port={port}" for server, port in identity.ports.items()),
    ]


def environment(folder: Path) -> dict[str, str]:
    """The server's environment: nothing of the gateway's, which may name other credentials."""
    return {"HOME": str(folder / "run"), "PATH": os.defpath}


def _identity(folder: Path) -> Identity:
    path = folder / IDENTITY
    if path.exists():
        kept = identity(folder)
        if all(_is_free(port) for port in kept.ports.values()):
            return kept
        chosen = Identity(_free_ports(), kept.access_key_id, kept.secret_access_key)
    else:
        chosen = Identity(_free_ports(), secrets.token_hex(10), secrets.token_urlsafe(30))
    document = {
        "ports": chosen.ports,
        "access_key_id": chosen.access_key_id,
        "secret_access_key": chosen.secret_access_key,
    }
    _write(path, json.dumps(document))
    return chosen


def _free_ports() -> dict[str, int]:
    candidates = random.sample(range(LOWEST_PORT, HIGHEST_PORT), HIGHEST_PORT - LOWEST_PORT)
    free = (port for port in candidates if _is_free(port))
    return {server: next(free) for server in SERVERS}


def _is_free(port: int) -> bool:
    for number in (port, port + GRPC_OFFSET):
        with socket.socket() as probe:
            # As the server does it: connections that linger from the last start don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, number))
            except OSError:
                return False
    return True


def _s3_config(identity: Identity) -> dict[str, object]:
    key = {"accessKey": identity.access_key_id, "secretKey": identity.secret_access_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "gateway", "credentials": [key], "actions": actions}]}


def _security(folder: Path) -> str:
    # All who hold it are one process. Gateways with a backend elsewhere make no certificates.
    certificate, key = import_module("gateway.storage.certificate").self_signed("artifact-gateway")
    _write(folder / "grpc.crt", certificate)
    _write(folder / "grpc.key", key)
    files = 'cert = "grpc.crt"\nkey = "grpc.key"\n'
    return "\n".join(
        [
            *(f'[{name}]\nkey = "{secrets.token_hex(32)}"\n' for name in _JWT_SECTIONS),
            '[grpc]\nca = "grpc.crt"\n',
            *(f"[grpc.{name}]\n{files}" for name in _GRPC_SECTIONS),
        ]
    )


def _write(path: Path, text: str) -> None:
    """Writes a file that nobody else could read at any moment, or leaves the old one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
