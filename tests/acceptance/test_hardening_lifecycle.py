"""What is refused, left or raced leaves an artifact whole, and open to the next edit."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import Backend, Document, Gateway, RpcError
from tests.acceptance.leaving import Request, call, leave
from tests.acceptance.races import TIMES, Answer, after, at_once
from tests.acceptance.sights import ONE, THREE, TWO, bring
from tests.acceptance.signer import Signer
from tests.acceptance.steps import manifest
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact, Files, outcome, refusal

DEPARTURES = 4 * TIMES
ROUNDS = 3 * TIMES
SETTLED_SECONDS = 5
PLAIN_FIELDS = {"type": "dataset"}
PLAIN = b"type: dataset\n"  # as the gateway writes them

OK = (200, "")
NOT_STAGED = (409, "NotStaged")
NO_ARTIFACT = (404, "NoSuchArtifact")


@dataclass(frozen=True, slots=True)
class Look:
    """What there is of an artifact: its version, what readers and writers see, an open edit."""

    version: int
    reader: Files
    writer: Files
    edited: bool = False


def look(artifact: Artifact) -> Look:
    shown = artifact.read(stage=True) or {}
    edited = shown.get("_stage", {}).get("id") is not None
    reader, writer = artifact.seen_by("read"), artifact.seen_by("write")
    return Look(artifact.version or 0, reader, writer, edited)


def data(files: Files) -> Files:
    """The files without the artifact's manifests."""
    return {path: body for path, body in files.items() if path not in (MANIFEST, STAGED)}


def write(artifact: Artifact, path: str, body: bytes) -> Answer:
    return outcome(lambda: artifact.put(path, body))


def remove(artifact: Artifact, path: str) -> Answer:
    return outcome(lambda: artifact.delete(path))


def method(artifact: Artifact, name: str, **arguments: Document) -> Answer:
    return refusal(lambda: artifact.rpc(name, **arguments))


def edits_and_commits(artifact: Artifact, seen: Look, body: bytes = THREE) -> None:
    """Assert that what is seen can be edited and committed, and that no edit is open then."""
    artifact.put(STAGED, body)
    artifact.put(DATA, b"the next edit")
    assert method(artifact, "commit") == OK
    files = {**data(seen.writer), MANIFEST: body, DATA: b"the next edit"}
    assert artifact.seen_by("read") == files
    assert method(artifact, "commit") == NOT_STAGED


# What can't be kept is refused before anything is recorded


