"""Places that every client reads or writes, and what each caller has to find there."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

from tests.acceptance.harness import WORKSPACE, Gateway, S3Client
from tests.acceptance.steps import contents, manifest, put
from tests.clients.table import Table, make_table

MEBIBYTE = 1_048_576
SMALL = b"a small body\n" * 100
PART = 5 * MEBIBYTE  # the smallest that S3 takes, but for the last one


def some_bytes(size: int, seed: str) -> bytes:
    """Bytes that are always the same for one seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - any bytes will do


def digest(data: bytes) -> str:
    """SHA-256 in hex: what a failing test can show of 11 MiB."""
    return hashlib.sha256(data).hexdigest()


def digests(files: Mapping[str, bytes | None]) -> dict[str, str]:
    """The digest of each file; of one that is not there, an empty text.

    Markers of directories, which some clients make, are no files.
    """
    return {
        path: "" if data is None else digest(data)
        for path, data in files.items()
        if path and not path.endswith("/")
    }


TABLE, STAGED_TABLE = make_table("committed"), make_table("staged")
BIG = some_bytes(2 * PART + MEBIBYTE, "big")  # three parts
FILES: Mapping[str, bytes] = {
    "big.bin": BIG,
    "data.csv": b"x,y\n1,2\n" * 5_000,
    "removed.csv": b"removed",
    "sub/a b+c%20d/ünï.csv": b"deep",
    "sub/same.csv": b"same",
    "table.parquet": TABLE.data,
}
EDITED: Mapping[str, bytes] = {
    "big.bin": BIG[::-1],
    "data.csv": b"staged,longer\n" * 6_000,
    "new.csv": b"new",
    "table.parquet": STAGED_TABLE.data,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix with files in it, and what callers with `write` and with `read` find there."""

    prefix: str
    written: Mapping[str, bytes]
    read: Mapping[str, bytes]

    def seen_by(self, caller: str) -> Mapping[str, bytes]:
        """The files as the key called `caller` has to see them."""
        return self.read if caller == "read" else self.written

    def table_of(self, caller: str) -> Table:
        """The table that `caller` finds in `table.parquet`."""
        return TABLE if self.seen_by(caller)["table.parquet"] == TABLE.data else STAGED_TABLE


def make_place(gateway: Gateway, kind: str) -> Place:
    """A new `folder` of ordinary objects, or an artifact, `committed` or being `edited`."""
    prefix, client = gateway.new_prefix(), gateway.s3()
    if kind == "folder":
        put(client, prefix, FILES)
        return Place(prefix, FILES, FILES)
    first, second = manifest(name="one"), manifest(name="two")
    put(client, prefix, {"_manifest.yaml": first, **FILES})
    gateway.rpc("commit", prefix=prefix)
    committed = {**FILES, "manifest.yaml": first}
    if kind == "committed":
        return Place(prefix, committed, committed)
    put(client, prefix, {"_manifest.yaml": second, **EDITED})
    client.delete_object(Bucket=WORKSPACE, Key=f"{prefix}/removed.csv")
    staged = {**FILES, **EDITED, "_manifest.yaml": second}
    del staged["removed.csv"]
    return Place(prefix, staged, committed)


@dataclass(frozen=True, slots=True)
class Target:
    """A new prefix for a client to write to: ordinary objects, or an artifact that is edited."""

    gateway: Gateway
    backend: S3Client
    prefix: str
    staged: bool

    def key(self, path: str) -> str:
        """The key of one of its files."""
        return f"{self.prefix}/{path}"

    def commit(self) -> None:
        """Commit the artifact."""
        self.gateway.rpc("commit", prefix=self.prefix)

    def holds(self, files: Mapping[str, bytes]) -> None:
        """Assert that these files and no others are there, by their digests.

        The backend is asked itself; then callers with `read`, who see nothing of them in an
        artifact before it is committed, and afterwards the whole. Commits it.
        """
        staged = {"_manifest.yaml": manifest()} if self.staged else {}
        held = contents(self.backend, self.prefix)
        assert digests(held) == digests({**files, **staged})
        reader, committed = self.gateway.s3("read"), {}
        if self.staged:
            assert contents(reader, self.prefix) == {}
            self.commit()
            committed = {"manifest.yaml": manifest()}
        assert digests(contents(reader, self.prefix)) == digests({**files, **committed})


def make_target(gateway: Gateway, backend: S3Client, kind: str) -> Target:
    """A new and empty `folder`, or `artifact` with nothing but a staged manifest.

    `backend` is a client of what is behind the gateway.
    """
    target = Target(gateway, backend, gateway.new_prefix(), kind == "artifact")
    if target.staged:
        put(gateway.s3(), target.prefix, {"_manifest.yaml": manifest()})
    return target
