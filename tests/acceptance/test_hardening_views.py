"""What readers must not learn: nothing staged, in no listing, under no spelling, by no answer."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.acceptance.edited import Edited
from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway, Response
from tests.acceptance.steps import manifest, publish, put, stage

READERS = pytest.mark.parametrize("reader", ["anonymous", "read"])
NAMES = re.compile(rb"<(?:Key|Prefix)>([^<]+)</(?:Key|Prefix)>")
VARYING = re.compile(rb"<(RequestId|HostId|Resource|Key|key|Prefix)>[^<]*</\1>")
LAST_PAGE = 40


@pytest.fixture(scope="module")
def opened(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that shows anonymous callers ordinary objects too."""
    for name in ("opened", "opened-other"):
        backend.client().create_bucket(Bucket=name)
    settings = {
        "workspaces": {
            WORKSPACE: {"bucket": "opened", "public": "objects"},
            OTHER_WORKSPACE: {"bucket": "opened-other"},
        },
        "system": {"bucket": "opened-system", "prefix": ""},
    }
    running = Gateway(backend, tmp_path_factory.mktemp("opened"), settings)
    try:
        yield running.start()
    finally:
        running.stop()


def ask(gateway: Gateway, reader: str, method: str, target: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if reader == "anonymous":
        return gateway.request(method, target, named)
    return gateway.signed(method, target, reader, named)


def shape(answer: Response) -> tuple[int, str | None, bytes]:
    """Status, type and document of an answer, without what names the request."""
    return answer.status, answer.headers["Content-Type"], VARYING.sub(rb"<\1/>", answer.body)


def listed(gateway: Gateway, reader: str, query: str) -> list[str]:
    """Every name of a V2 listing, page by page; AssertionError where it does not end."""
    names: list[str] = []
    token = ""
    for _ in range(LAST_PAGE):
        following = f"&continuation-token={quote(token, safe='')}" if token else ""
        answer = ask(gateway, reader, "GET", f"/{WORKSPACE}?list-type=2&{query}{following}")
        assert answer.status == 200, answer.body
        body = answer.body.split(b"<IsTruncated>", 1)[1]
        names += [name.decode() for name in NAMES.findall(body)]
        found = re.search(rb"<NextContinuationToken>([^<]*)<", answer.body)
        if found is None:
            return names
        token = found[1].decode()
    raise AssertionError(f"the listing does not end: {names}")


def test_directories_of_what_is_staged_are_absent(opened: Gateway) -> None:
    hidden, nothing = opened.new_prefix(public=True), opened.new_prefix(public=True)
    stage(opened, hidden, {"sub/f.csv": b"x"})
    for reader in ("anonymous", "read"):
        for method in ("GET", "HEAD"):
            for path in (
                "/",
                "/sub/",
                "/sub/f.csv",
                "/sub",
                "/_manifest.yaml",
                "/sub/_manifest.yaml",
            ):
                for headers in ({}, {"If_Match": '"0"'}, {"Range": "bytes=0-0"}):
                    seen = ask(opened, reader, method, f"/{WORKSPACE}/{hidden}{path}", **headers)
                    absent = ask(opened, reader, method, f"/{WORKSPACE}/{nothing}{path}", **headers)
                    assert seen.status == 404, (reader, method, path)
                    assert shape(seen) == shape(absent), (reader, method, path, headers)
            target = f"/{WORKSPACE}/{hidden}/sub/f.csv?versionId=x"
            absent = ask(opened, reader, method, target.replace(hidden, nothing))
            assert shape(ask(opened, reader, method, target)) == shape(absent)


@READERS
def test_staged_artifacts_answer_as_absent_ones_do(gateway: Gateway, reader: str) -> None:
    hidden, nothing = gateway.new_prefix(public=True), gateway.new_prefix(public=True)
    stage(gateway, hidden, {"sub/f.csv": b"x"})
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: "read"})
    headers = {} if reader == "anonymous" else {"Authorization": f"Bearer {token}"}
    for path in ("", "/", "/f", "/sub/", "/sub/f.csv", "/_manifest.yaml", "?format=zip",
                 "/sub?format=zip", "?version=1", "/sub/f.csv?version=1"):  # fmt: skip
        seen = gateway.request("GET", f"/{WORKSPACE}/artifact/{hidden}{path}", headers)
        absent = gateway.request("GET", f"/{WORKSPACE}/artifact/{nothing}{path}", headers)
        assert seen.status == 404
        told = [{**json.loads(answer.body)["error"], "request_id": ""} for answer in (seen, absent)]
        assert json.dumps(told[0]).replace(hidden, nothing) == json.dumps(told[1])
    for query in (f"prefix={hidden}", f"list-type=2&prefix={hidden}/", f"prefix={hidden}/sub/"):
        seen = ask(gateway, reader, "GET", f"/{WORKSPACE}?{query}")
        absent = ask(gateway, reader, "GET", f"/{WORKSPACE}?{query.replace(hidden, nothing)}")
        assert shape(seen) == shape(absent)