@pytest.fixture
def restarted(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of the test's own, to be killed."""
    system = {"bucket": "artifact-gateway-system", "prefix": "hardening/"}
    running = Gateway(backend, tmp_path_factory.mktemp("restarted"), {"system": system})
    try:
        yield running.start()
    finally:
        running.stop()


UNWRITABLE: Mapping[str, Callable[[Artifact], tuple[int, str]]] = {
    "half a surrogate": lambda artifact: method(artifact, "commit", message="a\ud800"),
    "NUL": lambda artifact: method(artifact, "commit", message="a\0b"),
    "latin-1": lambda artifact: put_manifest(artifact, "attachment; filename=caf\xe9.yaml"),
    "not UTF-8": lambda artifact: put_manifest(artifact, "attachment; filename=\xff\xfe"),
    "control": lambda artifact: put_manifest(artifact, "attachment; filename=\xc2\x85"),
}


def put_manifest(artifact: Artifact, disposition: str) -> tuple[int, str]:
    """The status of a PUT of `manifest.yaml` with this header, a byte for each character."""
    target = f"/{artifact.bucket}/{artifact.key(MANIFEST)}"
    headers = Signer(f"127.0.0.1:{artifact.gateway.port}").headers("PUT", target)
    headers["content-disposition"] = disposition
    return artifact.gateway.request("PUT", target, headers, TWO).status, ""


def test_what_can_not_be_recorded_is_refused_and_stops_neither_commit_nor_start(
    restarted: Gateway,
) -> None:
    artifacts = {
        name: bring(restarted, restarted.new_prefix(public=True), "editing") for name in UNWRITABLE
    }
    whole = {MANIFEST: TWO, DATA: b"two"}
    for name, artifact in artifacts.items():
        before = look(artifact)
        assert UNWRITABLE[name](artifact)[0] == 400, name
        assert look(artifact) == before, name
        assert method(artifact, "commit", message="é\n\U0001f9ea") == OK, name
        assert look(artifact) == Look(2, whole, whole), name
    created = Artifact(restarted, restarted.new_prefix())
    assert method(created, "create", manifest={**PLAIN_FIELDS, "name": "\ud800"})[0] == 400
    assert look(created) == Look(0, {}, {})
    assert method(created, "create", manifest=PLAIN_FIELDS) == OK

    restarted.kill()
    restarted.start()

    for name, artifact in artifacts.items():
        seen = look(artifact)
        assert seen == Look(2, whole, whole), name
        edits_and_commits(artifact, seen)


# Clients that leave


@dataclass(frozen=True, slots=True)
class Scene:
    """A request whose client leaves: what was there before, and the files that it brings."""

    prepare: Callable[[Gateway], Artifact]
    request: Callable[[Artifact], Request]
    brings: Files
    next_manifest: bytes = THREE


def brought(state: str) -> Callable[[Gateway], Artifact]:
    return lambda gateway: bring(gateway, gateway.new_prefix(public=True), state)  # type: ignore[arg-type]


def ordinary(gateway: Gateway) -> Artifact:
    """A prefix with an ordinary object."""
    artifact = Artifact(gateway, gateway.new_prefix(public=True))
    artifact.put(DATA, b"one")
    return artifact


def twice(gateway: Gateway) -> Artifact:
    """An artifact of two versions."""
    artifact = brought("editing")(gateway)
    artifact.rename()
    return artifact


def collection(gateway: Gateway) -> Artifact:
    """A collection with a member."""
    artifact = Artifact(gateway, gateway.new_prefix(public=True))
    artifact.put(MANIFEST, manifest(type="collection"))
    artifact.put(f"member/{MANIFEST}", ONE)
    return artifact


def rpc(name: str, **arguments: Document) -> Callable[[Artifact], Request]:
    return lambda artifact: call(artifact.gateway, name, prefix=artifact.prefix, **arguments)


def put(path: str, body: bytes) -> Callable[[Artifact], Request]:
    return lambda artifact: Request("PUT", f"/{artifact.bucket}/{artifact.key(path)}", body)


def delete(path: str) -> Callable[[Artifact], Request]:
    return lambda artifact: Request("DELETE", f"/{artifact.bucket}/{artifact.key(path)}")


def copy(artifact: Artifact) -> Request:
    """The rename that commits."""
    source = {"x-amz-copy-source": f"/{artifact.bucket}/{artifact.key(STAGED)}"}
    return Request("PUT", f"/{artifact.bucket}/{artifact.key(MANIFEST)}", b"", source)


SCENES: Mapping[str, Scene] = {
    "create": Scene(ordinary, rpc("create", manifest=PLAIN_FIELDS), {DATA: b"one"}),
    "first-commit": Scene(brought("new"), rpc("commit"), {DATA: b"one"}),
    "commit": Scene(brought("editing"), rpc("commit"), {DATA: b"two"}),
    "rollback": Scene(twice, rpc("rollback", version=1), {DATA: b"one"}),
    "index": Scene(
        collection,
        rpc("index"),
        {f"member/{MANIFEST}": ONE},
        next_manifest=manifest(type="collection", name="next"),
    ),
    "put": Scene(brought("editing"), put(MANIFEST, THREE), {DATA: b"two"}),
    "first-put": Scene(ordinary, put(MANIFEST, THREE), {DATA: b"one"}),
    "copy": Scene(brought("editing"), copy, {DATA: b"two"}),
}


def departures(count: int) -> list[float]:
    """So many moments between 1 and 50 ms, in seconds, spread and yet never the same."""
    step = 0.049 / count
    return [0.001 + step * (number + random.random()) for number in range(count)]  # noqa: S311


def eventually(artifact: Artifact, expected: Callable[[Look], bool]) -> Look:
    """What there is of the artifact once it is as expected; AssertionError after 5 seconds."""
    deadline = time.monotonic() + SETTLED_SECONDS
    seen: Look | Exception | None = None
    while time.monotonic() < deadline:
        try:
            seen = look(artifact)
            if expected(seen):
                return seen
        except (ClientError, RpcError, AssertionError) as error:  # a commit came in between
            seen = error
        time.sleep(0.05)
    raise AssertionError(f"{artifact.prefix} does not settle: {seen}")


@pytest.mark.parametrize("name", SCENES)
def test_a_commit_whose_client_leaves_is_whole_or_did_not_happen(
    gateway: Gateway, name: str
) -> None:
    scene = SCENES[name]
    artifacts = [scene.prepare(gateway) for _ in range(DEPARTURES)]
    before = look(artifacts[0])
    for artifact, seconds in zip(artifacts, departures(DEPARTURES), strict=True):
        leave(gateway, scene.request(artifact), after=seconds)
    time.sleep(0.3)

    def whole(seen: Look) -> bool:
        if seen.version == before.version:
            return seen == before
        closed = not seen.edited and seen.reader == seen.writer
        there = MANIFEST in seen.reader and data(seen.reader) == scene.brings
        return seen.version == before.version + 1 and closed and there

    for artifact in artifacts:
        seen = eventually(artifact, whole)
        none = NOT_STAGED if seen.version else NO_ARTIFACT
        assert method(artifact, "commit") == (OK if seen.edited else none)
        edits_and_commits(artifact, seen, scene.next_manifest)


def test_a_change_whose_client_leaves_is_discarded_for_good(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = Artifact(gateway, public_prefix)
    artifact.put(STAGED, ONE)
    for number in range(DEPARTURES):
        artifact.put(f"{number}.csv", b"committed")
    artifact.rename()
    committed = look(artifact)
    requests = [(put, 4000), (put, 100), (delete, None)]  # the second breaks off in its body
    for number, seconds in enumerate(departures(DEPARTURES)):
        path, (kind, sent) = f"{number}.csv", requests[number % len(requests)]
        request = (put(path, b"x" * 4000) if kind is put else delete(path))(artifact)
        leave(gateway, request, after=seconds / 3, sent=sent)

    def closed(seen: Look) -> bool:
        return method(artifact, "discard") == NOT_STAGED and seen == committed

    eventually(artifact, closed)
    time.sleep(0.3)
    assert look(artifact) == committed
    assert artifact.held() == committed.writer
    assert method(artifact, "commit") == NOT_STAGED
    edits_and_commits(artifact, committed)


# Discards and deletes that meet writes


def soon(call: Callable[[], Answer]) -> Callable[[], Answer]:
    """The call, a moment after the others or before them."""
    return partial(after, random.uniform(0, 0.03), call)  # noqa: S311


@pytest.mark.parametrize("end", ["commit", "discard"])
def test_readers_never_see_what_is_written_during_a_discard(
    gateway: Gateway, public_prefix: str, end: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    for number in range(ROUNDS):
        committed = commit_files(artifact, {DATA: b"committed %d" % number, "b.csv": b"b"})
        artifact.put(DATA, b"before the discard")
        wrote = {DATA: b"staged %d" % number, EXTRA: b"staged"}

        answers = at_once(
            soon(partial(method, artifact, "discard")),
            *(soon(partial(write, artifact, path, body)) for path, body in wrote.items()),
            soon(partial(remove, artifact, "b.csv")),
        )

        told = f"round {number}: {answers}"
        assert answers[0] == OK, told
        assert {status for status, _ in answers[1:]} <= {200, 204}, told
        seen = eventually(artifact, partial(shows, committed))
        both = {path: {committed.get(path), wrote.get(path)} for path in (*committed, EXTRA)}
        both[MANIFEST] = {committed[MANIFEST]}
        for path in both.keys() | seen.writer.keys():
            assert seen.writer.get(path) in both.get(path, set()), (path, told)
        # Where writers see something else an edit is open, and it is theirs to end.
        assert seen.edited == (seen.writer != seen.reader), told
        assert method(artifact, end) == (OK if seen.edited else NOT_STAGED), told
        last = look(artifact)
        assert last.reader == last.writer == (seen.writer if end == "commit" else committed), told
        assert artifact.held() == last.writer, told
        assert method(artifact, "commit") == NOT_STAGED, told


def commit_files(artifact: Artifact, files: Files) -> Files:
    """What readers see when exactly these files, and the manifest, are committed."""
    for path in data(artifact.seen_by("write")).keys() - files.keys():
        artifact.delete(path)
    for path, body in files.items():
        artifact.put(path, body)
    assert method(artifact, "commit") == OK
    committed = look(artifact).reader
    assert data(committed) == files
    return committed


def shows(committed: Files, seen: Look) -> bool:
    """Whether readers see exactly this."""
    return seen.reader == committed


@pytest.mark.parametrize("path", [EXTRA, STAGED, MANIFEST])
def test_what_is_written_during_a_delete_is_whole_or_gone(gateway: Gateway, path: str) -> None:
    body = b"extra" if path == EXTRA else THREE
    for number in range(ROUNDS):
        artifact = bring(gateway, gateway.new_prefix(public=True), "edited")

        answers = at_once(
            soon(partial(method, artifact, "delete")),
            soon(partial(write, artifact, path, body)),
            soon(partial(write, artifact, "other.csv", b"other")),
        )

        told = f"round {number}: {answers}"
        assert answers[0] in (OK, (409, "CommitConflict")), told
        if answers[0] == OK:
            gone_or_whole(artifact, {path: body, "other.csv": b"other"}, told)
        created = method(artifact, "create", manifest=PLAIN_FIELDS, overwrite=True)
        assert created == OK, told
        seen = look(artifact)
        assert seen.reader == seen.writer, told
        assert seen.reader[MANIFEST] == PLAIN, told
        edits_and_commits(artifact, seen)


def gone_or_whole(artifact: Artifact, wrote: Files, told: str) -> None:
    """Assert that what is left of a deleted artifact was written since, and that all agree."""

    def agrees(seen: Look) -> bool:
        held = artifact.held()
        if seen.version:
            return MANIFEST in seen.reader and (seen.reader == seen.writer or seen.edited)
        if seen.edited:
            return STAGED in held and seen.writer == held and not seen.reader
        return not {STAGED, MANIFEST} & held.keys() and seen.reader == seen.writer == held

    try:
        seen = eventually(artifact, agrees)
    except AssertionError as error:
        raise AssertionError(f"{told}, held {artifact.held()}, {error}") from None
    assert seen.writer.items() <= wrote.items(), (told, seen)


# Ordinary objects


def test_a_create_that_fails_leaves_ordinary_objects(gateway: Gateway, public_prefix: str) -> None:
    artifact = Artifact(gateway, public_prefix)
    there = {DATA: b"precious", EXTRA: b"too"}
    for path, body in there.items():
        artifact.put(path, body)
    missing = {"type": "dataset", "files": ["missing.csv"]}
    for _ in range(2):
        assert method(artifact, "create", manifest=missing) == (409, "MissingFiles")
        assert look(artifact) == Look(0, there, there)
        assert artifact.held() == there
        assert method(artifact, "commit") == NO_ARTIFACT
        assert not artifact.is_named(stage=True)
    assert method(artifact, "create", manifest=PLAIN_FIELDS) == OK
    whole = {**there, MANIFEST: PLAIN}
    seen = look(artifact)
    assert seen == Look(1, whole, whole)
    edits_and_commits(artifact, seen)


def test_a_discard_of_what_was_never_committed_leaves_what_was_there_before(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = Artifact(gateway, public_prefix)
    there = {DATA: b"precious", EXTRA: b"too"}
    for path, body in there.items():
        artifact.put(path, body)
    for _ in range(2):
        assert method(artifact, "create", manifest=PLAIN_FIELDS, stage=True) == OK
        assert artifact.upload("announced.csv", b"announced") == 200
        artifact.put("new.csv", b"new")
        assert artifact.seen_by("read") == {}
        assert artifact.seen_by("write").keys() == {*there, "announced.csv", "new.csv", STAGED}
        assert method(artifact, "discard") == OK
        assert look(artifact) == Look(0, there, there)
        assert artifact.held() == there
        assert method(artifact, "commit") == NO_ARTIFACT
        assert not artifact.is_named(stage=True)
    assert method(artifact, "create", manifest=PLAIN_FIELDS) == OK
    edits_and_commits(artifact, look(artifact))


def before_and_in_the_stage(artifact: Artifact, *bodies: bytes) -> None:
    """An ordinary object, then in the stage of an artifact that was never committed: `bodies`."""
    artifact.put(DATA, b"before")
    artifact.put(STAGED, ONE)
    for body in bodies:
        artifact.put(DATA, body)


def test_a_discard_brings_back_what_the_stage_wrote_over(gateway: Gateway) -> None:
    artifact = Artifact(gateway, gateway.new_prefix())
    before_and_in_the_stage(artifact, b"in the stage", b"and again", b"and once more")
    assert method(artifact, "discard") == OK
    assert artifact.held() == {DATA: b"before"}
    assert len(artifact.held_versions(DATA)) == 1
    assert method(artifact, "edit") == NO_ARTIFACT


def test_a_discard_hides_what_no_commit_holds_from_readers_of_a_committed_artifact(
    gateway: Gateway,
) -> None:
    artifact = Artifact(gateway, gateway.new_prefix())
    before_and_in_the_stage(artifact, b"in the stage")
    assert method(artifact, "commit") == OK
    artifact.delete(DATA)
    assert method(artifact, "commit") == OK
    artifact.put(DATA, b"another edit")
    artifact.put(DATA, b"of two writes")
    assert method(artifact, "discard") == OK
    assert artifact.held() == artifact.seen_by("read") == {MANIFEST: ONE}
    assert method(artifact, "commit") == NOT_STAGED


def test_the_same_bytes_without_a_type_are_no_change(gateway: Gateway) -> None:
    artifact = Artifact(gateway, gateway.new_prefix())
    artifact.put(STAGED, ONE)
    artifact.put(DATA, b"as committed")
    assert method(artifact, "commit") == OK
    artifact.put(DATA, b"as committed")
    assert method(artifact, "commit") == NOT_STAGED
