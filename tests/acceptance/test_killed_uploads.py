"""SIGKILL while files come in parts, and while a weight is set: the next start makes whole."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Document, Gateway
from tests.acceptance.parts import LEAST, Upload, begin, left, listed
from tests.acceptance.steps import content, publish, stage
from tests.acceptance.stopping import attempt
from tests.acceptance.wire import WireTap

FIRST, LAST = b"1" * LEAST, b"the end"
FOLDER = "killed-uploads/"
NAMES = ("between", "beginning", "completing", "discarding", "weighing")


@pytest.fixture(scope="module")
def listening(backend: Backend) -> Iterator[WireTap]:
    """A tap in front of the shared backend, of this module's own."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def mortal(
    backend: Backend, listening: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway to be killed, whose workspace is a folder of a bucket."""
    system = {"bucket": "artifact-gateway-system", "prefix": "killed-uploads/"}
    folder = tmp_path_factory.mktemp("mortal-uploads")
    workspaces = {WORKSPACE: {"bucket": backend.bucket, "prefix": FOLDER}}
    settings = {"system": system, "workspaces": workspaces}
    running = Gateway(backend, folder, settings, endpoint_url=listening.url)
    try:
        yield running.start()
    finally:
        listening.cut()
        running.stop()


def held(gateway: Gateway, prefix: str) -> list[str]:
    """The keys of uploads below the prefix of which the backend holds something."""
    return left(gateway, FOLDER + prefix)


@pytest.fixture(scope="module")
def places(mortal: Gateway) -> Mapping[str, str]:
    """A prefix for each scene, committed once, with an edit open."""
    found = {name: f"{mortal.new_prefix()}-{name}" for name in NAMES}
    for prefix in found.values():
        publish(mortal, prefix, {"a.csv": b"a"})
        stage(mortal, prefix, {})
    return found


@pytest.fixture(scope="module")
def uploads(
    mortal: Gateway, listening: WireTap, places: Mapping[str, str]
) -> Mapping[str, tuple[Upload, list[Document]]]:
    """Uploads with the parts that came, of scenes at whose stops the gateway was killed."""
    begun = {
        name: begin(mortal, places[name], 2) for name in ("between", "completing", "discarding")
    }
    uploads = {name: (each, listed([each.put(1, FIRST)])) for name, each in begun.items()}
    completing, parts = uploads["completing"]
    calls = {
        "beginning": partial(begin, mortal, places["beginning"], 2),
        "completing": partial(completing.complete, parts),
        "discarding": partial(mortal.rpc, "discard", prefix=places["discarding"]),
        "weighing": partial(
            mortal.rpc, "set_download_weight", prefix=places["weighing"], path="a.csv", weight=3
        ),
    }
    stops = [
        listening.pause_on("POST", f"{places['beginning']}/.*uploads", when="after"),
        listening.pause_on("POST", f"{places['completing']}/.*uploadId", when="after"),
        listening.pause_on("DELETE", f"{places['discarding']}/.*uploadId", when="before"),
        listening.pause_on("PUT", "/artifact-gateway-system/.*weights/", when="after"),
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        for call in calls.values():
            pool.submit(attempt, call)
        for stop in stops:
            stop.wait()
        assert held(mortal, places["beginning"]) == [f"{FOLDER}{places['beginning']}/big.bin"]
        mortal.kill()
        listening.cut()
    mortal.start()
    return uploads


def test_an_upload_goes_on_after_a_restart(
    mortal: Gateway, uploads: Mapping[str, tuple[Upload, list[Document]]]
) -> None:
    upload, parts = uploads["between"]
    both = [*parts, {"part_number": 2, "etag": upload.put(2, LAST)}]
    assert upload.complete(both)["size"] == len(FIRST + LAST)
    assert mortal.rpc("commit", prefix=upload.prefix)["version"] == 2
    assert content(mortal.s3("read"), f"{upload.prefix}/big.bin") == FIRST + LAST
    assert held(mortal, upload.prefix) == []


@pytest.mark.usefixtures("uploads")
def test_an_upload_that_nobody_learned_of_is_aborted(
    mortal: Gateway, places: Mapping[str, str]
) -> None:
    prefix = places["beginning"]
    assert held(mortal, prefix) == []
    upload = begin(mortal, prefix, 1)
    upload.complete(listed([upload.put(1, LAST)]))
    assert mortal.rpc("commit", prefix=prefix)["version"] == 2


def test_a_completion_whose_answer_got_lost_is_there(
    mortal: Gateway, uploads: Mapping[str, tuple[Upload, list[Document]]]
) -> None:
    upload, parts = uploads["completing"]
    assert content(mortal.s3(), f"{upload.prefix}/big.bin") == FIRST
    assert content(mortal.s3("read"), f"{upload.prefix}/big.bin") is None
    assert upload.complete(parts)["size"] == len(FIRST)
    assert mortal.rpc("commit", prefix=upload.prefix)["version"] == 2
    assert held(mortal, upload.prefix) == []


def test_what_a_discard_did_not_abort_is_aborted(
    mortal: Gateway, uploads: Mapping[str, tuple[Upload, list[Document]]]
) -> None:
    upload, _ = uploads["discarding"]
    assert held(mortal, upload.prefix) == []
    assert upload.answer(2, LAST).status_code == 409


@pytest.mark.usefixtures("uploads")
def test_a_weight_whose_record_stands_is_given(mortal: Gateway, places: Mapping[str, str]) -> None:
    (file,) = mortal.rpc("list_files", prefix=places["weighing"])
    assert file["download_weight"] == 3
