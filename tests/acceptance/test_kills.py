"""SIGKILL at each step of a commit, a delete, a discard and a write: the next start makes whole.

A tap between gateway and backend stops one request of every operation. When all of them
stand still, the gateway is killed once, what was stopped is cut, and it is started again.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from tests.acceptance.harness import Backend, Document, Gateway
from tests.acceptance.sights import (
    COMMITTED,
    NOTHING,
    ONE,
    THREE,
    TWO,
    UNCHANGED,
    Sight,
    State,
    bring,
    check,
    committed,
    editing,
    new,
)
from tests.acceptance.stopping import Stop, attempt, stand_still
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact
from tests.acceptance.wire import Pause, WireTap

RECORD = "^/artifact-gateway-system/.*records/"
LATER = b"after the restart"


@dataclass(frozen=True, slots=True)
class Scene:
    """An operation on an artifact in a state, stopped and killed, and what must be true then.

    More than one outcome is given where either is whole.
    """

    name: str
    state: State
    call: Callable[[Artifact], Document]
    stop: Stop
    after: Sequence[Sight]


def rpc(method: str) -> Callable[[Artifact], Document]:
    return lambda artifact: artifact.rpc(method)


def put(path: str, body: bytes) -> Callable[[Artifact], Document]:
    return lambda artifact: artifact.put(path, body)


BEFORE_RECORD = {
    "before-reading": Stop("GET", "{key}/_manifest.yaml", "before"),
    "before-listing": Stop("GET", "list-type=2.*prefix={key}/", "before"),
    "after-listing": Stop("GET", "list-type=2.*prefix={key}/", "after"),
    "before-record": Stop("PUT", RECORD, "before"),
}
FROM_RECORD = {
    "after-record": Stop("PUT", RECORD, "after"),
    "before-manifest": Stop("PUT", "{key}/manifest.yaml$", "before"),
    "after-manifest": Stop("PUT", "{key}/manifest.yaml$", "after"),
}
REMOVING = {
    "before-removing-stage": Stop("DELETE", "{key}/_manifest.yaml", "before"),
    "after-removing-one": Stop("DELETE", "{key}/_manifest.yaml", "after"),
    "before-removing-older": Stop("DELETE", "{key}/_manifest.yaml", "before", 2),
    "after-removing-older": Stop("DELETE", "{key}/_manifest.yaml", "after", 2),
}


def commit_scenes() -> Iterator[Scene]:
    """Commits of the stage, by RPC, by COPY and by PUT."""
    ways: Mapping[str, tuple[Callable[[Artifact], Document], bytes]] = {
        "commit": (rpc("commit"), TWO),
        "copy": (Artifact.rename, TWO),
        "put": (put(MANIFEST, THREE), THREE),
    }
    for way, (call, manifest) in ways.items():
        done = [committed({MANIFEST: manifest, DATA: b"two"}, 2)]
        for name, stop in BEFORE_RECORD.items():
            if way == "commit" or name == "before-record":
                yield Scene(f"{way}-{name}", "editing", call, stop, [UNCHANGED["editing"]])
        for name, stop in FROM_RECORD.items():
            yield Scene(f"{way}-{name}", "editing", call, stop, done)
        for name, stop in REMOVING.items() if way == "commit" else ():
            yield Scene(f"{way}-{name}", "editing", call, stop, done)
    first = [committed(COMMITTED, 1)]
    for name, stop in BEFORE_RECORD.items():
        yield Scene(f"first-{name}", "new", rpc("commit"), stop, [UNCHANGED["new"]])
    for name, stop in FROM_RECORD.items():
        yield Scene(f"first-{name}", "new", rpc("commit"), stop, first)
    only = put(MANIFEST, THREE)
    yield Scene("alone-before", "nothing", only, BEFORE_RECORD["before-record"], [NOTHING])
    for name, stop in FROM_RECORD.items():
        yield Scene(f"alone-{name}", "nothing", only, stop, [committed({MANIFEST: THREE}, 1)])


KEY_GOES = "{key}/|[?]delete"


def delete_scenes() -> Iterator[Scene]:
    """Deletes: undone before the tombstone, rolled forward from there on."""
    stops = {
        "after-tombstone": Stop("PUT", RECORD, "after"),
        "before-first-key": Stop("DELETE|POST", KEY_GOES, "before"),
        "after-first-key": Stop("DELETE|POST", KEY_GOES, "after"),
        "before-second-key": Stop("DELETE|POST", KEY_GOES, "before", 2),
        "after-last-key": Stop("DELETE|POST", KEY_GOES, "after", 3),
    }
    delete = rpc("delete")
    states: Sequence[State] = ("committed", "editing")
    for state in states:
        early = Stop("PUT", RECORD, "before")
        yield Scene(f"delete-{state}-before-tombstone", state, delete, early, [UNCHANGED[state]])
        for name, stop in stops.items():
            if state == "committed" and stop.nth > 2:
                continue  # it has two keys alone
            yield Scene(f"delete-{state}-{name}", state, delete, stop, [NOTHING])


def discard_scenes() -> Iterator[Scene]:
    """Discards: whole before they took anything away, rolled forward afterwards."""
    undone = {
        "before-first-key": Stop("DELETE|POST", KEY_GOES, "before"),
    }
    done = {
        "after-first-key": Stop("DELETE|POST", KEY_GOES, "after"),
        "before-second-key": Stop("DELETE|POST", KEY_GOES, "before", 2),
        "after-second-key": Stop("DELETE|POST", KEY_GOES, "after", 2),
    }
    discard = rpc("discard")
    ends: Mapping[State, Sight] = {"editing": UNCHANGED["committed"], "new": NOTHING}
    for state, end in ends.items():
        for name, stop in undone.items():
            either = [UNCHANGED[state], end]
            yield Scene(f"discard-{state}-{name}", state, discard, stop, either)
        for name, stop in done.items():
            yield Scene(f"discard-{state}-{name}", state, discard, stop, [end])


def write_scenes() -> Iterator[Scene]:
    """Writes: the mark came before the bytes, so no reader ever sees them."""
    data, manifest = "{key}/data.csv$", "{key}/_manifest.yaml$"
    change, stage = put(DATA, THREE), put(STAGED, THREE)
    took = editing({MANIFEST: ONE, DATA: THREE})
    gone = editing({MANIFEST: ONE})
    staged = editing({STAGED: THREE, DATA: b"one"})

    def drop(artifact: Artifact) -> Document:
        return artifact.delete(DATA)

    nowhere, still = [NOTHING], [UNCHANGED["committed"]]
    for name, state, call, method, target, before, after in (
        ("put", "committed", change, "PUT", data, still, [took]),
        ("delete-file", "committed", drop, "DELETE", data, still, [gone]),
        ("stage", "committed", stage, "PUT", manifest, still, [staged]),
        ("stage-new", "nothing", stage, "PUT", manifest, nowhere, [new({STAGED: THREE})]),
    ):
        early, late = Stop(method, target, "before"), Stop(method, target, "after")
        yield Scene(f"{name}-before", state, call, early, before)  # type: ignore[arg-type]
        yield Scene(f"{name}-after", state, call, late, after)  # type: ignore[arg-type]


SCENES = [*commit_scenes(), *delete_scenes(), *discard_scenes(), *write_scenes()]


@dataclass(frozen=True, slots=True)
class Played:
    """A scene whose gateway was killed: its artifact, and whether it was stopped there."""

    artifact: Artifact
    stopped: bool


def play(tap: WireTap, pool: ThreadPoolExecutor, scene: Scene, artifact: Artifact) -> bool:
    """Whether the scene's operation has come to its stop."""
    return stand_still(tap, pool, scene.stop, artifact.prefix, partial(scene.call, artifact))


