"""`?format=zip`: an artifact's files, or a folder's, as one archive of one version."""

import hashlib
import http.client
import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from tests.acceptance.edited import COMMITTED, Edited
from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import downloads_of, make_gallery, manifest, publish, put, stage

FILES = {
    "data.csv": b"a,b\n1,2\n",
    "empty": b"",
    "büro/数据 🧪.txt": "ünï".encode(),
    "büro/deep/er.bin": hashlib.shake_128(b"deep").digest(3_000_000),
    "büroklammer": b"clip",
    "dir/manifest.yaml": b"an ordinary file",
    "one.bin": b"1",
}


def door(prefix: str, path: str = "") -> str:
    return f"/{WORKSPACE}/artifact/{prefix}{path}"


def fetch(
    gateway: Gateway, target: str, headers: dict[str, str] | None = None, **parameters: str
) -> requests.Response:
    params = {"format": "zip", **parameters}
    return gateway.anonymous("GET", target, headers=headers, params=params)


def bearer(gateway: Gateway, right: str) -> dict[str, str]:
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: right}, expires_in=60)
    return {"Authorization": f"Bearer {token['token'] if isinstance(token, dict) else token}"}


def unpacked(answer: requests.Response) -> dict[str, bytes]:
    """The archive's files, each once, below one folder, which is left out."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(names)
        assert len({name.split("/", 1)[0] for name in names}) == 1
        return {name.split("/", 1)[1]: archive.read(name) for name in names}


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture(scope="module")
def published(gateway: Gateway) -> str:
    """A public artifact of FILES, for tests that only read it."""
    prefix = gateway.new_prefix(public=True)
    publish(gateway, prefix, FILES, name="one")
    return prefix


def test_a_zip_holds_what_was_committed(gateway: Gateway, published: str) -> None:
    answer = fetch(gateway, door(published))
    assert unpacked(answer) == {**FILES, "manifest.yaml": manifest(name="one")}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    name = published.rsplit("/", 1)[1]
    assert answer.headers["Content-Disposition"] == (
        f"attachment; filename=\"{name}.zip\"; filename*=UTF-8''{name}.zip"
    )
    listed = gateway.s3().list_objects_v2(Bucket=WORKSPACE, Prefix=f"{published}/data.csv")
    stored: datetime = listed["Contents"][0]["LastModified"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        data = archive.getinfo(f"{name}/data.csv")
    assert data.compress_type == zipfile.ZIP_STORED
    told = datetime(*data.date_time, tzinfo=UTC)
    assert 0 <= (stored - told).total_seconds() < 2


def test_every_caller_who_may_read_gets_the_same_bytes(gateway: Gateway, published: str) -> None:
    answers = [
        fetch(gateway, door(published), bearer(gateway, right)) for right in ("read", "write")
    ]
    answers += [fetch(gateway, door(published)), fetch(gateway, door(published, "/"))]
    assert len({hashlib.sha256(each.content).digest() for each in answers}) == 1
    assert len({each.headers["ETag"] for each in answers}) == 1
    assert answers[0].headers["Cache-Control"] == "private, no-store"


def test_unzip_unpacks_it(gateway: Gateway, published: str, tmp_path: Path) -> None:
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    (tmp_path / "a.zip").write_bytes(fetch(gateway, door(published)).content)
    subprocess.run([program, "-q", "a.zip"], cwd=tmp_path, env={"LC_ALL": "C.UTF-8"}, check=True)
    for path, data in FILES.items():
        assert (tmp_path / published.rsplit("/", 1)[1] / path).read_bytes() == data


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_of_an_artifact(gateway: Gateway, published: str, slash: str) -> None:
    answer = fetch(gateway, door(published, f"/b%C3%BCro{slash}"))
    below = {path: data for path, data in FILES.items() if path.startswith("büro/")}
    assert unpacked(answer) == below
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"b_ro.zip\"; filename*=UTF-8''b%C3%BCro.zip"
    )
    deeper = fetch(gateway, door(published, f"/b%C3%BCro/deep{slash}"))
    assert unpacked(deeper) == {"büro/deep/er.bin": FILES["büro/deep/er.bin"]}
    assert answer.headers["ETag"] != deeper.headers["ETag"]


@pytest.mark.parametrize("path", ["/never", "/never/", "/b", "/data.csv", "/manifest.yaml"])
def test_what_is_no_folder_is_not_found(gateway: Gateway, published: str, path: str) -> None:
    assert refusal(fetch(gateway, door(published, path))) == (404, "NoSuchKey")


def test_head_says_what_get_sends(gateway: Gateway, published: str) -> None:
    for path in ("", "/dir/"):
        got = fetch(gateway, door(published, path), silent="true")
        head = gateway.anonymous("HEAD", door(published, path), params={"format": "zip"})
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Content-Disposition"):
            assert head.headers[name] == got.headers[name]
    absent = gateway.anonymous("HEAD", door(published, "/never"), params={"format": "zip"})
    assert absent.status_code == 404


def test_a_zip_that_the_client_has_is_not_sent_again(gateway: Gateway, published: str) -> None:
    etag = fetch(gateway, door(published)).headers["ETag"]
    for condition in (etag, f'"other", W/{etag}', "*"):
        answer = fetch(gateway, door(published), {"If-None-Match": condition})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert fetch(gateway, door(published), {"If-None-Match": '"other"'}).status_code == 200


def test_a_zip_is_of_one_version(gateway: Gateway, public_prefix: str) -> None:
    prefix, first = public_prefix, {"data.csv": b"one", "gone.csv": b"gone"}
    publish(gateway, prefix, first, name="one")
    put(gateway.s3(), prefix, {"data.csv": b"two, longer", "new.csv": b"new"})
    gateway.s3().delete_object(Bucket=WORKSPACE, Key=f"{prefix}/gone.csv")
    one = {**first, "manifest.yaml": manifest(name="one")}
    two = {"data.csv": b"two, longer", "new.csv": b"new", "manifest.yaml": manifest(name="two")}
    assert unpacked(fetch(gateway, door(prefix))) == one
    put(gateway.s3(), prefix, {"_manifest.yaml": manifest(name="two")})
    gateway.rpc("commit", prefix=prefix)
    assert unpacked(fetch(gateway, door(prefix))) == two
    assert unpacked(fetch(gateway, door(prefix), version="2")) == two
    assert unpacked(fetch(gateway, door(prefix), version="1")) == one
    etags = {fetch(gateway, door(prefix), version=each).headers["ETag"] for each in "12"}
    assert len(etags) == 2
    for number in ("0", "3", "9" * 30):
        assert refusal(fetch(gateway, door(prefix), version=number)) == (404, "NoSuchVersion")
    assert refusal(fetch(gateway, door(prefix), version="one"))[0] == 400


def test_an_open_edit_is_in_nobodys_zip(gateway: Gateway, edited: Edited) -> None:
    whole = {**COMMITTED, "manifest.yaml": manifest(name="one")}
    assert unpacked(fetch(gateway, door(edited.prefix))) == whole
    writer = bearer(gateway, "write")
    assert unpacked(fetch(gateway, door(edited.prefix), writer)) == whole
    for headers in ({}, writer):
        answer = fetch(gateway, door(edited.prefix), headers, stage="true")
        assert refusal(answer) == (400, "InvalidArgument")
        assert "stage" in answer.json()["error"]["message"]


def test_another_format_is_refused(gateway: Gateway, published: str) -> None:
    for params in ({"format": "tar"}, {"format": ""}, {"format": "ZIP"}):
        answer = gateway.anonymous("GET", door(published), params=params)
        assert refusal(answer) == (400, "InvalidArgument")
        assert "zip" in answer.json()["error"]["message"]


def test_a_zip_needs_what_reading_the_manifest_needs(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"data"}, name="one")
    private = {"data.csv": b"data", "manifest.yaml": manifest(name="one")}
    assert unpacked(fetch(gateway, door(prefix), bearer(gateway, "read"))) == private
    for target in (door(prefix), door(prefix, "/dir/"), door("never/there")):
        assert refusal(fetch(gateway, target)) == (403, "AccessDenied")
    reader = bearer(gateway, "read")
    assert refusal(fetch(gateway, door("never/there"), reader)) == (404, "NoSuchArtifact")
    public = fetch(gateway, door("public/never/there"))
    assert refusal(public) == (404, "NoSuchArtifact")


def test_what_is_staged_alone_is_not_found(gateway: Gateway, public_prefix: str) -> None:
    stage(gateway, public_prefix, {"data.csv": b"data"}, name="one")
    for headers in ({}, bearer(gateway, "write")):
        answer = fetch(gateway, door(public_prefix), headers)
        assert refusal(answer) == (404, "NoSuchArtifact")


def test_an_artifact_without_files_is_its_manifest(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {}, name="one")
    found = unpacked(fetch(gateway, door(public_prefix)))
    assert found == {"manifest.yaml": manifest(name="one")}


def test_a_collection_is_its_own_files(gateway: Gateway, public_prefix: str) -> None:
    make_gallery(gateway, public_prefix)
    gateway.rpc("edit", prefix=public_prefix)
    put(gateway.s3(), public_prefix, {"cover.png": b"png"})
    gateway.rpc("commit", prefix=public_prefix)
    publish(gateway, f"{public_prefix}/member", {"data.csv": b"data"}, name="member")
    assert unpacked(fetch(gateway, door(public_prefix))).keys() == {"cover.png", "manifest.yaml"}
    member = unpacked(fetch(gateway, door(public_prefix, "/member/")))
    assert member == {"data.csv": b"data", "manifest.yaml": manifest(name="member")}
    answer = fetch(gateway, door(public_prefix, "/nobody"))
    assert refusal(answer) == (404, "NoSuchArtifact")


def test_each_file_in_a_zip_is_a_download(gateway: Gateway, public_prefix: str) -> None:
    weights = [
        {"path": "half.csv", "download_weight": 0.5},
        {"path": "dir/two.csv", "download_weight": 2},
    ]
    files = {"half.csv": b"half", "dir/two.csv": b"", "free.csv": b"free"}
    publish(gateway, public_prefix, files, files=weights)
    target = door(public_prefix)
    gateway.anonymous("HEAD", target, params={"format": "zip"})
    etag = fetch(gateway, target, silent="true").headers["ETag"]
    fetch(gateway, target, {"If-None-Match": etag})
    assert downloads_of(gateway, public_prefix) == 0
    fetch(gateway, target)
    assert downloads_of(gateway, public_prefix) == 2.5
    fetch(gateway, f"{target}/dir")
    assert downloads_of(gateway, public_prefix) == 4.5
    fetch(gateway, target, version="1")
    assert downloads_of(gateway, public_prefix) == 7


def test_a_client_that_leaves_early_has_downloaded_what_had_begun(
    gateway: Gateway, public_prefix: str
) -> None:
    weights = [{"path": name, "download_weight": 1} for name in ("a", "b")]
    publish(gateway, public_prefix, {"a": bytes(30_000_000), "b": b"b"}, files=weights)
    answer = gateway.anonymous("GET", door(public_prefix), params={"format": "zip"}, stream=True)
    assert len(answer.raw.read(100_000)) == 100_000
    answer.close()
    assert downloads_of(gateway, public_prefix) == 1
    assert len(fetch(gateway, door(public_prefix)).content) > 30_000_000
    assert downloads_of(gateway, public_prefix) == 3


def test_a_file_that_the_backend_has_lost_cuts_the_zip_off(
    gateway: Gateway, public_prefix: str
) -> None:
    files = {"a": b"the first file", "b": b"the second file", "c": b"the third file"}
    publish(gateway, public_prefix, files, name="one")

    def lose(path: str) -> None:
        backend, key = gateway.backend, f"{public_prefix}/{path}"
        stored = backend.client().list_object_versions(Bucket=backend.bucket, Prefix=key)
        for each in stored["Versions"]:
            backend.client().delete_object(
                Bucket=backend.bucket, Key=key, VersionId=each["VersionId"]
            )

    lose("b")
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    connection.request("GET", f"{door(public_prefix)}?format=zip")
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
        answer.read()
    connection.close()
    if isinstance(caught.value, http.client.IncompleteRead):
        assert files["a"] in caught.value.partial
        assert files["c"] not in caught.value.partial
    lose("a")
    assert refusal(fetch(gateway, door(public_prefix))) == (503, "ServiceUnavailable")