@READERS
def test_directory_markers_are_seen_where_something_is_pinned(
    gateway: Gateway, reader: str
) -> None:
    prefix = gateway.new_prefix(public=True)
    publish(gateway, prefix, {"full/f.csv": b"x"})
    put(gateway.s3(), prefix, {"empty/": b""})
    assert ask(gateway, reader, "HEAD", f"/{WORKSPACE}/{prefix}/empty/").status == 404
    assert ask(gateway, reader, "GET", f"/{WORKSPACE}/{prefix}/full/f.csv/").status == 404
    for version in ("", "list-type=2&"):
        answer = ask(gateway, reader, "GET", f"/{WORKSPACE}?{version}prefix={prefix}/")
        assert b"empty/" not in answer.body
        assert b"full/f.csv" in answer.body
    writer = gateway.signed("GET", f"/{WORKSPACE}?list-type=2&prefix={prefix}/")
    assert b"empty/" in writer.body


@READERS
def test_a_manifest_that_waits_below_a_collection_is_absent(gateway: Gateway, reader: str) -> None:
    prefix = gateway.new_prefix(public=True)
    put(gateway.s3(), f"{prefix}/member", {"manifest.yaml": b"name: no type\n"})
    gateway.rpc("create", prefix=prefix, manifest={"type": "collection"})
    key = f"{prefix}/member/manifest.yaml"
    assert ask(gateway, reader, "GET", f"/{WORKSPACE}/{key}").status == 404
    for query in (f"prefix={prefix}/", f"list-type=2&prefix={key}"):
        answer = ask(gateway, reader, "GET", f"/{WORKSPACE}?{query}")
        assert b"<Key>" + key.encode() not in answer.body
    assert gateway.signed("GET", f"/{WORKSPACE}/{key}").status == 200


@pytest.mark.parametrize("marked", [False, True])
def test_anonymous_listings_stay_below_public(opened: Gateway, *, marked: bool) -> None:
    prefix = opened.new_prefix(public=True)
    publish(opened, prefix, {"a.csv": b"1"})
    client = opened.s3()
    for key in ("public-private.txt", "publications/draft.txt", "public/shown.txt"):
        client.put_object(Bucket=WORKSPACE, Key=key, Body=b"s")
    if marked:
        put(client, prefix, {"a.csv": b"22"})
    for version in ("", "list-type=2&"):
        for delimiter in ("", "&delimiter=%2F", "&delimiter=-", "&delimiter=s"):
            target = f"/{WORKSPACE}?{version}prefix=public{delimiter}"
            answer = opened.request("GET", target)
            assert answer.status == 200
            names = NAMES.findall(answer.body.split(b"<IsTruncated>", 1)[1])
            assert names
            assert all(name.startswith(b"public/") for name in names), (target, names)


@READERS
@pytest.mark.parametrize("name", ["marker", "start-after", "key-marker", "prefix"])
@pytest.mark.parametrize("value", ["public/a.csv.versions/v", ".uploads/", "public//.uploads//x"])
def test_markers_in_what_the_backend_keeps_are_refused(
    gateway: Gateway, reader: str, name: str, value: str
) -> None:
    query = f"list-type=2&{name}={quote(value, safe='')}"
    if name == "marker":
        query = query.removeprefix("list-type=2&")
    elif name == "key-marker":
        query = query.replace("list-type=2", "versions")
    answer = ask(gateway, reader, "GET", f"/{WORKSPACE}?{query}")
    assert (answer.status, b"InvalidPath" in answer.body) == (400, True)


def test_open_uploads_are_in_no_listing(gateway: Gateway, prefix: str) -> None:
    writer = gateway.s3()
    made = writer.create_multipart_upload(Bucket=WORKSPACE, Key=f"{prefix}/secret.bin")
    place = {"Bucket": WORKSPACE, "Key": f"{prefix}/secret.bin", "UploadId": made["UploadId"]}
    writer.upload_part(**place, PartNumber=1, Body=b"z" * 100)
    try:
        for key in ("read", "write"):
            for query in ("", "delimiter=%2F", "list-type=2", "list-type=2&prefix=.",
                          "max-keys=1&prefix=.", "versions&prefix=.", "versions"):  # fmt: skip
                if key == "read" and query.startswith("versions"):
                    continue
                answer = gateway.signed("GET", f"/{WORKSPACE}?{query}", key)
                assert answer.status == 200
                assert b".uploads/" not in answer.body, (key, query)
        uploads = gateway.signed("GET", f"/{WORKSPACE}?uploads")
        assert f"{prefix}/secret.bin".encode() in uploads.body
    finally:
        writer.abort_multipart_upload(**place)


