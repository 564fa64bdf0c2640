"""Every operation, asked for by everybody, of every kind of key: what is allowed and what not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from gateway.s3.operation import OPERATIONS
from tests.acceptance import matrix
from tests.acceptance.harness import (
    OTHER_WORKSPACE,
    WORKSPACE,
    Backend,
    Gateway,
    Key,
    Response,
)
from tests.acceptance.keys import KEYS, make_key
from tests.acceptance.matrix import FOUR, SEAWEEDFS_LACKS, Row
from tests.acceptance.posted import post_form
from tests.acceptance.signer import Signer
from tests.acceptance.silence import code
from tests.acceptance.steps import manifest, put
from tests.acceptance.wire import WireRequest, WireTap

PART = "matrix-part"
BUCKETS = {WORKSPACE: "matrix", OTHER_WORKSPACE: "matrix-other", "matrix-open": "matrix-open"}
WHO: Mapping[str, Key | None] = {
    "none": None,
    "read": KEYS["read"],
    "write": KEYS["write"],
    "admin": make_key("owner", {WORKSPACE: "admin", "matrix-open": "admin", PART: "admin"}),
    "other": make_key("stranger", {OTHER_WORKSPACE: "admin"}),
}
VARYING = re.compile(rb"<(RequestId|HostId|Resource|Key|key)>[^<]*</\1>")
UNTOLD = {"date", "x-amz-request-id", "x-request-id", "content-length"}
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
BODIES = {
    "CopyObject": b"",
    "UploadPartCopy": b"",
    "RenameObject": b"",
    "PutObject": manifest(name="put"),
    "PutObjectTagging": TAGS,
    "PutBucketTagging": TAGS,
    "PutBucketVersioning": (
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    ),
    "PutBucketLifecycleConfiguration": (
        b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>none/"
        b"</Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>9"
        b"</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
    ),
    "RestoreObject": b"<RestoreRequest><Days>1</Days></RestoreRequest>",
}
SOURCE = {"x-amz-copy-source": f"{WORKSPACE}/source.yaml"}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "CopyObject": SOURCE,
    "UploadPartCopy": SOURCE,
    "RenameObject": {"x-amz-rename-source": f"/{WORKSPACE}/source.yaml"},
    "GetObjectAttributes": {"x-amz-object-attributes": "ETag,ObjectSize"},
    "PutObjectAcl": {"x-amz-acl": "public-read"},
    "PutBucketAcl": {"x-amz-acl": "public-read"},
    "PutObjectAcl:private": {"x-amz-acl": "private", "content-length": "0"},
    "PutBucketAcl:private": {"x-amz-acl": "private", "content-length": "0"},
    "PutObjectRetention:bypass": {"x-amz-bypass-governance-retention": "true"},
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One key of each kind: an artifact that is being edited, and an object beside it."""

    keys: Mapping[str, str]
    pinned: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> str:
        return self.keys[kind]


@dataclass(frozen=True, slots=True)
class World:
    """A gateway whose every word to its backend is heard."""

    gateway: Gateway
    tap: WireTap

    def ask(
        self, who: str, row: Row, bucket: str = WORKSPACE, key: str = "", query: str = ""
    ) -> Response:
        """The answer to an operation, signed by its caller where that is somebody."""
        target = row.target(bucket, key)
        if query:
            target += ("&" if row.query else "?") + query
        headers = dict(HEADERS.get(str(row)) or HEADERS.get(row.name, {}))
        body = BODIES.get(row.name, b"<x/>") if row.method in ("PUT", "POST") else b""
        if str(row).endswith("Acl:private"):
            body = b""
        holder = WHO[who]
        self.tap.forget()
        if row.name == "PostObject":
            return post_form(self.gateway, holder, bucket, key, b"type: dataset\nname: form\n")
        if row.name == "DeleteObjects":
            body = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
        if holder is not None:
            signer = Signer(f"127.0.0.1:{self.gateway.port}", holder)
            headers = signer.headers(row.method, target, headers)
        return self.gateway.request(row.method, target, headers, body)

    def heard(self, bucket: str, key: str | None = None) -> list[WireRequest]:
        """What the last question made the gateway ask of a bucket, or of one key in it."""
        path = f"/{bucket}" if key is None else f"/{bucket}/{quote(key)}"
        found = [each for each in self.tap.requests if each.path.startswith(path)]
        return found if key is None else [each for each in found if each.path == path]

    def scene(self, root: str) -> Scene:
        """A new scene below `root`."""
        plain, beside, client = f"{root}/artifact", f"{root}/ordinary.txt", self.gateway.s3()
        put(client, plain, {"_manifest.yaml": manifest(name="one")})
        put(client, plain, {"committed.csv": b"committed", "changed.csv": b"committed"})
        self.gateway.rpc("commit", prefix=plain)
        names = {
            "committed": "committed.csv",
            "changed": "changed.csv",
            "manifest": "manifest.yaml",
        }
        keys = {kind: f"{plain}/{name}" for kind, name in names.items()}
        pinned = {
            kind: client.head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
            for kind, key in keys.items()
        }
        put(client, root, {"ordinary.txt": b"ordinary"})
        put(client, plain, {"_manifest.yaml": manifest(name="two"), "changed.csv": b"now"})
        put(client, plain, {"staged.csv": b"staged"})
        keys |= {"staged": f"{plain}/staged.csv", "_manifest": f"{plain}/_manifest.yaml"}
        return Scene(keys | {"ordinary": beside, "absent": f"{plain}/never.csv"}, pinned)

    def versions(self, bucket: str) -> list[tuple[str, str, bool, str]]:
        """Every version that the backend holds."""
        answer = self.gateway.backend.client().list_object_versions(Bucket=bucket)
        assert not answer["IsTruncated"]
        held = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        return sorted(
            (each["Key"], each["VersionId"], each["IsLatest"], each.get("ETag", ""))
            for each in held
        )


