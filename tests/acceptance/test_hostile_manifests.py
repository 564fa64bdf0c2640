"""Hostile manifests at the outermost doors: refused where they are wrong, or kept and harmless."""

import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Document, Gateway, Response, S3Client
from tests.acceptance.hostile import HEAD, HTML, MEANT, NASTY, OWN, REFUSED, SQL, Refused
from tests.acceptance.posted import post_form
from tests.acceptance.silence import code
from tests.acceptance.steps import make_gallery, manifest, publish, put, refused, stage, version_of


@pytest.fixture(scope="module")
def gallery(gateway: Gateway) -> str:
    """A collection, below which whatever is called `manifest.yaml` has to be one."""
    prefix = gateway.new_prefix(public=True)
    make_gallery(gateway, prefix)
    return prefix


@pytest.fixture(scope="module")
def store(backend: Backend) -> S3Client:
    """A client of the backend itself."""
    return backend.client()


def versions_below(store: S3Client, prefix: str) -> list[str]:
    """Every version of every key below a prefix, delete markers too."""
    answer = store.list_object_versions(Bucket=WORKSPACE, Prefix=prefix)
    return [each["Key"] for kind in ("Versions", "DeleteMarkers") for each in answer.get(kind, [])]


def attempts(gateway: Gateway, prefix: str, data: bytes) -> Iterator[Response]:
    """The answers of every way in which bytes become a manifest."""
    for name in ("_manifest.yaml", "manifest.yaml"):
        yield gateway.signed("PUT", f"/{WORKSPACE}/{prefix}/{name}", body=data)
        yield post_form(gateway, KEYS["write"], WORKSPACE, f"{prefix}/{name}", data)


def check_told(answer: Response, expected: Refused) -> None:
    """The answer is a short 400 that says what is wrong, and where."""
    assert (answer.status, code(answer)) == (400, "InvalidManifest"), answer
    assert re.search(expected.says, html.unescape(answer.body.decode())), answer.body
    assert len(answer.body) < 2000
    for name, wanted in (("line", expected.line), ("column", expected.column)):
        if wanted is not None:
            assert f"<{name}>{wanted}</{name}>".encode() in answer.body, answer.body


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_manifest_is_refused_where_it_is_none(
    gateway: Gateway, store: S3Client, gallery: str, name: str
) -> None:
    prefix = f"{gallery}/{list(REFUSED).index(name)}"
    for answer in attempts(gateway, prefix, REFUSED[name].data):
        check_told(answer, REFUSED[name])
    assert not versions_below(store, prefix)
    with refused("NoSuchArtifact", 404):
        gateway.rpc("read", prefix=prefix, stage=True)


def test_a_refused_manifest_leaves_the_artifact_as_it_was(
    gateway: Gateway, store: S3Client, gallery: str
) -> None:
    prefix = f"{gallery}/standing"
    publish(gateway, prefix, {"a.csv": b"a"}, name="one")
    before = versions_below(store, prefix)
    for name in ("a billion laughs", "a Python object", "a key twice", "NUL", "UTF-16"):
        for answer in attempts(gateway, prefix, REFUSED[name].data):
            check_told(answer, REFUSED[name])
    assert versions_below(store, prefix) == before
    assert version_of(gateway, prefix) == 1
    with refused("NotStaged", 409):
        gateway.rpc("discard", prefix=prefix)


