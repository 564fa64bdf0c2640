"""Small committed files from memory: the same answers, the same rights, the same counts."""

import re
from collections.abc import Mapping

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Gateway, Response
from tests.acceptance.views import Artifact, outcome

BODY = b"a,b\n1,2\n" * 500
CHECKED = {"x-amz-checksum-mode": "ENABLED"}
# Of each exchange, or said by whoever answers.
OWN = frozenset(("date", "x-amz-request-id", "x-request-id", "connection", "keep-alive"))


@pytest.fixture
def artifact(gateway: Gateway, prefix: str) -> Artifact:
    """A committed dataset of one small file."""
    made = Artifact(gateway, prefix)
    gateway.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    made.put(
        "data.csv",
        BODY,
        ContentType="text/csv",
        CacheControl="max-age=5",
        Metadata={"who": "alice"},
        ChecksumAlgorithm="CRC32",
    )
    gateway.rpc("commit", prefix=prefix)
    return made


def ask(
    artifact: Artifact, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Response:
    """What a reader is answered."""
    target = f"/{WORKSPACE}/{artifact.key('data.csv')}"
    return artifact.gateway.signed(method, target, "read", headers)


def told(answer: Response) -> dict[str, str]:
    """The headers that are about the object."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in headers.items() if name not in OWN}


def hits(gateway: Gateway) -> int:
    """How many requests were answered from memory."""
    text = gateway.anonymous("GET", "/_metrics").text
    found = re.search(r"^gateway_cache_hits (\S+)$", text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


@pytest.mark.parametrize("headers", [{}, CHECKED], ids=["plain", "checksums"])
def test_memory_answers_as_the_backend_does(artifact: Artifact, headers: Mapping[str, str]) -> None:
    before = hits(artifact.gateway)
    first = ask(artifact, headers=headers)
    assert (first.status, first.body) == (200, BODY)
    assert ("x-amz-checksum-crc32" in told(first)) == bool(headers)
    fresh = ask(artifact, "HEAD", {"x-amz-checksum-mode": "no"})  # the backend's own answer
    for _ in range(2):
        again = ask(artifact, headers=headers)
        assert (again.status, again.body, told(again)) == (200, BODY, told(first))
        head = ask(artifact, "HEAD", headers)
        assert (head.status, head.body) == (200, b"")
        assert told(head) == told(first)
    assert told(fresh).items() <= told(first).items()
    assert hits(artifact.gateway) >= before + 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=0-3"}, 206),
        ({"Range": "bytes=999999-"}, 416),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Modified-Since": "Mon, 01 Jan 2035 00:00:00 GMT"}, 304),
        ({"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 412),
    ],
)
def test_conditions_and_ranges_are_the_backends(
    artifact: Artifact, backend: Backend, headers: Mapping[str, str], status: int
) -> None:
    version = told(ask(artifact))["x-amz-version-id"]
    ask(artifact)
    answer = ask(artifact, headers=headers)
    asked = {name.replace("-", ""): value for name, value in headers.items()}
    direct, _ = outcome(
        lambda: backend.client().get_object(
            Bucket=backend.bucket, Key=artifact.key("data.csv"), VersionId=version, **asked
        )
    )
    assert answer.status == direct == status
    if status == 206:
        assert (answer.body, told(answer)["content-range"]) == (BODY[:4], f"bytes 0-3/{len(BODY)}")


def test_each_answer_from_memory_is_counted(artifact: Artifact) -> None:
    for _ in range(5):
        assert ask(artifact).status == 200
    ask(artifact, "HEAD")
    stats = artifact.gateway.rpc("stats", key="read", prefix=artifact.prefix)
    (day,) = stats["files"]["data.csv"]
    assert (day["downloads"], day["bytes"]) == (5, 5 * len(BODY))


def test_the_index_decides_before_memory_does(artifact: Artifact) -> None:
    gateway, key = artifact.gateway, artifact.key("data.csv")
    assert [ask(artifact).body for _ in range(2)] == [BODY] * 2
    target = f"/{WORKSPACE}/{key}"
    assert gateway.signed("GET", target, "other").status == 403
    assert gateway.anonymous("GET", target).status_code == 403
    artifact.put("data.csv", b"staged")
    assert gateway.signed("GET", target, "write").body == b"staged"
    assert ask(artifact).body == BODY
    gateway.rpc("commit", prefix=artifact.prefix)
    assert ask(artifact).body == b"staged"
    gateway.rpc("delete", prefix=artifact.prefix)
    assert ask(artifact).status == 404


def test_artifact_door_and_presigned_urls_share_it(gateway: Gateway, public_prefix: str) -> None:
    artifact = Artifact(gateway, public_prefix)
    gateway.rpc("create", prefix=public_prefix, manifest={"type": "dataset"}, stage=True)
    artifact.put("data.csv", BODY)
    gateway.rpc("commit", prefix=public_prefix)
    path = f"/{WORKSPACE}/artifact/{artifact.key('data.csv')}"
    first = gateway.anonymous("GET", path)
    before = hits(gateway)
    download = gateway.anonymous("GET", f"{path}?download=true")
    again = gateway.anonymous("GET", path)
    url = gateway.rpc("get_file", key="read", prefix=public_prefix, path="data.csv")
    signed = gateway.request("GET", url.removeprefix(gateway.url))
    assert (first.content, again.content, signed.body) == (BODY, BODY, BODY)
    assert hits(gateway) == before + 3
    assert "attachment" in download.headers["Content-Disposition"]
    assert "Content-Disposition" not in again.headers
    stats = gateway.rpc("stats", key="read", prefix=public_prefix)
    assert stats["files"]["data.csv"][0]["downloads"] == 4
