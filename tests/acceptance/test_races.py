"""Commits that meet other commits, and writes that meet a commit: nothing is lost."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from tests.acceptance.harness import Backend, Gateway
from tests.acceptance.races import TIMES, Answer, after, at_once
from tests.acceptance.sights import COMMITTED, ONE, THREE, TWO, Sight, bring, check
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact, outcome, refusal
from tests.acceptance.wire import When, WireTap

ROUNDS = 24 * TIMES
WRITES = 12 * TIMES
RECORD = "^/artifact-gateway-system/.*records/"

OK = (200, "")
CONFLICT = (409, "CommitConflict")
NOT_STAGED = (409, "NotStaged")


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """A tap in front of the shared backend."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def tapped(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway whose requests to the backend can be stopped."""
    system = {"bucket": "artifact-gateway-system", "prefix": "races/"}
    folder = tmp_path_factory.mktemp("tapped")
    running = Gateway(backend, folder, {"system": system}, endpoint_url=tap.url)
    try:
        yield running.start()
    finally:
        tap.cut()
        running.stop()


def commit(artifact: Artifact) -> Answer:
    """The answer to a commit by RPC."""
    return refusal(lambda: artifact.rpc("commit"))


def put_manifest(artifact: Artifact) -> Answer:
    """The answer to a commit by a PUT of the manifest that is there already."""
    return outcome(lambda: artifact.put(MANIFEST, ONE))


