"""gc while others write, commit, discard and roll back: nothing that is pinned is lost."""

import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import md5
from threading import Event

import pytest

from tests.acceptance.collecting import collect
from tests.acceptance.harness import Document, Gateway
from tests.acceptance.steps import manifest
from tests.acceptance.views import MANIFEST, STAGED, Artifact, outcome, refusal

WRITERS = 8
ROUNDS, REMOVED, MOST_SECONDS = 3, 5, 60
PATHS = ("a.csv", "b.csv", "deep/c.csv")
FIRST = {**{path: f"first {path}".encode() for path in PATHS}, MANIFEST: manifest()}
ARGUMENTS: Mapping[str, Mapping[str, Document]] = {"rollback": {"version": 1}}
DONE = (200, "")
FINE = {DONE, (204, ""), (409, "NotStaged"), (409, "EditOpen"), (409, "CommitConflict")}


def bring(artifact: Artifact) -> None:
    """An artifact of one version."""
    for path in PATHS:
        artifact.put(path, FIRST[path])
    artifact.put(STAGED, FIRST[MANIFEST])
    artifact.rename()


def end(artifact: Artifact, act: str) -> None:
    """Commit, discard, or go back to the first version."""
    artifact.rpc(act, **ARGUMENTS.get(act, {}))


def work(artifact: Artifact, number: int, done: Event) -> int:
    """How many commits a writer made before it was told that it is done."""
    chance = random.Random(number)  # noqa: S311 - the same acts each time
    acts = ("put", "put", "put", "delete", "commit", "discard", "rollback")
    commits = 0
    while not done.is_set():
        act, path = chance.choice(acts), chance.choice(PATHS)
        body = f"{number} {chance.random()}".encode()
        if act == "put":
            told = outcome(partial(artifact.put, path, body))
        elif act == "delete":
            told = outcome(partial(artifact.delete, path))
        else:
            told = refusal(partial(end, artifact, act))
        assert told in FINE, (act, told)
        commits += act == "commit" and told == DONE
    return commits


@pytest.mark.timeout(240)
def test_nothing_that_a_version_pins_is_lost_beside_writers(tended: Gateway) -> None:
    artifacts = [Artifact(tended, tended.new_prefix(public=True)) for _ in range(WRITERS // 2)]
    for artifact in artifacts:
        bring(artifact)
    until, done, removed, rounds = time.monotonic() + MOST_SECONDS, Event(), 0, 0
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(work, artifacts[n // 2], n, done) for n in range(WRITERS)]
        try:
            while (removed < REMOVED or rounds < ROUNDS) and time.monotonic() < until:
                removed += len(collect(tended, delete=True).garbage)
                rounds += 1
        finally:
            done.set()
        commits = sum(writer.result() for writer in writers)
    assert commits > 0
    assert removed >= REMOVED
    for artifact in artifacts:
        check_versions(artifact)
        if artifact.is_open:
            artifact.rpc("discard")
        artifact.rpc("rollback", version=1)
        assert artifact.seen_by("read") == artifact.seen_by("write") == FIRST


def check_versions(artifact: Artifact) -> None:
    """Every file of every version is what its commit pinned."""
    for each in artifact.rpc("versions"):
        number = each["version"]
        for file in files(artifact, number):
            target = f"/{artifact.bucket}/artifact/{artifact.key(file['path'])}?version={number}"
            answer = artifact.gateway.anonymous("GET", f"{target}&silent=true")
            assert answer.status_code == 200, target
            assert file["etag"].strip('"') == md5(answer.content).hexdigest(), target  # noqa: S324


def files(artifact: Artifact, number: int, path: str = "") -> list[Document]:
    """All files of a version, as `list_files` tells of them."""
    found: list[Document] = []
    for each in artifact.rpc("list_files", path=path, version=number):
        found += [each] if each["type"] == "file" else files(artifact, number, each["path"])
    return found
