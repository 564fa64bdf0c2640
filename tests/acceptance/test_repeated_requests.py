"""The same request again, byte for byte: verified once, and yet each time what it is by then."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from http.client import OK
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway, Response
from tests.acceptance.views import Artifact

FIRST, SECOND = b"first\n" * 99, b"second\n" * 99
LONG = b"long\n" * 99_999  # so that it is streamed
TIMES = 16  # from the third time on a worker knows a head, and there are several


@dataclass(frozen=True, slots=True)
class Repeated:
    """A request that was made once, and is sent again and again."""

    gateway: Gateway
    target: str
    headers: Mapping[str, str]
    method: str = "GET"

    def again(self) -> Response:
        """The answer by now."""
        return self.gateway.request(self.method, self.target, self.headers)

    def several(self) -> list[tuple[int, bytes]]:
        """The answers to several of it; each tells of what it has."""
        answers = [self.again() for _ in range(TIMES)]
        for each in answers:
            if self.method == "GET" and each.status == OK:
                assert each.headers["ETag"].strip('"') == md5(each.body).hexdigest()  # noqa: S324
        return [(each.status, each.body) for each in answers]


def signed(
    gateway: Gateway,
    target: str,
    key: tuple[str, str] | str = "read",
    method: str = "GET",
    body: bytes = b"",
) -> Repeated:
    """A request that is signed in its headers, once."""
    if isinstance(key, str):
        key = KEYS[key].access_key_id, KEYS[key].secret_access_key
    headers = {"Content-Type": "application/json"} if body else {}
    request = AWSRequest(method, gateway.url + target, headers=headers, data=body)
    S3SigV4Auth(Credentials(*key), "s3", REGION).add_auth(request)
    return Repeated(gateway, target, dict(request.headers.items()), method)


def opened(artifact: Artifact, right: str, query: str = "") -> Repeated:
    """A request of the artifact door's, with a token that has this right."""
    grants = {WORKSPACE: right}
    token = artifact.gateway.rpc("generate_token", key="admin", grants=grants)
    target = f"/{WORKSPACE}/artifact/{artifact.key('data.csv')}{query}"
    return Repeated(artifact.gateway, target, {"Authorization": f"Bearer {token}"})


def presigned(gateway: Gateway, key: str, seconds: int) -> Repeated:
    """A presigned URL of a file that a reader has made."""
    client = boto3.client(
        "s3",
        endpoint_url=gateway.url,
        region_name=REGION,
        aws_access_key_id=KEYS["read"].access_key_id,
        aws_secret_access_key=KEYS["read"].secret_access_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    asked = {"Bucket": WORKSPACE, "Key": key}
    url = urlsplit(client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))
    return Repeated(gateway, f"{url.path}?{url.query}", {})


def new_key(gateway: Gateway) -> tuple[str, str]:
    """A reader's key that was made at run time: its id and its secret."""
    made = gateway.rpc("keys.create", key="admin", name="short-lived", grants={WORKSPACE: "read"})
    return made["access_key_id"], made["secret_access_key"]


@pytest.fixture
def artifact(gateway: Gateway, prefix: str) -> Artifact:
    """A committed dataset of a small file and a long one."""
    made = Artifact(gateway, prefix)
    gateway.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    made.put("data.csv", FIRST)
    made.put("long.csv", LONG)
    gateway.rpc("commit", prefix=prefix)
    time.sleep(1.1)  # answers of the second in which a file was made are never told again
    return made


def path(artifact: Artifact, file: str = "data.csv") -> str:
    return f"/{WORKSPACE}/{artifact.key(file)}"


@pytest.mark.parametrize(("file", "body"), [("data.csv", FIRST), ("long.csv", LONG)])
def test_each_has_an_answer_an_id_and_a_line_of_its_own(
    artifact: Artifact, file: str, body: bytes
) -> None:
    request = signed(artifact.gateway, path(artifact, file))
    answers = [request.again() for _ in range(TIMES)]
    assert {answer.body for answer in answers} == {body}
    ids = [answer.headers["x-amz-request-id"] for answer in answers]
    assert len(set(ids)) == TIMES
    assert [answer.headers["X-Request-Id"] for answer in answers] == ids
    names = {tuple(answer.headers.keys()) for answer in answers[1:]}
    assert len(names) == 1
    log = artifact.gateway.logged().splitlines()
    lines = [json.loads(line) for line in log if line.startswith("{")]
    told = [line for line in lines if line["request_id"] in ids]
    assert [line["request_id"] for line in told] == ids
    assert {line["access_key_id"] for line in told} == {KEYS["read"].access_key_id}
    assert {(line["operation"], line["sent"]) for line in told} == {("GetObject", len(body))}


