"""Commits of artifacts with many files, beside listing them directly; and what others notice.

`python -m bench.commits [--files 10000] [--rounds 4] [--database sqlite] [--json FILE]`
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench.bystanders import Bystanders, Request, Sample, rpc_request, watching
from bench.figures import Report, timed
from bench.scene import MANIFEST, PAGE, Scene, database_settings, path_of, scene
from tests.acceptance.backends import S3Client

QUIET_SECONDS = 5.0
LISTINGS = 3
# What is promised: a commit beside a listing, and what one request waits for a commit.
TIMES = 3.0
WAIT = 100.0


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with database_settings(options.database) as settings, scene(settings) as here:
        report = measure(here, options.files, options.rounds, options.database)
    report.show(options.json)


@dataclass(slots=True)
class Measurement:
    """The samples of some rounds: milliseconds by name, and requests of others."""

    here: Scene
    files: int
    times: dict[str, list[float]] = field(default_factory=dict)
    quiet: dict[str, list[Sample]] = field(default_factory=dict)
    busy: dict[str, list[Sample]] = field(default_factory=dict)
    uploads: list[list[float]] = field(default_factory=list)

    def round(self, others: Bystanders, *, copy: bool) -> None:
        """Upload, list, commit; then change one file, list as a reader, commit."""
        client, bucket = self.here.gateway.s3(), self.here.gateway.workspace
        prefix = self._upload()
        self._list(prefix)
        others.begin()
        time.sleep(QUIET_SECONDS)
        _gather(self.quiet, others)
        others.begin()
        with self._timed("commit by COPY" if copy else "commit by RPC"):
            self._commit(prefix, copy=copy)
        _gather(self.busy, others)
        self._list(prefix)
        self._list_as_reader(prefix, "a reader's listing")
        client.put_object(Bucket=bucket, Key=f"{prefix}/{path_of(7)}", Body=b"changed")
        client.put_object(Bucket=bucket, Key=f"{prefix}/_manifest.yaml", Body=MANIFEST)
        self._list_as_reader(prefix, "a reader's listing, one file edited")
        others.begin()
        with self._timed("second commit by COPY" if copy else "second commit by RPC"):
            self._commit(prefix, copy=copy)
        _gather(self.busy, others)

    def _upload(self) -> str:
        times = [time.monotonic()]
        prefix = self.here.new_artifact(self.files, lambda _: times.append(time.monotonic()))
        self.uploads.append([1000 * (b - a) / PAGE for a, b in itertools.pairwise(times)])
        return prefix

    def _list(self, prefix: str) -> None:
        for _ in range(LISTINGS):
            with self._timed("listing directly, boto3"):
                self.here.list_directly(prefix, self.files)
            with self._timed("listing directly, raw HTTP"):
                self.here.list_raw(prefix, self.files)

    def _list_as_reader(self, prefix: str, name: str) -> None:
        reader: S3Client = self.here.gateway.s3("read")
        for _ in range(LISTINGS):
            with self._timed(name):
                self.here.list_by(reader, self.here.gateway.workspace, prefix, self.files)

    def _commit(self, prefix: str, *, copy: bool) -> None:
        if copy:
            self.here.copy_manifest(prefix)
        else:
            self.here.gateway.rpc("commit", prefix=prefix)

    def _timed(self, name: str) -> AbstractContextManager[None]:
        return timed(self.times.setdefault(name, []))


def bystanders_of(here: Scene) -> Mapping[str, Request]:
    """A GET of a committed file, a small PUT into another artifact's stage, an RPC read."""
    small, other = here.new_artifact(10), here.new_artifact(10)
    here.gateway.rpc("commit", prefix=small)
    bucket, client = here.gateway.workspace, here.gateway.s3()
    token = here.gateway.rpc("generate_token", key="admin", grants={bucket: "read"})
    read = {"Bucket": bucket, "Key": f"{small}/{path_of(1)}"}
    write = {"Bucket": bucket, "Key": f"{other}/{path_of(1)}"}
    return {
        "GET": Request("GET", client.generate_presigned_url("get_object", read)),
        "PUT": Request("PUT", client.generate_presigned_url("put_object", write), body=b"again"),
        "RPC read": rpc_request(here.gateway.url, bucket, "read", token, prefix=small),
    }


def measure(here: Scene, files: int, rounds: int, database: str) -> Report:
    """The report of some rounds, every other of which commits as S3 clients do."""
    measured = Measurement(here, files)
    with watching(bystanders_of(here)) as others:
        for number in range(rounds):
            measured.round(others, copy=number % 2 == 1)
    report = Report(f"Commits of {files:,} files, {database}")
    times = measured.times
    boto3, raw = (
        statistics.median(times[f"listing directly, {kind}"]) for kind in ("boto3", "raw HTTP")
    )
    for name, samples in sorted(times.items()):
        report.add(name, samples, "ms")
    commits = [sample for name in times if name.startswith("commit") for sample in times[name]]
    report.add("commit / listing, boto3", [c / boto3 for c in commits], "x", most=TIMES)
    report.add("commit / listing, raw HTTP", [c / raw for c in commits], "x")
    report.add("one PUT, of 8 at once: first thousand", [u[0] for u in measured.uploads], "ms")
    report.add("one PUT, of 8 at once: last thousand", [u[-1] for u in measured.uploads], "ms")
    for name, busy in measured.busy.items():
        quiet = [sample.milliseconds for sample in measured.quiet[name]]
        taken = [sample.milliseconds for sample in busy]
        report.add(f"{name}, nothing else going on", quiet, "ms")
        report.add(f"{name}, while one commits", taken, "ms")
        waited = max(taken) - statistics.median(quiet)
        report.add(f"{name}: the longest wait for a commit", [waited], "ms", most=WAIT)
    return report


def _gather(into: dict[str, list[Sample]], others: Bystanders) -> None:
    for name, samples in others.samples().items():
        into.setdefault(name, []).extend(samples)


if __name__ == "__main__":
    main()