def prepare(gateway: Gateway, scene: Scene) -> Artifact:
    """An artifact in the scene's state, with an older version of its staged manifest."""
    artifact = bring(gateway, gateway.new_prefix(public=True), scene.state)
    if scene.state == "editing":
        artifact.put(STAGED, THREE)
        artifact.put(STAGED, TWO)
    return artifact


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """A tap in front of the shared backend."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def mortal(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of this module's own, to be killed."""
    system = {"bucket": "artifact-gateway-system", "prefix": "kills/"}
    folder = tmp_path_factory.mktemp("mortal")
    running = Gateway(backend, folder, {"system": system}, endpoint_url=tap.url)
    try:
        yield running.start()
    finally:
        tap.cut()
        running.stop()


@pytest.fixture(scope="module")
def aftermath(mortal: Gateway, tap: WireTap) -> Mapping[str, Played]:
    """Every scene, played until its stop; then one SIGKILL, and another start."""
    artifacts = {scene.name: prepare(mortal, scene) for scene in SCENES}
    played: dict[str, Played] = {}
    with ThreadPoolExecutor(len(SCENES)) as pool:
        for scene in SCENES:
            artifact = artifacts[scene.name]
            played[scene.name] = Played(artifact, play(tap, pool, scene, artifact))
        mortal.kill()
        tap.cut()
    mortal.start()
    return played


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_killed_gateway_is_made_whole_by_the_next_start(
    aftermath: Mapping[str, Played], scene: Scene
) -> None:
    played = aftermath[scene.name]
    artifact = played.artifact
    assert played.stopped, "the gateway never sent the request at which it was to be killed"
    committing = any(each.version == 2 for each in scene.after)
    if committing:
        assert artifact.held_versions(STAGED) == []

    writers = artifact.seen_by("write")
    expected = next((each for each in scene.after if each.writer == writers), scene.after[0])

    check(artifact, expected)
    goes_on(artifact, expected)