def test_each_is_counted(artifact: Artifact) -> None:
    signed(artifact.gateway, path(artifact)).several()
    presigned(artifact.gateway, artifact.key("data.csv"), 60).several()
    signed(artifact.gateway, path(artifact), method="HEAD").several()
    stats = artifact.gateway.rpc("stats", key="read", prefix=artifact.prefix)
    (day,) = stats["files"]["data.csv"]
    assert (day["downloads"], day["bytes"]) == (2 * TIMES, 2 * TIMES * len(FIRST))


def test_commits_discards_and_deletes_are_seen_at_once(artifact: Artifact) -> None:
    gateway = artifact.gateway
    reader = signed(gateway, path(artifact))
    writer = signed(gateway, path(artifact), "write")
    door, staged = opened(artifact, "read"), opened(artifact, "write", "?stage=true")
    assert reader.several() == writer.several() == door.several() == [(200, FIRST)] * TIMES
    artifact.put("data.csv", SECOND)
    assert reader.several() == door.several() == [(200, FIRST)] * TIMES
    assert writer.several() == staged.several() == [(200, SECOND)] * TIMES
    gateway.rpc("discard", prefix=artifact.prefix)
    assert writer.several() == door.several() == [(200, FIRST)] * TIMES
    artifact.put("data.csv", SECOND)
    gateway.rpc("commit", prefix=artifact.prefix)
    assert reader.several() == door.several() == [(200, SECOND)] * TIMES
    gateway.rpc("delete", prefix=artifact.prefix)
    for each in (reader, door):
        assert [status for status, _ in each.several()] == [404] * TIMES


def test_revoked_key_is_refused_at_its_next_request(artifact: Artifact) -> None:
    gateway = artifact.gateway
    made = new_key(gateway)
    request = signed(gateway, path(artifact), made)
    assert request.several() == [(200, FIRST)] * TIMES
    gateway.rpc("keys.revoke", key="admin", access_key_id=made[0])
    for _ in range(TIMES):
        answer = request.again()
        assert answer.status == 403
        assert b"<Code>InvalidAccessKeyId</Code>" in answer.body


def test_presigned_url_that_has_expired_is_refused(artifact: Artifact) -> None:
    request = presigned(artifact.gateway, artifact.key("data.csv"), 3)
    assert request.several() == [(200, FIRST)] * TIMES
    time.sleep(4)
    for _ in range(TIMES):
        answer = request.again()
        assert answer.status == 403
        assert b"Request has expired" in answer.body


def test_url_of_the_gateway_ends_with_the_key_that_had_it_made(artifact: Artifact) -> None:
    gateway = artifact.gateway
    made = new_key(gateway)
    body = json.dumps({"prefix": artifact.prefix, "path": "data.csv"}).encode()
    call = signed(gateway, f"/_rpc/{WORKSPACE}/get_file", made, "POST", body)
    url = urlsplit(gateway.request("POST", call.target, call.headers, body).json())
    request = Repeated(gateway, f"{url.path}?{url.query}", {})
    assert request.several() == [(200, FIRST)] * TIMES
    gateway.rpc("keys.revoke", key="admin", access_key_id=made[0])
    assert [status for status, _ in request.several()] == [403] * TIMES


def test_workspace_that_was_removed_is_gone_at_once(gateway: Gateway) -> None:
    client, name = gateway.s3("admin"), f"repeated-{gateway.port}"
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="plain", Body=FIRST)
    request = signed(gateway, f"/{name}/plain", "admin")
    assert request.several() == [(200, FIRST)] * TIMES
    client.delete_object(Bucket=name, Key="plain")
    assert request.again().status == 404
    client.delete_bucket(Bucket=name)
    answer = request.again()
    assert (answer.status, b"NoSuchBucket" in answer.body) == (404, True)


def test_plain_object_is_what_the_bucket_holds_by_now(gateway: Gateway) -> None:
    client, key = gateway.s3(), f"{gateway.new_prefix()}/plain"
    request = signed(gateway, f"/{WORKSPACE}/{key}")
    for body in (FIRST, LONG, LONG[::-1], SECOND):
        client.put_object(Bucket=WORKSPACE, Key=key, Body=body)
        assert request.several() == [(200, body)] * TIMES
    client.delete_object(Bucket=WORKSPACE, Key=key)
    assert [status for status, _ in request.several()] == [404] * TIMES
