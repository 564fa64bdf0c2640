"""`put_file` in parts and `complete_file`: plain PUTs side by side, whole or nothing."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Document, Gateway, Key, RpcError
from tests.acceptance.parts import LEAST, Upload, begin, body_of, left, listed, sha256_of
from tests.acceptance.signer import Signer
from tests.acceptance.steps import content, keys_below, publish, refused, stage
from tests.acceptance.wire import When, WireTap

MEGABYTES = int(os.environ.get("PARTS_MEGABYTES", "100"))
FIRST, OTHER, LAST = b"1" * LEAST, b"2" * LEAST, b"the end"


def staged(gateway: Gateway, prefix: str, path: str = "big.bin") -> Document:
    files = gateway.rpc("list_files", prefix=prefix, stage=True)
    return next((each for each in files if each["path"] == path), None)


def test_a_large_file_goes_in_parallel_parts(gateway: Gateway, public_prefix: str) -> None:
    prefix, pieces = public_prefix, body_of(MEGABYTES, 10)
    stage(gateway, prefix, {})
    options: Document = {"download_weight": 0.5, "content_type": "video/mp4"}
    upload = begin(gateway, prefix, len(pieces), **options)
    parts = upload.put_all(pieces)
    assert staged(gateway, prefix) is None

    told = upload.complete(parts)

    assert told == staged(gateway, prefix)
    assert (told["size"], told["content_type"]) == (MEGABYTES << 20, "video/mp4")
    assert told["download_weight"] == 0.5
    door = f"/{WORKSPACE}/artifact/{prefix}/big.bin"
    assert gateway.anonymous("GET", door).status_code == 404
    assert keys_below(gateway.s3("read"), prefix) == {}

    assert gateway.rpc("commit", prefix=prefix)["version"] == 1
    assert left(gateway, prefix) == []
    read = gateway.anonymous("GET", door, stream=True)
    assert (read.status_code, read.headers["Content-Type"]) == (200, "video/mp4")
    assert sha256_of(read.iter_content(1 << 20)) == sha256_of(pieces)
    stats = gateway.rpc("read", prefix=prefix, silent=True)["_stats"]
    assert stats["download_count"] == 0.5


def test_parts_come_in_any_order_and_of_one_put_twice_the_last_counts(
    gateway: Gateway, prefix: str
) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 3, "some/where.bin")
    etags = {3: upload.put(3, LAST), 1: upload.put(1, OTHER)}
    etags |= {2: upload.put(2, OTHER), 1: upload.put(1, FIRST)}

    told = upload.complete(listed([etags[1], etags[2], etags[3]]))

    assert (told["name"], told["path"]) == ("where.bin", "some/where.bin")
    gateway.rpc("commit", prefix=prefix)
    assert content(gateway.s3("read"), f"{prefix}/some/where.bin") == FIRST + OTHER + LAST


def test_fewer_parts_than_were_announced_make_a_file(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 4)
    told = upload.complete([{"part_number": 3, "etag": upload.put(3, LAST).strip('"')}])
    assert told["size"] == len(LAST)
    assert content(gateway.s3(), f"{prefix}/big.bin") == LAST


def test_what_does_not_fit_is_refused_and_can_be_put_right(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 3)
    one, end = upload.put(1, FIRST), upload.put(2, LAST)
    for code, parts in (
        ("InvalidPart", listed([one, one])),
        ("InvalidPart", listed([one, f'"{"0" * 32}"'])),
        ("InvalidPart", [*listed([one]), {"part_number": 3, "etag": end}]),
        ("InvalidPartOrder", listed([one, end])[::-1]),
        ("InvalidPartOrder", [listed([one])[0], *listed([one, end])]),
    ):
        with refused(code, 400) as refusal:
            upload.complete(parts)
        if code == "InvalidPart":
            assert refusal.details["parts"] == [parts[1]["part_number"]]
        else:
            assert "ascending" in refusal.message
    with refused("EntityTooSmall", 400):
        upload.complete(listed([one, end, upload.put(3, LAST)]))
    with refused("MissingFiles", 409) as missing:
        gateway.rpc("commit", prefix=prefix)
    assert missing.details["missing"] == ["big.bin"]
    assert staged(gateway, prefix) is None

    assert upload.complete(listed([one, end]))["size"] == LEAST + len(LAST)
    assert gateway.rpc("commit", prefix=prefix)["version"] == 1


def test_completed_again_it_is_what_it_was(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 1)
    parts = listed([upload.put(1, LAST)])
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(upload.complete, [parts] * 3))
    assert told == [staged(gateway, prefix)] * 3
    assert upload.complete(parts) == told[0]
    assert upload.answer(1, FIRST).status_code == 404
    gateway.rpc("commit", prefix=prefix)
    assert content(gateway.s3("read"), f"{prefix}/big.bin") == LAST


def test_a_committed_file_is_replaced_by_its_parts(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"big.bin": b"before"}, files=[{"path": "big.bin"}])
    gateway.rpc("edit", prefix=prefix)
    upload = begin(gateway, prefix, 1)
    parts = listed([upload.put(1, LAST)])
    assert content(gateway.s3(), f"{prefix}/big.bin") == b"before"
    upload.complete(parts)
    assert content(gateway.s3(), f"{prefix}/big.bin") == LAST
    assert content(gateway.s3("read"), f"{prefix}/big.bin") == b"before"

    gateway.rpc("discard", prefix=prefix)
    assert content(gateway.s3(), f"{prefix}/big.bin") == b"before"


def remove(gateway: Gateway, prefix: str) -> None:
    gateway.rpc("remove_file", prefix=prefix, file_path="big.bin")


def end_by(method: str, gateway: Gateway, prefix: str) -> None:
    gateway.rpc(method, prefix=prefix)


DISCARD, DELETE = partial(end_by, "discard"), partial(end_by, "delete")


def start_anew(gateway: Gateway, prefix: str) -> None:
    fields = {"type": "dataset"}
    gateway.rpc("create", prefix=prefix, manifest=fields, stage=True, overwrite=True)


@pytest.mark.parametrize(
    "end",
    [DISCARD, DELETE, remove, start_anew],
    ids=["discard", "delete", "remove_file", "create"],
)
@pytest.mark.parametrize("state", ["new", "editing"])
def test_nothing_is_left_of_an_upload_that_ended(
    gateway: Gateway, prefix: str, end: Callable[[Gateway, str], None], state: str
) -> None:
    if state == "editing":
        publish(gateway, prefix, {"a.csv": b"a"})
    client = stage(gateway, prefix, {"b.csv": b"b"})
    theirs = client.create_multipart_upload(Bucket=WORKSPACE, Key=f"{prefix}/big.bin")
    upload, done = begin(gateway, prefix, 2), begin(gateway, prefix, 1, "done.bin")
    parts = listed([upload.put(1, LAST)])
    done.complete(listed([done.put(1, LAST)]))
    assert left(gateway, prefix) == [f"{prefix}/big.bin"] * 2

    end(gateway, prefix)

    assert left(gateway, prefix) == [f"{prefix}/big.bin"]  # a client's own is its own
    address = {"Bucket": WORKSPACE, "Key": f"{prefix}/big.bin", "UploadId": theirs["UploadId"]}
    client.abort_multipart_upload(**address)
    assert left(gateway, prefix) == []
    late = upload.answer(2, LAST)
    open_still = end in {remove, start_anew}
    expected = (404, "NoSuchUpload") if open_still else (409, "NotStaged")
    assert (late.status_code, expected[1] in late.text) == (expected[0], True)
    with pytest.raises(RpcError) as caught:
        upload.complete(parts)
    missing = "NoSuchArtifact" if state == "new" or end is DELETE else "NotStaged"
    assert caught.value.code == ("NoSuchUpload" if open_still else missing)
    assert left(gateway, prefix) == []


@pytest.mark.parametrize("ending", ["commit", "discard"])
def test_another_edit_knows_nothing_of_it(gateway: Gateway, prefix: str, ending: str) -> None:
    publish(gateway, prefix, {"big.bin": b"before"})
    gateway.rpc("edit", prefix=prefix)
    upload = begin(gateway, prefix, 2)
    parts = listed([upload.put(1, LAST)])
    gateway.s3().put_object(Bucket=WORKSPACE, Key=f"{prefix}/a.csv", Body=b"a")
    gateway.rpc(ending, prefix=prefix)
    with refused("NotStaged", 409):
        upload.complete(parts)
    assert (upload.answer(2, LAST).status_code, upload.answer(1, LAST).status_code) == (409, 409)

    gateway.rpc("edit", prefix=prefix)
    with refused("NoSuchUpload", 404):
        upload.complete(parts)
    assert upload.answer(2, LAST).status_code == 409
    assert content(gateway.s3(), f"{prefix}/big.bin") == b"before"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_part_that_arrives_while_its_edit_ends_is_not_kept(
    tapped: Gateway, tap: WireTap, when: When
) -> None:
    prefix = tapped.new_prefix()
    publish(tapped, prefix, {"a.csv": b"a"})
    tapped.rpc("edit", prefix=prefix)
    upload = begin(tapped, prefix, 1)
    pause = tap.pause_on("PUT", f"{prefix}/big.bin.*partNumber=1", when=when)
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(upload.answer, 1, FIRST)
        pause.wait()
        tap.forget()
        tapped.rpc("discard", prefix=prefix)
        pause.resume()
        late = putting.result()
    assert (late.status_code, "NotStaged" in late.text) == (409, True)
    aborted = [each for each in tap.requests if "uploadId" in each.query]
    assert [each.method for each in aborted] == ["DELETE", "DELETE"]
    assert left(tapped, prefix) == []


def begin_by(gateway: Gateway, key: Key, prefix: str) -> Upload:
    """An upload in two parts that the key's holder began."""
    target = f"/_rpc/{WORKSPACE}/put_file"
    call = {"prefix": prefix, "file_path": "big.bin", "options": {"parts": 2}}
    body = json.dumps(call).encode()
    signer = Signer(f"127.0.0.1:{gateway.port}", key)
    payload = hashlib.sha256(body).hexdigest()
    headers = signer.headers("POST", target, {"content-type": "application/json"}, payload)
    told = json.loads(gateway.request("POST", target, headers, body).body)
    urls = [part["url"] for part in told["parts"]]
    return Upload(gateway, prefix, "big.bin", told["upload_id"], urls)