@pytest.mark.parametrize("delimiter", ["e", "s/", "bee", "z"])
@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("who", ["read", "write"])
@pytest.mark.parametrize("marked", [False, True])
def test_listings_end_whatever_the_delimiter(
    gateway: Gateway, tree: dict[bool, str], delimiter: str, size: int, who: str, *, marked: bool
) -> None:
    prefix = tree[marked]
    keys = listed(gateway, who, f"prefix={prefix}")
    expected: set[str] = set()
    for key in keys:
        end = key.find(delimiter, len(prefix))
        expected.add(key if end < 0 else key[: end + len(delimiter)])
    found = listed(gateway, who, f"prefix={prefix}&delimiter={quote(delimiter)}&max-keys={size}")
    assert sorted(found) == sorted(expected)


@pytest.fixture(scope="module")
def tree(gateway: Gateway) -> dict[bool, str]:
    """A prefix with ordinary keys and artifacts below it, and one where one is being edited."""
    made = {}
    for marked in (False, True):
        prefix = gateway.new_prefix()
        for name in ("ant", "bee"):
            publish(gateway, f"{prefix}/{name}", {"x": b"1", "s/y": b"2", "s/z": b"3", "zz": b"4"})
        put(gateway.s3(), prefix, {"plain.txt": b"p", "treeX/a": b"a", "treeX/b/c": b"c"})
        if marked:
            put(gateway.s3(), f"{prefix}/bee", {"s/new": b"staged"})
        made[marked] = prefix
    return made


@pytest.mark.parametrize(
    "document",
    [
        {"token": 5, "pins": {}, "hidden": []},
        {"token": None, "pins": 5, "hidden": []},
        {"token": None, "pins": "\ud800", "hidden": []},
        {"token": "x", "pins": None, "hidden": []},
        {"token": ["a"], "pins": "x", "hidden": []},
        {"token": "\ud800", "pins": "", "hidden": []},
        {"token": "x", "pins": "", "hidden": ["1"]},
        {"token": "x", "pins": "", "hidden": [True]},
        {"token": "x", "pins": "", "hidden": [2**63]},
        {"token": "x", "pins": "", "hidden": [1] * 501},
    ],
)
@READERS
def test_forged_cursors_are_refused(
    gateway: Gateway, edited: Edited, reader: str, document: dict[str, object]
) -> None:
    token = quote(base64.urlsafe_b64encode(json.dumps(document).encode()).decode(), safe="")
    target = f"/{WORKSPACE}?list-type=2&prefix={edited.prefix}&continuation-token={token}"
    answer = ask(gateway, reader, "GET", target)
    assert (answer.status, b"InvalidArgument" in answer.body) == (400, True)


@pytest.mark.parametrize("number", ["2147483648", "9" * 20, "9" * 5000])
def test_versions_beyond_any_number_are_not_there(
    gateway: Gateway, edited: Edited, number: str
) -> None:
    for path in ("", "/data.csv", "/"):
        target = f"/{WORKSPACE}/artifact/{edited.prefix}{path}?version={number}"
        answer = gateway.request("GET", target)
        assert (answer.status, b"NoSuchVersion" in answer.body) == (404, True)


def test_repeated_parameters_are_refused(gateway: Gateway, edited: Edited) -> None:
    for query in ("version=1&version=2", "stage=false&stage=true", "silent&silent", "x=1&x=2"):
        answer = gateway.request("GET", f"/{WORKSPACE}/artifact/{edited.prefix}?{query}")
        assert (answer.status, b"InvalidArgument" in answer.body) == (400, True)


def test_anonymous_callers_learn_of_no_manifest(gateway: Gateway) -> None:
    hidden, nothing = gateway.new_prefix(public=True), gateway.new_prefix(public=True)
    put(gateway.s3(), hidden, {"_manifest.yaml": manifest()})
    answers = [
        shape(gateway.request("GET", f"/{WORKSPACE}/{prefix}/_manifest.yaml"))
        for prefix in (hidden, nothing)
    ]
    assert answers[0] == answers[1]
