"""Version ids of what was only ever staged, and of what no version was kept of before."""

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.backends import s3_client
from tests.acceptance.harness import Backend, Gateway, Key, S3Client
from tests.acceptance.secrecy import (
    BUCKETS,
    CALLERS,
    COPIER,
    OPEN,
    PLAIN,
    READER,
    SECRET,
    TARGET,
    WRITER,
    ask,
    call,
    commit,
    told,
)
from tests.acceptance.steps import manifest


@pytest.fixture(scope="module")
def store(backend: Backend) -> S3Client:
    """A client of the backend."""
    return backend.client()


def put(world: Gateway, key: str, data: bytes, workspace: str = OPEN) -> str:
    """The version id under which a writer's bytes are stored."""
    answer = ask(world, WRITER, "PUT", f"/{workspace}/{key}", None, data)
    assert answer.status == 200, answer.body
    return answer.headers["x-amz-version-id"] or "null"


def publish(world: Gateway, workspace: str, prefix: str) -> None:
    """Commit what a writer staged."""
    commit(s3_client(world.url, WRITER), workspace, prefix)


def held(store: S3Client, prefix: str) -> list[tuple[str, str]]:
    """Key and id of every version that the backend holds below a prefix."""
    answer = store.list_object_versions(Bucket=BUCKETS[OPEN], Prefix=prefix)
    versions = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
    return [(each["Key"], each["VersionId"]) for each in versions]


def newest(store: S3Client, key: str) -> str | None:
    """The id of what everybody reads there as an ordinary object; None where nothing is."""
    try:
        return str(store.head_object(Bucket=BUCKETS[OPEN], Key=key)["VersionId"])
    except ClientError:
        return None


def end(world: Gateway, prefix: str, how: str) -> None:
    """End an artifact."""
    if how in ("delete", "discard"):
        assert call(world, WRITER, OPEN, how, prefix=prefix) is None
        return
    paths = (
        ("twice.csv", "before.csv", "_manifest.yaml") if how == "remove" else ("_manifest.yaml",)
    )
    for path in paths:
        assert ask(world, WRITER, "DELETE", f"/{OPEN}/{prefix}/{path}").status == 204


@pytest.mark.parametrize("how", ["delete", "discard", "remove", "dissolve"])
def test_versions_that_were_only_staged_are_nobodys_after_the_artifact(
    secluded: Gateway, store: S3Client, how: str
) -> None:
    prefix = f"public/{how}"
    put(secluded, f"{prefix}/before.csv", b"an ordinary object's")
    put(secluded, f"{prefix}/_manifest.yaml", manifest(name=SECRET.decode()))
    for data in (SECRET, b"committed"):
        put(secluded, f"{prefix}/twice.csv", data)
    put(secluded, f"{prefix}/before.csv", SECRET)
    if how == "delete":
        publish(secluded, OPEN, prefix)
        put(secluded, f"{prefix}/twice.csv", SECRET)
        put(secluded, f"{prefix}/late.csv", SECRET)
    end(secluded, prefix, how)
    versions = held(store, prefix)
    assert versions
    for key, version in versions:
        if version != newest(store, key):
            check_nobodys(secluded, key, version)
    put(secluded, f"{prefix}/twice.csv", b"an ordinary object now")
    again = ask(secluded, READER, "GET", f"/{OPEN}/{prefix}/twice.csv")
    named = f"/{OPEN}/{prefix}/twice.csv?versionId={again.headers['x-amz-version-id']}"
    assert again.body == ask(secluded, READER, "GET", named).body == b"an ordinary object now"


def check_nobodys(world: Gateway, key: str, version: str) -> None:
    """Assert that readers can't tell a version from one that never was."""
    never = "0" * len(version)
    for reader in CALLERS.values():
        for query in ("", "attributes&"):
            answer, other = (
                ask(world, reader, "GET", f"/{OPEN}/{key}?{query}versionId={each}",
                    {"x-amz-object-attributes": "ETag"})
                for each in (version, never)
            )  # fmt: skip
            assert answer.status == 404, (key, version, query)
            assert told(answer, version) == told(other, never)
    copies = [
        ask(world, COPIER, "PUT", f"/{TARGET}/stolen",
            {"x-amz-copy-source": f"{OPEN}/{key}?versionId={each}"})
        for each in (version, never)
    ]  # fmt: skip
    assert copies[0].status == 404, (key, version)
    assert told(copies[0], version) == told(copies[1], never)


@pytest.mark.parametrize("reader", CALLERS.values(), ids=CALLERS)
def test_old_versions_of_ordinary_objects_stay_readable(
    secluded: Gateway, reader: Key | None
) -> None:
    first = put(secluded, "public/plain.txt", b"one")
    put(secluded, "public/plain.txt", b"two")
    answer = ask(secluded, reader, "GET", f"/{OPEN}/public/plain.txt?versionId={first}")
    assert (answer.status, answer.body) == (200, b"one")


def test_what_was_committed_without_versions_stays_when_they_come(
    secluded: Gateway, store: S3Client
) -> None:
    prefix = "public/late"
    client = s3_client(secluded.url, WRITER)
    for path, data in (("_manifest.yaml", manifest(name="one")), ("changed.csv", b"committed"),
                       ("removed.csv", b"committed")):  # fmt: skip
        client.put_object(Bucket=PLAIN, Key=f"{prefix}/{path}", Body=data)
    commit(client, PLAIN, prefix)
    store.put_bucket_versioning(
        Bucket=BUCKETS[PLAIN], VersioningConfiguration={"Status": "Enabled"}
    )
    put(secluded, f"{prefix}/changed.csv", SECRET, PLAIN)
    put(secluded, f"{prefix}/_manifest.yaml", manifest(name="two"), PLAIN)
    client.delete_object(Bucket=PLAIN, Key=f"{prefix}/removed.csv")
    for path in ("changed.csv", "removed.csv"):
        for reader in CALLERS.values():
            answer = ask(secluded, reader, "GET", f"/{PLAIN}/{prefix}/{path}")
            assert (answer.status, answer.body) == (200, b"committed"), path
        answer = secluded.request("GET", f"/{PLAIN}/artifact/{prefix}/{path}")
        assert (answer.status, answer.body) == (200, b"committed"), path
    assert b"one" in ask(secluded, READER, "GET", f"/{PLAIN}/{prefix}/manifest.yaml").body
    zipped = secluded.request("GET", f"/{PLAIN}/artifact/{prefix}?format=zip")
    assert (zipped.status, zipped.body.count(b"committed")) == (200, 2)
    for path in ("changed.csv", "manifest.yaml"):
        target = f"/{PLAIN}/{prefix}/{path}?versionId=null"
        assert ask(secluded, WRITER, "DELETE", target).status == 403
    assert call(secluded, WRITER, PLAIN, "discard", prefix=prefix) is None
    for path in ("changed.csv", "removed.csv"):
        assert ask(secluded, WRITER, "GET", f"/{PLAIN}/{prefix}/{path}").body == b"committed"