@pytest.fixture(scope="module")
def world(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Workspaces that are whole buckets, one of them open to its settings, and a part of one."""
    for name in (*BUCKETS.values(), "matrix-parts"):
        backend.client().create_bucket(Bucket=name)
    settings = {
        "workspaces": {
            WORKSPACE: {"bucket": "matrix"},
            OTHER_WORKSPACE: {"bucket": "matrix-other"},
            "matrix-open": {"bucket": "matrix-open", "backend_settings": True},
            PART: {"bucket": "matrix-parts", "prefix": "part/"},
        },
        "system": {"bucket": "matrix-system", "prefix": ""},
        "keys": [
            {
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key,
                "name": key.name,
                "grants": dict(key.grants),
            }
            for key in (*filter(None, WHO.values()), KEYS["admin"])
        ],
        "limits": {"cache_bytes": 0},  # the backend is to be asked each time
    }
    gateway = Gateway(backend, tmp_path_factory.mktemp("matrix"), settings, endpoint_url=tap.url)
    try:
        yield World(gateway.start(), tap)
    finally:
        gateway.stop()


def refused(answer: Response, row: Row, status: int, *names: str) -> bool:
    """Whether it was refused so; the answer to a HEAD names no code."""
    if answer.status != status:
        return False
    return row.method == "HEAD" or code(answer) in names


def shape(answer: Response) -> tuple[int, dict[str, str], bytes]:
    """An answer without what names the request, the key and the time."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in UNTOLD}
    return answer.status, kept, VARYING.sub(rb"<\1/>", answer.body)


def check(world: World, who: str, row: Row, scene: Scene, kind: str, expected: str) -> None:
    """Ask, and assert that what was expected happened, on both sides."""
    key, bucket = scene[kind], BUCKETS[WORKSPACE]
    query = f"versionId={scene.pinned[kind]}" if row.variant == "pinned" else ""
    answer = world.ask(who, row, key=key, query=query)
    told = f"{row} of {kind} by {who}: {answer.status} {answer.body[:300]!r}"
    if expected == "403":
        assert refused(answer, row, 403, "AccessDenied"), told
        assert not world.heard(bucket), f"{told}: {world.heard(bucket)}"
    elif row.name in SEAWEEDFS_LACKS or expected == "501":
        assert refused(answer, row, 501, "NotImplemented"), told
        assert not world.heard(bucket, key), told
    elif expected == "absent":
        assert not world.heard(bucket, key), told
        assert shape(answer) == shape(world.ask(who, row, key=scene["absent"])), told
    elif expected == "hidden":
        assert refused(answer, row, 404, "NoSuchKey"), told
        assert not world.heard(bucket, key), told
    elif expected == "400":
        assert refused(answer, row, 400, "InvalidManifest"), told
        assert not world.heard(bucket, key), told
    else:
        check_heard(world, answer, row, scene, kind, expected)


def check_heard(
    world: World, answer: Response, row: Row, scene: Scene, kind: str, expected: str
) -> None:
    """Assert that the backend was asked for this key, and for the version that is meant."""
    told = f"{row} of {kind}: {answer.status} {answer.body[:300]!r}, expected {expected}"
    heard = world.heard(BUCKETS[WORKSPACE], scene[kind])
    if expected == "passes":
        batch = [e for e in world.heard(BUCKETS[WORKSPACE]) if "delete=" in e.query]
        assert heard or (row.kind == "many" and batch), told
        assert not refused(answer, row, 403, "AccessDenied"), told
        if row.kind in ("write", "form", "many"):
            assert answer.status < 300, told
        return
    asked = [each for each in heard if each.method == row.method]
    assert asked, told
    version = f"versionId={scene.pinned.get(kind)}"
    for each in asked:
        assert ("versionId" in each.query) == (expected == "commit"), f"{told}: {each}"
        assert expected == "newest" or version in each.query, f"{told}: {each}"
    if row.name == "GetObject" and kind == "changed":
        assert answer.body == (b"committed" if expected == "commit" else b"now"), told


def test_every_operation_has_its_row() -> None:
    asked = {row.name for row in matrix.rows()}
    assert [o.name for o in OPERATIONS if o.name not in asked] == [], "write its row in matrix.py"
    assert asked <= {operation.name for operation in OPERATIONS}
    known = matrix.on_buckets().keys() | matrix.on_keys(public=True).keys()
    assert {row.kind for row in matrix.rows()} <= known


@pytest.mark.parametrize("who", [*FOUR, "other"])
def test_buckets_answer_as_the_matrix_says(world: World, who: str) -> None:
    bucket = BUCKETS[WORKSPACE]
    before = world.versions(bucket)
    for row in matrix.rows():
        if row.level == "object" or row.kind in ("form", "many"):
            continue
        expected = matrix.on_buckets()[row.kind][who if who in FOUR else "none"]
        if who == "other" and row.kind in ("own", "creation"):
            continue  # what it is shown is in other tests
        answer = world.ask(who, row, WORKSPACE)
        told = f"{row} by {who}: {answer.status} {answer.body[:300]!r}"
        if expected == "403":
            assert refused(answer, row, 403, "AccessDenied"), told
            assert not world.heard(bucket), told
        elif row.name in SEAWEEDFS_LACKS:
            assert refused(answer, row, 501, "NotImplemented"), told
            assert not world.heard(bucket), told
        elif expected == "passes":
            assert not refused(answer, row, 403, "AccessDenied"), told
            assert [e for e in world.heard(bucket) if e.method == row.method], told
        else:
            assert answer.status == int(expected), told
            assert not world.heard(bucket), told
    assert world.versions(bucket) == before


@pytest.mark.parametrize("who", ["write", "admin"])
def test_settings_that_open_the_backend_need_its_operators_word(world: World, who: str) -> None:
    for row in matrix.rows():
        if row.level != "bucket" or row.kind != "danger":
            continue
        answer = world.ask(who, row, "matrix-open")
        told = f"{row} by {who}: {answer.status} {answer.body[:300]!r}"
        if who != "admin":
            assert refused(answer, row, 403, "AccessDenied"), told
        elif row.name in SEAWEEDFS_LACKS:
            assert refused(answer, row, 501, "NotImplemented"), told
        else:
            assert [e for e in world.heard("matrix-open") if e.method == row.method], told


def test_a_part_of_a_bucket_takes_no_settings(world: World) -> None:
    for row in matrix.rows():
        if row.level == "bucket" and row.kind in ("change", "danger") and row.writes:
            if row.name in SEAWEEDFS_LACKS and row.kind == "change":
                continue  # 501 before anybody asks where
            answer = world.ask("admin", row, PART)
            told = f"{row}: {answer.status} {answer.body[:300]!r}"
            assert refused(answer, row, 403, "AccessDenied"), told
            assert not world.heard("matrix-parts"), told


@pytest.mark.parametrize("public", [True, False])
def test_reads_of_keys_answer_as_the_matrix_says(world: World, *, public: bool) -> None:
    scene = world.scene(f"{'public/' if public else ''}read")
    before = world.versions(BUCKETS[WORKSPACE])
    expected = matrix.on_keys(public=public)
    for row in matrix.rows():
        if row.level == "object" and not row.writes:
            for kind, cells in expected[row.kind].items():
                for who, cell in {**cells, "other": cells["none"]}.items():
                    check(world, who, row, scene, kind, cell)
    assert world.versions(BUCKETS[WORKSPACE]) == before


def written(row: Row) -> bool:
    """Whether it changes something at a key."""
    return row.writes and (row.level == "object" or row.kind in ("form", "many"))


def test_refused_writes_change_nothing(world: World) -> None:
    world.gateway.s3().put_object(Bucket=WORKSPACE, Key="source.yaml", Body=manifest(name="copy"))
    scene = world.scene("public/refused")
    before = world.versions(BUCKETS[WORKSPACE])
    for row in filter(written, matrix.rows()):
        for kind, cells in matrix.on_keys(public=True)[row.kind].items():
            for who, cell in {**cells, "other": cells["none"]}.items():
                if cell not in ("passes", "newest"):
                    check(world, who, row, scene, kind, cell)
    assert world.versions(BUCKETS[WORKSPACE]) == before


def test_writes_reach_the_backend(world: World) -> None:
    world.gateway.s3().put_object(Bucket=WORKSPACE, Key="source.yaml", Body=manifest(name="copy"))
    for row in filter(written, matrix.rows()):
        scene: Scene | None = None
        for who in ("write", "admin"):
            cells = matrix.on_keys(public=False)[row.kind]
            passing = [kind for kind, cell in cells.items() if cell[who] == "passes"]
            if passing and (scene is None or row.kind in ("write", "form", "many")):
                # What the first has written or removed is another kind of key to the second.
                scene = world.scene(f"{who}/{row}".replace(":", "-"))
            for kind in passing:
                assert scene is not None
                check(world, who, row, scene, kind, "passes")