def goes_on(artifact: Artifact, before: Sight) -> None:
    """Assert that the artifact is edited and committed as if nothing had happened."""
    if before.edit:  # `check` announced a file, by asking
        artifact.rpc("remove_file", file_path="asked.txt")
    artifact.put(EXTRA, LATER)
    artifact.put(MANIFEST, ONE)
    kept = {path: body for path, body in before.writer.items() if path not in (STAGED, MANIFEST)}
    files = {**kept, EXTRA: LATER, MANIFEST: ONE}
    assert artifact.seen_by("read") == files
    assert artifact.seen_by("write") == files
    assert artifact.held() == files
    assert artifact.version is not None
    assert artifact.version > (before.version or 0)


def test_killed_while_it_makes_whole(mortal: Gateway, tap: WireTap) -> None:
    artifact = bring(mortal, mortal.new_prefix(public=True), "editing")
    kill_at(mortal, tap, Stop("PUT", RECORD, "after"), partial(artifact.rpc, "commit"))

    pause = tap.pause_on("PUT", f"{artifact.prefix}/manifest.yaml$", when="after")
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_when, mortal, pause)
        attempt(partial(start_and_touch, mortal, artifact))
        killing.result()
    tap.cut()
    mortal.start()
    assert pause.reached, "it was ready, and read, without having finished the commit"

    check(artifact, committed({MANIFEST: TWO, DATA: b"two"}, 2))


def kill_at(gateway: Gateway, tap: WireTap, stop: Stop, call: Callable[[], Document]) -> None:
    """Kill the gateway while the call stands at the stop."""
    pause = tap.pause_on(stop.method, stop.target, nth=stop.nth, when=stop.when)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(attempt, call)
        pause.wait()
        gateway.kill()
        tap.cut()


def kill_when(gateway: Gateway, pause: Pause) -> None:
    """Kill the gateway once the pause is reached, and at the latest after some seconds."""
    deadline = time.monotonic() + 10
    while not pause.reached and time.monotonic() < deadline:
        time.sleep(0.005)
    gateway.kill()


def start_and_touch(gateway: Gateway, artifact: Artifact) -> None:
    """Start the gateway, and read the artifact: one of them completes its commit."""
    gateway.start()
    artifact.seen_by("write")


def test_database_that_missed_the_commit_learns_of_it(mortal: Gateway, tap: WireTap) -> None:
    """Three commits in a row, each killed after its record: three versions."""
    artifact = bring(mortal, mortal.new_prefix(public=True), "committed")

    for number in range(2, 5):
        artifact.put(DATA, b"version %d" % number)
        kill_at(mortal, tap, Stop("PUT", RECORD, "after"), partial(artifact.rpc, "commit"))
        mortal.start()
        assert artifact.seen_by("read") == {MANIFEST: ONE, DATA: b"version %d" % number}
        assert artifact.version == number

    check(artifact, committed({MANIFEST: ONE, DATA: b"version 4"}, 4))