# What a body of RPC can hold beside JSON, and JSON beside a manifest.
DEEP = "[" * 200 + "]" * 200
BODIES = {
    "a name twice": ('{"type": "x", "a": 1, "a": 2}', "InvalidRequest"),
    "a name twice, deep": ('{"type": "x", "a": [{"b": 1, "b": 1}]}', "InvalidRequest"),
    "a type twice": ('{"type": "dataset", "type": "collection"}', "InvalidRequest"),
    "not a number": ('{"type": "x", "a": NaN}', "InvalidManifest"),
    "infinity": ('{"type": "x", "a": -Infinity}', "InvalidManifest"),
    "1e999999": ('{"type": "x", "a": 1e999999}', "InvalidManifest"),
    "400 digits": (f'{{"type": "x", "a": {"9" * 400}}}', "InvalidManifest"),
    "5,000 digits": (f'{{"type": "x", "a": {"9" * 5000}}}', "InvalidRequest"),
    "half a pair": ('{"type": "x", "a": "\\ud800"}', "InvalidManifest"),
    "half a pair as a name": ('{"type": "x", "\\udfff": 1}', "InvalidManifest"),
    "NUL": ('{"type": "x", "a": "\\u0000"}', "InvalidManifest"),
    "200 levels": (f'{{"type": "x", "a": {DEEP}}}', "InvalidManifest"),
    "1 MiB of levels": (f'{{"type": "x", "a": {"[" * (1 << 20)}', "InvalidRequest"),
    "1 MiB of levels, closed": (
        f'{{"type": "x", "a": {"[" * (1 << 19)}{"]" * (1 << 19)}}}',
        "InvalidRequest",
    ),
    "a list": ("[]", "InvalidArgument"),
    "no type": ("{}", "InvalidManifest"),
    "a type of another kind": ('{"type": {"type": "x"}}', "InvalidManifest"),
    "more than a manifest may be": (
        f'{{"type": "x", "a": "{"a" * (1 << 20)}"}}',
        "InvalidManifest",
    ),
    "more than a body may be": (f'{{"type": "x", "a": "{"a" * (7 << 20)}"}}', "EntityTooLarge"),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_json_may_not_say_is_refused_by_rpc(
    gateway: Gateway, store: S3Client, prefix: str, name: str
) -> None:
    text, expected = BODIES[name]
    standing = f"{prefix}-standing"
    stage(gateway, standing, {})
    for method, at in (("create", prefix), ("edit", standing)):
        body = f'{{"prefix": "{at}", "manifest": {text}}}'.encode()
        headers = {"Content-Type": "application/json"}
        answer = gateway.signed("POST", f"/_rpc/{WORKSPACE}/{method}", "write", headers, body)
        assert (answer.status, code(answer)) == (400, expected), answer
        assert len(answer.body) < 2000
    assert not versions_below(store, f"{prefix}/")
    assert versions_below(store, standing) == [f"{standing}/_manifest.yaml"]


def test_a_prefix_can_be_no_way_out(gateway: Gateway, store: S3Client, prefix: str) -> None:
    publish(gateway, f"{prefix}/victim", {})
    before = versions_below(store, prefix)
    for name in ("../victim", "victim/../victim", "x/./y", "x//y", "x\\y", "/x", "x/", "x\n"):
        with refused("InvalidPath", 400):
            gateway.rpc("create", prefix=f"{prefix}/{name}", manifest={"type": "dataset"})
    for name in ("x/../victim", "x/%2e%2e/victim", "./victim", "victim/.", "x%5c..%5cvictim"):
        target = f"/{WORKSPACE}/{prefix}/{name}/_manifest.yaml"
        assert gateway.signed("PUT", target, body=HEAD).status == 400, name
    assert versions_below(store, prefix) == before


WEIGHTS: tuple[Document, ...] = (
    *(-1, 1e308, "NaN", "1e999999", "Infinity", True, 1e-9, 1_000_001, [], "1" * 999),
)
# Entries of `files` that a commit refuses: what they are, and the error's code.
LISTED: dict[str, tuple[Document, str]] = {
    "out of the artifact": (["../other/a.csv"], "InvalidPath"),
    "out and in again": (["a/../../b"], "InvalidPath"),
    "absolute": (["/etc/passwd"], "InvalidPath"),
    "with a backslash": (["a\\b"], "InvalidPath"),
    "with a line's end": (["a\r\nb"], "InvalidPath"),
    "with an empty segment": (["a//b"], "InvalidPath"),
    "with a dot": (["./a"], "InvalidPath"),
    "empty": ([""], "InvalidPath"),
    "too long": (["a" * 1025], "InvalidPath"),
    "the manifest": (["manifest.yaml"], "InvalidPath"),
    "the staged manifest": ([{"path": "_manifest.yaml"}], "InvalidPath"),
    "below the manifest": (["manifest.yaml/a"], "InvalidPath"),
    "a URL": (["http://127.0.0.1/a"], "InvalidPath"),
    "a number": ([5], "InvalidManifest"),
    "a list of lists": ([[["a"]]], "InvalidManifest"),
    "a mapping": ({"path": "a.csv"}, "InvalidManifest"),
    "text": ("a.csv", "InvalidManifest"),
    "without a path": ([{"size": 5}], "InvalidManifest"),
    "twice, with two weights": (
        [{"path": "a.csv", "download_weight": 1}, {"path": "a.csv", "download_weight": 2}],
        "InvalidManifest",
    ),
    **{
        f"with the weight {weight!r}"[:40]: (
            [{"path": "a.csv", "download_weight": weight}],
            "InvalidWeight",
        )
        for weight in WEIGHTS
    },
    "not there": (["nothing.csv", HTML.replace("/", "")], "MissingFiles"),
}


@pytest.mark.parametrize("name", LISTED)
def test_entries_of_files_that_can_be_none_are_refused_by_commit(
    gateway: Gateway, store: S3Client, prefix: str, name: str
) -> None:
    files, expected = LISTED[name]
    stage(gateway, prefix, {"a.csv": b"a"}, files=files)
    before = versions_below(store, prefix)
    status = 409 if expected == "MissingFiles" else 400
    with refused(expected, status) as refusal:
        gateway.rpc("commit", prefix=prefix)
    assert len(refusal.message) < 500
    answer = gateway.signed(
        "PUT",
        f"/{WORKSPACE}/{prefix}/manifest.yaml",
        headers={"x-amz-copy-source": f"/{WORKSPACE}/{prefix}/_manifest.yaml"},
    )
    assert (answer.status, code(answer)) == (status, expected)
    assert versions_below(store, prefix) == before
    assert version_of(gateway, prefix) == 0


def test_a_file_listed_thousands_of_times_is_one_file(gateway: Gateway, prefix: str) -> None:
    many = json.dumps({"type": "dataset", "files": ["a.csv"] * 50_000}).encode()
    put(gateway.s3(), prefix, {"a.csv": b"a", "_manifest.yaml": many})
    assert [each["path"] for each in gateway.rpc("commit", prefix=prefix)["files"]] == ["a.csv"]


def test_thousands_of_missing_files_are_all_named(gateway: Gateway, prefix: str) -> None:
    many = json.dumps({"type": "dataset", "files": [f"{n}.csv" for n in range(50_000)]}).encode()
    put(gateway.s3(), prefix, {"_manifest.yaml": many})
    with refused("MissingFiles", 409) as refusal:
        gateway.rpc("commit", prefix=prefix)
    assert len(refusal.details["missing"]) == 50_000
    assert len(refusal.message) < 5000


# From here on: what is kept, because it is only text.
@pytest.fixture(scope="module")
def kept(gateway: Gateway) -> dict[str, dict[str, Document]]:
    """Members of a public collection with names, fields and files of ill will, by prefix."""
    above = gateway.new_prefix(public=True)
    fields = ["name", SQL, "a..b", ".", "", "..", "_stats.x", "_prefix", "name.name", "*", HTML]
    make_gallery(gateway, above, summary_fields=[*fields, "deep." * 500, "%", "$where"])
    members: dict[str, dict[str, Document]] = {
        f"{above}/{index}": {"type": "dataset", "name": text, "description": text, "id": text}
        for index, text in enumerate(NASTY)
    }
    members[f"{above}/meant"] = {"type": "dataset", "fields": dict.fromkeys(MEANT, 1)}
    members[f"{above}/names"] = {"type": "dataset", **dict.fromkeys(MEANT, SQL)}
    members[f"{above}/own"] = {"type": "dataset", "name": "own", **OWN}
    members[f"{above}/{SQL.replace('/', '')}"] = {"type": SQL, "name": "sql"}
    members[f"{above}/<b>%25 {{{{7*7}}}}"] = {"type": HTML, "name": "html"}
    for prefix, document in members.items():
        gateway.rpc("create", prefix=prefix, manifest=document)
    return {"": {"prefix": above}, **members}


def test_what_is_kept_is_read_as_it_was_written(
    gateway: Gateway, kept: dict[str, dict[str, Document]]
) -> None:
    for prefix, document in list(kept.items())[1:]:
        read = gateway.rpc("read", key="read", prefix=prefix, silent=True)
        own = {name: read[name] for name in OWN if name in read}
        said = {name: value for name, value in document.items() if name not in OWN}
        assert {name: read[name] for name in said} == said
        assert own["_prefix"] == prefix
        assert own["_version"] == 1
        assert own["_stats"]["download_count"] == 0
        assert not {"_child_count", "_stage"} & own.keys()
        path = f"/{WORKSPACE}/artifact/{quote(prefix)}?silent=true"
        for accept in ("application/json", "text/html"):
            shown = gateway.anonymous("GET", path, headers={"Accept": accept})
            assert shown.status_code == 200, shown.text
            if shown.headers["Content-Type"] == "application/json":
                assert {name: shown.json()[name] for name in said} == said
            else:
                assert "<script>alert" not in shown.text
                assert "<img src=x" not in shown.text


def test_what_is_kept_is_listed_and_searched(
    gateway: Gateway, kept: dict[str, dict[str, Document]]
) -> None:
    above = kept[""]["prefix"]
    prefixes = sorted(prefix for prefix in kept if prefix)
    names = [prefix.removeprefix(f"{above}/") for prefix in prefixes]
    assert gateway.rpc("list", key="read", prefix=above) == names
    everything = gateway.rpc("children", key="read", prefix=above)
    assert [item["_prefix"] for item in everything["items"]] == prefixes
    for item in everything["items"]:
        assert item["_stats"] == {"download_count": 0, "view_count": 0}
        assert item.get("name") == kept[item["_prefix"]].get("name")
    for index, text in enumerate(NASTY):
        exact = text.replace("\\", "\\\\").replace("*", "\\*")
        found = gateway.rpc("children", key="read", prefix=above, filters={"name": exact})
        assert [item["_prefix"] for item in found["items"]] == [f"{above}/{index}"]
        gateway.rpc("search", key="read", prefix=above, keywords=[text])
        if all(text.split(".")):
            ordered = gateway.rpc("children", key="read", prefix=above, order_by=f"-{text}")
            assert ordered["total"] == everything["total"]
    assert gateway.rpc("search", key="read", prefix=above, filters={SQL: SQL}) == [
        item for item in everything["items"] if item["_prefix"].endswith("/names")
    ]


def test_what_is_kept_is_listed_by_s3_and_rendered_nowhere(
    gateway: Gateway, kept: dict[str, dict[str, Document]]
) -> None:
    above = kept[""]["prefix"]
    answer = gateway.s3("read").list_objects_v2(Bucket=WORKSPACE, Prefix=f"{above}/")
    listed = {each["Key"] for each in answer["Contents"]}
    assert listed == {f"{prefix or above}/manifest.yaml" for prefix in kept}
    for prefix in list(kept)[1:]:
        raw = gateway.anonymous("GET", f"/{WORKSPACE}/{quote(prefix)}/manifest.yaml")
        assert raw.status_code == 200
        assert raw.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in raw.headers["Content-Security-Policy"]


def test_what_yaml_means_is_kept(gateway: Gateway, prefix: str) -> None:
    text = (
        "\ufefftype: dataset\nbase: &b {a: 1, b: 1}\nmerged: {<<: [*b, {c: 2}], b: 3}\n"
        "again: *b\nyes: no\n".replace("yes:", "'yes':")
        + "date: 2024-01-02\nhex: 0x10\nbig: "
        + "9" * 300
        + "\nnot_a_number: 1e999999\ntag: !!str 5\n? long\n: key\n"
    )
    put(gateway.s3(), prefix, {"_manifest.yaml": text.encode()})
    gateway.rpc("commit", prefix=prefix)
    read = gateway.rpc("read", prefix=prefix)
    assert read["merged"] == {"a": 1, "b": 3, "c": 2}
    assert read["again"] == {"a": 1, "b": 1}
    assert (read["yes"], read["date"], read["hex"]) == (False, "2024-01-02", 16)
    assert (read["big"], read["not_a_number"]) == (int("9" * 300), "1e999999")
    assert (read["tag"], read["long"]) == ("5", "key")
    stored = gateway.s3("read").get_object(Bucket=WORKSPACE, Key=f"{prefix}/manifest.yaml")
    assert stored["Body"].read() == text.encode()


@pytest.mark.parametrize("names", ["name", 5, [5], [["a"]], {"a": 1}, [None]])
def test_summary_fields_that_are_no_names_are_refused(
    gateway: Gateway, prefix: str, names: Document
) -> None:
    fields = {"type": "collection", "summary_fields": names}
    with refused("InvalidManifest", 400):
        gateway.rpc("create", prefix=prefix, manifest=fields)
    put(gateway.s3(), prefix, {"_manifest.yaml": manifest(**fields)})
    with refused("InvalidManifest", 400):
        gateway.rpc("commit", prefix=prefix)
    assert version_of(gateway, prefix) == 0