def test_a_url_is_for_its_part_alone_and_ends_with_its_issuers_grant(
    gateway: Gateway, prefix: str
) -> None:
    stage(gateway, prefix, {})
    made = gateway.rpc("keys.create", key="admin", name="passing", grants={WORKSPACE: "write"})
    passing = Key(made["access_key_id"], made["secret_access_key"], "passing", {})
    upload = begin_by(gateway, passing, prefix)
    url = upload.urls[0]
    assert "stage=" in url
    for changed in (
        url.replace("partNumber=1", "partNumber=2"),
        url.replace("big.bin", "other.bin"),
        url.split("&stage=")[0] + "&" + url.split("&stage=")[1].partition("&")[2],
    ):
        assert requests.put(changed, data=b"x", timeout=30).status_code == 403
    assert requests.get(url, timeout=30).status_code == 403
    assert upload.answer(1, LAST).status_code == 200
    gateway.rpc("keys.revoke", key="admin", access_key_id=passing.access_key_id)
    assert upload.answer(2, LAST).status_code == 403


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"parts": 0}, "InvalidArgument"),
        ({"parts": 10_001}, "InvalidArgument"),
        ({"parts": -1}, "InvalidArgument"),
        ({"parts": "2"}, "InvalidArgument"),
        ({"parts": 2, "expires_in": 0}, "InvalidArgument"),
        ({"parts": 2, "content_type": "a/b\r\nx-evil: 1"}, "InvalidArgument"),
        ({"content_type": "text/csv"}, "InvalidArgument"),
        ({"parts": 2, "download_weight": -1}, "InvalidWeight"),
    ],
)
def test_what_no_upload_begins_with(
    gateway: Gateway, prefix: str, options: Document, code: str
) -> None:
    stage(gateway, prefix, {})
    with refused(code, 400):
        gateway.rpc("put_file", prefix=prefix, file_path="big.bin", options=options)
    assert left(gateway, prefix) == []
    assert gateway.rpc("commit", prefix=prefix)["version"] == 1  # nothing was announced


