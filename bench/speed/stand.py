"""The stand: a backend, the proxies before it, three gateways, and what they are asked for."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.members import fill
from bench.scene import Scene
from bench.speed import proxies
from bench.speed.crowd import crowd
from bench.speed.proxies import Server
from bench.speed.usage import Tree
from tests.acceptance.harness import Backend, Document, Gateway, S3Client
from tests.acceptance.keys import KEYS, OTHER_WORKSPACE, WORKSPACE

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
SMALL, MIDDLE, LARGE = 4 * KIBIBYTE, MEBIBYTE, 64 * MEBIBYTE
SIZES: Mapping[int, str] = {SMALL: "4 KiB", MIDDLE: "1 MiB", LARGE: "64 MiB"}
# How many objects of a size there are: requests go round them.
OBJECTS: Mapping[int, int] = {SMALL: 64, MIDDLE: 16, LARGE: 2}
LISTED = 1000
CROWD = "bench-crowd"  # the workspace that has many artifacts
WARM = "bench-warm"  # the workspace of the gateway that keeps files in memory
INNER = "bench-inner"  # a workspace that is a folder of a bucket
INNER_BUCKET = "bench-inner-bucket"
NOTHING_KEPT: dict[str, Document] = {"limits": {"cache_bytes": 0}}
# That it is not empty makes the harness start Python anew, as people do.
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything that runs; `few` is a gateway with ten artifacts, `many` one with a crowd.

    These keep no file in memory; `warm` does. `relay` is what hashes bodies and does nothing else.
    """

    backend: Backend
    proxies: Sequence[Server]  # the backend itself is the first
    relay: Server
    few: Gateway
    many: Gateway
    warm: Gateway

    def gateway(self, *, many: bool = False, warm: bool = False, key: str = "read") -> Server:
        """The gateway as a server, asked with the key called `key`."""
        chosen = self.many if many else self.warm if warm else self.few
        return Server("gateway", chosen.url, KEYS[key], Tree(chosen.pid))

    def shelve(self, members: int) -> None:
        """Put a collection of so many members into the index of the gateway with few artifacts."""
        asyncio.run(fill(Scene(self.backend, self.few, self.backend.client()), members))

    def forget_written(self) -> None:
        """Make the other workspace's bucket anew: only so its room on the disk is free at once."""
        client = self.backend.client()
        listed = client.list_objects_v2(Bucket=OTHER_WORKSPACE)
        for entry in listed.get("Contents", []):
            client.delete_object(Bucket=OTHER_WORKSPACE, Key=entry["Key"])
        client.delete_bucket(Bucket=OTHER_WORKSPACE)
        client.create_bucket(Bucket=OTHER_WORKSPACE)


def path_of(size: int, number: int) -> str:
    """The path of an object of this size."""
    return f"data/{size}-{number:02d}.bin"


@contextmanager
def stand(artifacts: int) -> Iterator[Stand]:
    """All servers, with their objects; gone in the end with all they hold."""
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, ExitStack() as up:
        folder = Path(name)
        backend = Backend(folder / "backend")
        up.callback(backend.kill)
        backend.start()
        client = backend.client()
        for bucket in (CROWD, INNER_BUCKET, WARM):
            client.create_bucket(Bucket=bucket)
        few = up.enter_context(_gateway(backend, folder / "few", _few(backend)))
        cold = NOTHING_KEPT | _apart(CROWD)
        many = up.enter_context(_gateway(backend, folder / "many", cold, CROWD))
        warm = up.enter_context(_gateway(backend, folder / "warm", _apart(WARM), WARM))
        _fill(client, few, many, warm)
        asyncio.run(crowd(many, artifacts))
        beside = [
            proxies.direct(backend),
            up.enter_context(proxies.haproxy(backend, folder, "splice-auto")),
            up.enter_context(proxies.haproxy(backend, folder, "splice-response")),
            up.enter_context(proxies.nginx(backend, folder)),
            up.enter_context(proxies.rclone(backend, folder)),
        ]
        relay = up.enter_context(proxies.bare_relay(backend, folder))
        yield Stand(backend, beside, relay, few, many, warm)


def _few(backend: Backend) -> dict[str, Document]:
    workspaces: dict[str, Document] = {
        WORKSPACE: {"bucket": backend.bucket},
        OTHER_WORKSPACE: {"bucket": OTHER_WORKSPACE},
        INNER: {"bucket": INNER_BUCKET, "prefix": "inner"},
    }
    return {"workspaces": workspaces, "keys": _keys(workspaces)} | NOTHING_KEPT


def _apart(bucket: str) -> dict[str, Document]:
    workspaces: dict[str, Document] = {bucket: {"bucket": bucket}}
    system = {"bucket": "artifact-gateway-system", "prefix": bucket}
    return {"workspaces": workspaces, "keys": _keys(workspaces), "system": system}


def _keys(workspaces: Mapping[str, Document]) -> Document:
    """The harness's keys that read, write and administer, with grants on these workspaces."""
    rights = {"admin": {"*": "admin"}} | {
        right: dict.fromkeys(workspaces, right) for right in ("read", "write")
    }
    return [
        {
            "access_key_id": KEYS[name].access_key_id,
            "secret_access_key": KEYS[name].secret_access_key,
            "name": name,
            "grants": grants,
        }
        for name, grants in rights.items()
    ]


@contextmanager
def _gateway(
    backend: Backend, folder: Path, settings: dict[str, Document], workspace: str = WORKSPACE
) -> Iterator[Gateway]:
    gateway = Gateway(backend, folder, settings, workspace=workspace)
    try:
        yield gateway.start(ENVIRONMENT)
    finally:
        if gateway.process is not None:
            gateway.stop()


def _fill(client: S3Client, few: Gateway, many: Gateway, warm: Gateway) -> None:
    """Put and commit what is asked for: an artifact's files, and objects like them in none."""
    for gateway in (few, many, warm):
        publish(gateway, "public/artifact", OBJECTS if gateway is few else {SMALL: OBJECTS[SMALL]})
    for number in range(8):  # with the collection `public` and the artifact: ten
        publish(few, f"artifact-{number}", {})
    for bucket, sizes in ((WORKSPACE, OBJECTS), (CROWD, {SMALL: OBJECTS[SMALL]})):
        for size, count in sizes.items():
            for number in range(count):
                key = f"plain/{path_of(size, number)}"
                client.put_object(Bucket=bucket, Key=key, Body=os.urandom(size))
    for number in range(LISTED):
        client.put_object(Bucket=WORKSPACE, Key=f"listed/{number:04d}.csv", Body=b"listed")
        client.put_object(Bucket=INNER_BUCKET, Key=f"inner/listed/{number:04d}.csv", Body=b"listed")


def publish(gateway: Gateway, prefix: str, sizes: Mapping[int, int]) -> None:
    """Commit an artifact with so many files of each size."""
    if prefix.startswith("public/"):
        shelf = {"type": "collection", "name": "Public"}
        gateway.rpc("create", prefix="public", manifest=shelf)
    manifest = {"type": "dataset", "name": "Example", "description": "A dataset to be measured."}
    gateway.rpc("create", prefix=prefix, manifest=manifest, stage=True)
    for size, count in sizes.items():
        for number in range(count):
            gateway.s3().put_object(
                Bucket=gateway.workspace,
                Key=f"{prefix}/{path_of(size, number)}",
                Body=os.urandom(size),
            )
    gateway.rpc("commit", prefix=prefix)