@pytest.mark.parametrize(("first", "rounds"), [(commit, ROUNDS), (put_manifest, ROUNDS // 2)])
def test_of_two_commits_at_once_one_wins(
    gateway: Gateway, public_prefix: str, first: Callable[[Artifact], Answer], rounds: int
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    conflicts, mine, yours = 0, b"", b""

    for number in range(rounds):
        mine, yours = f"mine {number}".encode(), f"yours {number}".encode()
        artifact.put(DATA, mine)
        artifact.put(EXTRA, yours)
        before = artifact.version or 0

        answers = at_once(partial(first, artifact), partial(commit, artifact))

        # One that comes after the other's end finds nothing to commit; a PUT that changes
        # nothing says 200.
        late = [answers == [OK, NOT_STAGED], answers == [NOT_STAGED, OK]]
        late.append(first is put_manifest and answers == [OK, OK])
        clash = CONFLICT in answers
        conflicts += clash
        assert OK in answers, answers
        assert clash or any(late), answers
        after = artifact.version or 0
        assert after == before + 1
        files = {MANIFEST: ONE, DATA: mine, EXTRA: yours}
        assert artifact.seen_by("read") == files
        assert artifact.seen_by("write") == files

    assert conflicts > 0, "no two commits ever met"
    assert artifact.files(version=1) == {DATA: 3}
    last = {MANIFEST: ONE, DATA: mine, EXTRA: yours}
    check(artifact, Sight(last, last, rounds + 1, edit=False))


def test_a_commit_that_looks_after_another_has_ended_is_told_so(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    """What it would commit is committed, but not by it: that is no commit that changes nothing."""
    artifact = bring(tapped, prefix, "edited")
    pause = tap.pause_on("GET", f"{prefix}/{STAGED}", when="after")

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(commit, artifact)
        pause.wait()
        assert commit(artifact) == OK
        pause.resume()
        assert second.result(10) == CONFLICT

    files = {MANIFEST: ONE, DATA: b"two"}
    check(artifact, Sight(files, files, 2, edit=False, stranger={}))


def test_commit_that_comes_second_leaves_the_stage_as_it_was(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    artifact = bring(tapped, prefix, "edited")
    with ThreadPoolExecutor(2) as pool:
        mine = tap.pause_on("PUT", RECORD)
        slow = pool.submit(commit, artifact)
        mine.wait()
        artifact.put(EXTRA, b"meanwhile")
        yours = tap.pause_on("PUT", RECORD)
        fast = pool.submit(commit, artifact)
        yours.wait()
        yours.resume()
        won = fast.result(10)
        artifact.put(DATA, b"later")
        mine.resume()
        lost = slow.result(10)

    assert (won, lost) == (OK, CONFLICT)
    committed = {MANIFEST: ONE, DATA: b"two", EXTRA: b"meanwhile"}
    check(artifact, Sight({**committed, DATA: b"later"}, committed, 2, edit=True, stranger={}))


def write_file(artifact: Artifact, number: int) -> Answer:
    """The answer to a PUT of a file."""
    return outcome(lambda: artifact.put(DATA, b"number %d" % number))


def write_new_file(artifact: Artifact, number: int) -> Answer:
    """The answer to a PUT of a file that was not there."""
    return outcome(lambda: artifact.put(f"new-{number}.csv", b"number %d" % number))


def write_manifest(artifact: Artifact, number: int) -> Answer:
    """The answer to a PUT of `_manifest.yaml`."""
    return outcome(lambda: artifact.put(STAGED, b"{type: dataset, number: %d}" % number))


def delete_file(artifact: Artifact, _: int) -> Answer:
    """The answer to a DELETE of a file."""
    return outcome(lambda: artifact.delete(DATA))


WRITERS = (write_file, write_new_file, write_manifest, delete_file)


def expected_writer(
    before: dict[str, bytes], write: Callable[[Artifact, int], Answer], number: int
) -> dict[str, bytes]:
    """What the artifact holds when the write is in it: `manifest.yaml` the newest manifest."""
    after = dict(before)
    if write is write_file:
        after[DATA] = b"number %d" % number
    elif write is write_new_file:
        after[f"new-{number}.csv"] = b"number %d" % number
    elif write is write_manifest:
        after[MANIFEST] = b"{type: dataset, number: %d}" % number
    else:
        after.pop(DATA, None)
    return after


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_written_during_a_commit_is_in_it_or_staged(
    gateway: Gateway, public_prefix: str, write: Callable[[Artifact, int], Answer]
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    wanted: dict[str, bytes] = {**COMMITTED}
    met = {"in it": 0, "staged": 0}

    for number in range(WRITES):
        before = {**wanted, DATA: b"before %d" % number, EXTRA: b"extra %d" % number}
        artifact.put(DATA, before[DATA])
        artifact.put(EXTRA, before[EXTRA])
        wanted = expected_writer(before, write, number)
        head_start = (secrets.randbelow(160) - 120) / 1000

        answers = at_once(
            partial(after, head_start, partial(commit, artifact)),
            partial(after, -head_start, partial(write, artifact, number)),
        )

        told = f"round {number}, {answers}, the write begins {-head_start} s after the commit"
        assert answers[0] == OK, told
        assert answers[1][0] in (200, 204), told
        readers = artifact.seen_by("read")
        assert readers in (before, wanted), told
        assert newest(artifact.seen_by("write")) == wanted, told
        assert commit(artifact) == (NOT_STAGED if readers == wanted else OK), told
        met["in it" if readers == wanted else "staged"] += 1
        assert artifact.seen_by("read") == wanted, told
        assert artifact.held() == wanted, told

    assert met["staged"] > 0, "no write ever met a commit"


def newest(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with the staged manifest, where there is one, as the manifest."""
    after = dict(files)
    staged = after.pop(STAGED, None)
    if staged is not None:
        after[MANIFEST] = staged
    return after


Step = tuple[str, str, When]

STEPS: Mapping[str, Step] = {
    "manifest-read": ("GET", "{key}/_manifest.yaml", "after"),
    "listed": ("GET", "list-type=2.*prefix={key}/", "after"),
    "record": ("PUT", RECORD, "before"),
    "recorded": ("PUT", RECORD, "after"),
    "manifest-put": ("PUT", "{key}/manifest.yaml$", "after"),
    "stage-removed": ("DELETE", "{key}/_manifest.yaml", "before"),
}


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("step", STEPS)
def test_what_is_written_at_a_step_of_the_commit_is_in_it_or_staged(
    tapped: Gateway,
    tap: WireTap,
    prefix: str,
    step: str,
    write: Callable[[Artifact, int], Answer],
) -> None:
    artifact = bring(tapped, prefix, "editing")
    before = newest(artifact.seen_by("write"))
    wanted = expected_writer(before, write, 7)
    method, target, when = STEPS[step]
    pause = tap.pause_on(method, target.format(key=prefix), when=when)

    with ThreadPoolExecutor(2) as pool:
        committing = pool.submit(commit, artifact)
        pause.wait()
        writing = pool.submit(write, artifact, 7)
        wait_a_moment(writing)
        pause.resume()
        assert committing.result(10) == OK
        assert writing.result(10)[0] in (200, 204)

    readers = artifact.seen_by("read")
    assert readers == before or (step in ("manifest-read", "listed") and readers == wanted)
    assert newest(artifact.seen_by("write")) == wanted
    assert newest(artifact.held()) == wanted
    assert commit(artifact) == (NOT_STAGED if readers == wanted else OK)
    check(artifact, Sight(wanted, wanted, 2 if readers == wanted else 3, edit=False, stranger={}))


UNPUT = ("PUT", "{key}/manifest.yaml$", "before")


@pytest.mark.parametrize("step", [UNPUT, STEPS["manifest-put"], STEPS["stage-removed"]])
@pytest.mark.parametrize("first", [commit, put_manifest])
def test_readers_see_a_version_whole_before_its_keys_are_in_place(
    tapped: Gateway, tap: WireTap, prefix: str, step: Step, first: Callable[[Artifact], Answer]
) -> None:
    artifact = bring(tapped, prefix, "editing")
    method, target, when = step
    pause = tap.pause_on(method, target.format(key=prefix), when=when)
    files = {MANIFEST: TWO if first is commit else ONE, DATA: b"two"}

    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(first, artifact)
        pause.wait()
        assert artifact.seen_by("read") == files
        assert artifact.version == 2
        pause.resume()
        assert committing.result(10) == OK

    check(artifact, Sight(files, files, 2, edit=False, stranger={}))


def test_a_reader_who_completes_a_commit_is_shown_that_version(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    """Also when another is committed meanwhile, and its manifest has no key yet."""
    artifact = bring(tapped, prefix, "editing")
    target = f"{prefix}/manifest.yaml$"

    def read() -> bytes:
        client = tapped.s3("read")
        found: bytes = client.get_object(Bucket=artifact.bucket, Key=artifact.key(MANIFEST))[
            "Body"
        ].read()
        return found

    with ThreadPoolExecutor(3) as pool:
        second = tap.pause_on("PUT", target)
        committing = pool.submit(commit, artifact)
        second.wait()
        completed = tap.pause_on("PUT", target)
        reading = pool.submit(read)
        completed.wait()
        second.resume()
        assert committing.result(10) == OK
        artifact.put(STAGED, THREE)
        third = tap.pause_on("PUT", target)
        committing = pool.submit(commit, artifact)
        third.wait()
        completed.resume()
        assert reading.result(10) == TWO
        third.resume()
        assert committing.result(10) == OK

    files = {MANIFEST: THREE, DATA: b"two"}
    check(artifact, Sight(files, files, 3, edit=False, stranger={}))


def wait_a_moment(writing: Future[Answer]) -> None:
    """Return when the write is done, or clearly waits for the commit's end."""
    deadline = time.monotonic() + 0.2
    while not writing.done() and time.monotonic() < deadline:
        time.sleep(0.005)


def discard(artifact: Artifact) -> Answer:
    """The answer to a discard."""
    return refusal(lambda: artifact.rpc("discard"))


def delete_version(artifact: Artifact) -> Answer:
    """The answer to a DELETE of the newest version of a file, by its id."""
    version = artifact.held_versions(DATA)[0]
    return outcome(lambda: artifact.delete(DATA, VersionId=version))


@pytest.mark.parametrize(("take", "told"), [(discard, OK), (delete_version, (403, "AccessDenied"))])
@pytest.mark.parametrize("step", ["listed", "record", "recorded"])
def test_what_takes_versions_away_waits_for_a_commit_that_pins_them(
    tapped: Gateway,
    tap: WireTap,
    prefix: str,
    step: str,
    take: Callable[[Artifact], Answer],
    told: Answer,
) -> None:
    artifact = bring(tapped, prefix, "editing")
    method, target, when = STEPS[step]
    pause = tap.pause_on(method, target.format(key=prefix), when=when)

    with ThreadPoolExecutor(2) as pool:
        committing = pool.submit(commit, artifact)
        pause.wait()
        taking = pool.submit(take, artifact)
        wait_a_moment(taking)
        pause.resume()
        assert committing.result(10) == OK
        assert taking.result(10) == told

    files = {MANIFEST: TWO, DATA: b"two"}
    check(artifact, Sight(files, files, 2, edit=False, stranger={}))


def test_a_commit_waits_for_a_discard_that_has_begun(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    artifact = bring(tapped, prefix, "editing")
    pause = tap.pause_on("DELETE", f"{prefix}/{DATA}.*versionId")

    with ThreadPoolExecutor(2) as pool:
        discarding = pool.submit(discard, artifact)
        pause.wait()
        committing = pool.submit(commit, artifact)
        wait_a_moment(committing)
        pause.resume()
        assert discarding.result(10) == OK
        assert committing.result(10) == NOT_STAGED

    check(artifact, Sight(COMMITTED, COMMITTED, 1, edit=False, stranger={}))


def rollback(artifact: Artifact) -> Answer:
    """The answer to a rollback to the first version."""
    return refusal(lambda: artifact.rpc("rollback", version=1))


def twice_committed(gateway: Gateway, prefix: str) -> Artifact:
    """An artifact whose second version has another file, and another content of the first."""
    artifact = bring(gateway, prefix, "edited")
    artifact.put(EXTRA, b"extra")
    assert commit(artifact) == OK
    return artifact


SECOND = {MANIFEST: ONE, DATA: b"two", EXTRA: b"extra"}


@pytest.mark.parametrize(
    ("path", "body"), [(DATA, b"three"), (EXTRA, b"three"), ("new", b"three"), (STAGED, THREE)]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_put_during_a_rollback_is_staged_and_it_leaves_nothing(
    tapped: Gateway, tap: WireTap, prefix: str, path: str, body: bytes, when: When
) -> None:
    """The last thing that a rollback does before it commits is to remove a file."""
    artifact = twice_committed(tapped, prefix)
    pause = tap.pause_on("DELETE", f"{prefix}/{EXTRA}", when=when)

    with ThreadPoolExecutor(1) as pool:
        rolling = pool.submit(rollback, artifact)
        pause.wait()
        artifact.put(path, body)
        pause.resume()
        # A PUT that comes before the removal is covered by it, and goes on where that is refused.
        assert rolling.result(10) == (OK if (path, when) == (EXTRA, "before") else CONFLICT)

    if (path, when) == (EXTRA, "before"):
        check(artifact, Sight(COMMITTED, COMMITTED, 3, edit=False, stranger={}))
        return
    assert artifact.seen_by("read") == SECOND
    assert artifact.version == 2
    expected = {**SECOND, path: body}
    if path == STAGED:
        del expected[MANIFEST]
    assert artifact.seen_by("write") == expected
    assert discard(artifact) == OK
    check(artifact, Sight(SECOND, SECOND, 2, edit=False, stranger={}))


def test_nobody_commits_half_of_a_rollback(tapped: Gateway, tap: WireTap, prefix: str) -> None:
    artifact = twice_committed(tapped, prefix)
    pause = tap.pause_on("DELETE", f"{prefix}/{EXTRA}")

    with ThreadPoolExecutor(2) as pool:
        rolling = pool.submit(rollback, artifact)
        pause.wait()
        assert rollback(artifact)[0] == CONFLICT[0]
        committing = pool.submit(commit, artifact)
        wait_a_moment(committing)
        assert not committing.done()
        pause.resume()
        assert rolling.result(10) == OK
        assert committing.result(10) == NOT_STAGED

    check(artifact, Sight(COMMITTED, COMMITTED, 3, edit=False, stranger={}))


@pytest.mark.parametrize("take", [commit, discard])
def test_a_manifest_that_is_taken_before_its_put_has_been_answered_leaves_no_edit(
    tapped: Gateway, tap: WireTap, prefix: str, take: Callable[[Artifact], Answer]
) -> None:
    artifact = bring(tapped, prefix, "editing")
    pause = tap.pause_on("PUT", f"{prefix}/{STAGED}$", when="after")

    with ThreadPoolExecutor(1) as pool:
        staging = pool.submit(outcome, lambda: artifact.put(STAGED, THREE))
        pause.wait()
        newer = outcome(lambda: artifact.put(STAGED, TWO))
        taken = take(artifact)
        pause.resume()
        assert (newer, taken, staging.result(10)) == (OK, OK, OK)

    files = {MANIFEST: TWO, DATA: b"two"}
    sight = Sight(files, files, 2, edit=False, stranger={})
    check(
        artifact,
        sight if take is commit else Sight(COMMITTED, COMMITTED, 1, edit=False, stranger={}),
    )


@pytest.mark.parametrize("first", [commit, put_manifest])
def test_many_commits_at_once_make_one_version(
    gateway: Gateway, public_prefix: str, first: Callable[[Artifact], Answer]
) -> None:
    artifact = bring(gateway, public_prefix, "edited")

    answers = at_once(*[partial(first, artifact)] * 8)

    assert set(answers) <= {OK, CONFLICT, NOT_STAGED}
    if first is commit:
        assert answers.count(OK) == 1
    files = {MANIFEST: ONE, DATA: b"two"}
    check(artifact, Sight(files, files, 2, edit=False))


def test_commits_of_two_manifests_at_once_keep_one_whole(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")

    for number in range(10):
        sent = [manifest + b"# %d\n" % number for manifest in (TWO, THREE)]
        before = artifact.version or 0

        answers = at_once(
            *(partial(outcome, partial(artifact.put, MANIFEST, body)) for body in sent)
        )

        assert set(answers) <= {OK, CONFLICT}
        assert OK in answers
        won = artifact.seen_by("read")
        assert won[MANIFEST] in [
            body for body, answer in zip(sent, answers, strict=True) if answer == OK
        ]
        assert artifact.version == before + answers.count(OK)
        assert artifact.seen_by("write") == won
        assert artifact.held() == {**COMMITTED, MANIFEST: won[MANIFEST]}
        assert yaml_name(artifact) in won[MANIFEST]


def yaml_name(artifact: Artifact) -> bytes:
    """The name that RPC reads from the committed manifest."""
    name: str = artifact.read()["name"]
    return name.encode()
