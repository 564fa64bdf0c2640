"""`set_download_weight`: at once, for good, and what may choose another weight after it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.steps import downloads_of, publish, put, refused, stage
from tests.acceptance.wire import WireTap

LISTED = [{"path": "a.csv", "download_weight": 1}]


def weigh(gateway: Gateway, prefix: str, weight: Document, path: str = "a.csv") -> None:
    answer = gateway.rpc("set_download_weight", prefix=prefix, path=path, weight=weight)
    assert answer is None


def weight_of(gateway: Gateway, prefix: str, path: str = "a.csv", **options: Document) -> float:
    files = gateway.rpc("list_files", prefix=prefix, **options)
    return float(next(each["download_weight"] for each in files if each["path"] == path))


def download(gateway: Gateway, prefix: str, path: str = "a.csv") -> bytes:
    answer = gateway.s3("read").get_object(Bucket=WORKSPACE, Key=f"{prefix}/{path}")
    body: bytes = answer["Body"].read()
    return body


def test_the_next_download_weighs_so(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a", "b.csv": b"b"})
    download(gateway, prefix)
    assert downloads_of(gateway, prefix) == 0

    for weight, count in ((0.5, 0.5), (2, 2.5), ("0.000001", 2.500001), (0, 2.500001)):
        weigh(gateway, prefix, weight)
        download(gateway, prefix)
        download(gateway, prefix, "b.csv")
        assert downloads_of(gateway, prefix) == count
        assert weight_of(gateway, prefix) == float(weight)
    assert gateway.rpc("read", prefix=prefix, silent=True)["_version"] == 1


def test_it_is_shown_to_who_edits_and_outlives_a_discard(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"})
    gateway.rpc("edit", prefix=prefix)
    weigh(gateway, prefix, 3)
    assert weight_of(gateway, prefix, stage=True) == 3
    gateway.rpc("discard", prefix=prefix)
    assert weight_of(gateway, prefix) == 3


def test_edits_that_speak_of_no_weight_keep_it(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"}, files=LISTED)
    weigh(gateway, prefix, 5)
    publish(gateway, prefix, {"b.csv": b"b"}, files=LISTED, name="two")
    assert weight_of(gateway, prefix) == 5
    publish(gateway, prefix, {"a.csv": b"other bytes"}, files=LISTED)
    assert weight_of(gateway, prefix) == 5
    publish(gateway, prefix, {}, name="files are listed no more")
    assert weight_of(gateway, prefix) == 5


@pytest.mark.parametrize("way", ["put_file", "metadata", "manifest"])
def test_a_commit_that_brings_a_weight_wins(gateway: Gateway, prefix: str, way: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"}, files=LISTED)
    weigh(gateway, prefix, 5)
    if way == "manifest":
        publish(gateway, prefix, {}, files=[{"path": "a.csv", "download_weight": 2}])
    elif way == "metadata":
        client = gateway.s3()
        metadata = {"download-weight": "2"}
        key = f"{prefix}/a.csv"
        client.put_object(Bucket=WORKSPACE, Key=key, Body=b"a", Metadata=metadata)
        gateway.rpc("commit", prefix=prefix)
    else:
        gateway.rpc("edit", prefix=prefix)
        options = {"download_weight": 2}
        url = gateway.rpc("put_file", prefix=prefix, file_path="a.csv", options=options)
        assert requests.put(url, data=b"a", timeout=30).ok
        gateway.rpc("commit", prefix=prefix)
    assert weight_of(gateway, prefix) == 2
    download(gateway, prefix)
    assert downloads_of(gateway, prefix) == 2


def test_a_rollback_keeps_what_was_set_since_and_nothing_that_was_replaced(
    gateway: Gateway, prefix: str
) -> None:
    publish(gateway, prefix, {"a.csv": b"1", "b.csv": b"1"}, files=LISTED)
    publish(gateway, prefix, {"a.csv": b"2", "b.csv": b"2"}, name="lists no files")
    weigh(gateway, prefix, 7)
    weigh(gateway, prefix, 4, "b.csv")
    listed = [{"path": "b.csv", "download_weight": 6}]
    publish(gateway, prefix, {}, files=listed)

    assert gateway.rpc("rollback", prefix=prefix, version=1)["version"] == 4

    assert download(gateway, prefix) == b"1"
    assert (weight_of(gateway, prefix), weight_of(gateway, prefix, "b.csv")) == (7, 0)
    assert downloads_of(gateway, prefix) == 7
    # The file as it was then, where nothing was set since.
    gateway.rpc("rollback", prefix=prefix, version=3)
    assert (weight_of(gateway, prefix), weight_of(gateway, prefix, "b.csv")) == (7, 6)


def test_a_new_artifact_at_the_prefix_knows_nothing_of_it(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"})
    weigh(gateway, prefix, 5)
    gateway.rpc("delete", prefix=prefix)
    publish(gateway, prefix, {"a.csv": b"a"})
    publish(gateway, prefix, {"a.csv": b"b"})
    gateway.rpc("rollback", prefix=prefix, version=3)
    assert weight_of(gateway, prefix) == 0


def test_it_is_for_committed_files_and_writers(gateway: Gateway, prefix: str) -> None:
    arguments: Document = {"prefix": prefix, "path": "a.csv", "weight": 1}
    with refused("NoSuchArtifact", 404):
        gateway.rpc("set_download_weight", **arguments)
    stage(gateway, prefix, {"a.csv": b"a"})
    with refused("NoSuchArtifact", 404):
        gateway.rpc("set_download_weight", **arguments)
    gateway.rpc("commit", prefix=prefix)
    put(gateway.s3(), prefix, {"staged.csv": b"s"})
    for path in ("staged.csv", "absent.csv"):
        with refused("NoSuchKey", 404):
            gateway.rpc("set_download_weight", **arguments | {"path": path})
    for path in ("manifest.yaml", "../a.csv"):
        with refused("InvalidPath", 400):
            gateway.rpc("set_download_weight", **arguments | {"path": path})
    no_weights: list[Document] = [-1, 1_000_001, 0.0000001, "heavy", float("nan")]
    for weight in no_weights:
        with refused("InvalidWeight", 400):
            gateway.rpc("set_download_weight", **arguments | {"weight": weight})
    no_numbers: list[Document] = [None, True, [1]]
    for weight in no_numbers:
        with refused("InvalidArgument", 400):
            gateway.rpc("set_download_weight", **arguments | {"weight": weight})
    with refused("AccessDenied", 403):
        gateway.rpc("set_download_weight", key="read", **arguments)
    assert weight_of(gateway, prefix) == 0


def test_a_commit_that_was_under_way_does_not_undo_it(tapped: Gateway, tap: WireTap) -> None:
    prefix = tapped.new_prefix()
    publish(tapped, prefix, {"a.csv": b"a"})
    put(tapped.s3(), prefix, {"b.csv": b"b"})
    pause = tap.pause_on("PUT", "/system-of-the-tapped/.*records/", when="before")
    with ThreadPoolExecutor(2) as pool:
        committing = pool.submit(tapped.rpc, "commit", prefix=prefix)
        pause.wait()
        setting = pool.submit(weigh, tapped, prefix, 9)
        tap_saw = tap.pause_on("PUT", "/system-of-the-tapped/.*weights/", nth=2, when="before")
        tap_saw.wait()  # it was set, and is set again: the commit may have looked before
        pause.resume()
        assert committing.result()["version"] == 2
        tap_saw.resume()
        setting.result()
    assert weight_of(tapped, prefix) == 9
    publish(tapped, prefix, {"c.csv": b"c"})
    assert weight_of(tapped, prefix) == 9