def test_what_completes_nothing(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 2)
    one = upload.put(1, LAST)
    part = {"part_number": 1, "etag": one}
    bad: list[Document] = [
        [],
        "1",
        [1],
        [{"part_number": 1}],
        [{"etag": one}],
        [part | {"part_number": 0}],
        [part | {"part_number": 10_001}],
        [part | {"part_number": True}],
        [part | {"etag": ""}],
        [part | {"size": 7}],
    ]
    for parts in bad:
        with refused("InvalidArgument", 400):
            gateway.rpc(
                "complete_file",
                prefix=prefix,
                file_path="big.bin",
                upload_id=upload.upload_id,
                parts=parts,
            )
    other = Upload(gateway, prefix, "other.bin", upload.upload_id, upload.urls)
    with refused("NoSuchUpload", 404):
        other.complete([part])
    with refused("NoSuchUpload", 404):
        Upload(gateway, prefix, "big.bin", "no-such", upload.urls).complete([part])
    with refused("AccessDenied", 403):
        gateway.rpc(
            "complete_file",
            key="read",
            prefix=prefix,
            file_path="big.bin",
            upload_id=upload.upload_id,
            parts=[part],
        )
    assert upload.complete([part])["size"] == len(LAST)


def test_ten_thousand_parts_are_announced_at_once(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, {})
    upload = begin(gateway, prefix, 10_000)
    assert len(set(upload.urls)) == 10_000
    etag = upload.put(10_000, LAST)
    assert upload.complete([{"part_number": 10_000, "etag": etag}])["size"] == len(LAST)
