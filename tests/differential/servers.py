"""The servers that are compared: a backend alone, and its twin behind a gateway."""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.harness import Backend, Document, Gateway
from tests.acceptance.keys import Key, make_key
from tests.differential.client import Client
from tests.differential.scene import Kind, Scene

SYSTEM = "artifact-gateway-system"
READS = make_key("differential-reader", {"*": "read"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scene is played: the workspace, its bucket and prefix behind the gateway."""

    workspace: str
    bucket: str
    stored_below: str
    keys_below: str


@dataclass(slots=True)
class Servers:
    """One backend alone, `behind` the gateway another one that is the same in everything."""

    alone: Backend
    behind: Backend
    gateway: Gateway

    @property
    def account(self) -> Key:
        """The backend's account: the gateway's admin has the same id and secret."""
        return self.alone.key

    @property
    def clients(self) -> tuple[Client, Client]:
        """A client of the backend alone, and one of the gateway."""
        return Client(self.alone.port, self.account), Client(self.gateway.port, self.account)


def place(scene: Scene, kind: Kind) -> Place:
    """Where a scene is played in a kind of workspace."""
    if scene.own:
        name = f"{scene.name}-{kind.name}"
        bucket = name if kind.bucket is None else f"{kind.bucket}-{scene.name}"
        return Place(name, bucket, kind.prefix, "")
    suffix = "-versioned" if scene.versioned else ""
    name = f"plain{suffix}" if kind.bucket is None else f"{kind.name}{suffix}"
    bucket = name if kind.bucket is None else f"{kind.bucket}{suffix}"
    return Place(name, bucket, kind.prefix, f"{scene.name}-{kind.name}/")


@contextmanager
def serving(backend: str, scenes: Sequence[Scene], folder: Path) -> Iterator[Servers]:
    """The servers, running, with the buckets and workspaces of the scenes."""
    alone = Backend(folder / "alone", kind=backend, bucket="plain")
    behind = Backend(folder / "behind", kind=backend, bucket="plain")
    gateway = Gateway(behind, folder / "gateway", _settings(scenes, behind))
    # A child dies with the thread that started it: the threads stay until the end.
    with ThreadPoolExecutor(2) as threads:
        try:
            list(threads.map(Backend.start, (alone, behind)))
            list(threads.map(lambda each: _make_buckets(each, scenes), (alone, behind)))
            yield Servers(alone, behind, gateway.start())
        finally:
            if gateway.process is not None:
                gateway.kill()
            for each in (alone, behind):
                each.kill()
                shutil.rmtree(each.folder, ignore_errors=True)  # pytest would keep it


def _played(scenes: Sequence[Scene]) -> Iterator[tuple[Scene, Place]]:
    for scene in scenes:
        for kind in scene.kinds:
            yield scene, place(scene, kind)


def _settings(scenes: Sequence[Scene], behind: Backend) -> dict[str, Document]:
    workspaces = {
        at.workspace: {
            "bucket": at.bucket,
            "prefix": at.stored_below,
            "backend_settings": scene.settings,
            "versioning": False,
        }
        for scene, at in _played(scenes)
    }
    admin = Key(behind.access_key_id, behind.secret_access_key, "admin", {"*": "admin"})
    keys = [
        {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "name": key.name,
            "grants": dict(key.grants),
        }
        for key in (admin, READS)
    ]
    return {"workspaces": workspaces, "keys": keys}


def _make_buckets(backend: Backend, scenes: Sequence[Scene]) -> None:
    """Make every bucket: under its workspace's name and the one behind the gateway, either way.

    So both backends have the same ones, and a listing of them the same length.
    """
    client = backend.client()
    made = {"plain"}
    for scene, at in _played(scenes):
        for name in {at.workspace, at.bucket} - made:
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=scene.locked)
            if scene.versioned and not scene.locked:
                enabled = {"Status": "Enabled"}
                client.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
            made.add(name)
