"""Who may not is refused with the right code, at every door; no backend hears of it."""

import contextlib
import json
import socket
from dataclasses import replace

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Gateway
from tests.acceptance.signer import UNSIGNED, Signer
from tests.acceptance.silence import EMPTY, SECRET_KEY, TARGET, code


@pytest.mark.usefixtures("silence")
def test_two_kinds_of_credentials_are_400(tapped: Gateway, signer: Signer) -> None:
    answer = tapped.request("GET", signer.presigned("GET", TARGET), signer.headers("GET", TARGET))
    assert answer.status == 400
    answer = tapped.request(
        "GET", signer.presigned("GET", TARGET), {"Authorization": "Bearer token"}
    )
    assert answer.status == 400


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=zz",
        "AWS AKWRITER:signature",
        "Basic YTpi",
        "Bearer not-a-token",
        "",
    ],
)
def test_what_is_no_signature_is_refused(tapped: Gateway, authorization: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = tapped.request(method, TARGET, {"Authorization": authorization})
        assert answer.status in {400, 401, 403}, (method, answer)


@pytest.mark.usefixtures("silence")
def test_without_credentials_what_is_private_is_access_denied(tapped: Gateway) -> None:
    for method, target in (
        ("GET", TARGET),
        ("PUT", TARGET),
        ("DELETE", TARGET),
        ("POST", f"{TARGET}?uploads"),
        ("GET", f"/{WORKSPACE}"),
        ("DELETE", f"/{WORKSPACE}"),
        ("PUT", f"/{WORKSPACE}/public/data.csv"),
        ("DELETE", f"/{WORKSPACE}/public/data.csv"),
        ("POST", f"/{WORKSPACE}?delete"),
    ):
        answer = tapped.request(method, target)
        assert (answer.status, code(answer)) == (403, "AccessDenied"), (method, target)


@pytest.mark.usefixtures("silence")
def test_a_key_without_the_grant_is_access_denied(tapped: Gateway, signer: Signer) -> None:
    reader, other = replace(signer, key=KEYS["read"]), replace(signer, key=KEYS["other"])
    for who, method, target in (
        (reader, "PUT", TARGET),
        (reader, "DELETE", TARGET),
        (reader, "POST", f"{TARGET}?uploads="),
        (reader, "PUT", f"/{WORKSPACE}?versioning="),
        (signer, "PUT", f"/{WORKSPACE}?versioning="),
        (signer, "PUT", f"/{WORKSPACE}?policy="),
        (other, "GET", TARGET),
        (other, "PUT", TARGET),
        (other, "GET", f"/{WORKSPACE}?list-type=2"),
    ):
        answer = tapped.request(method, target, who.headers(method, target))
        assert (answer.status, code(answer)) == (403, "AccessDenied"), (method, target)


@pytest.mark.usefixtures("silence")
def test_an_unknown_workspace_never_reaches_the_backend(tapped: Gateway, signer: Signer) -> None:
    admin = replace(signer, key=KEYS["admin"])
    for bucket in ("no-such-workspace", "system-of-the-tapped", "artifact-gateway-system"):
        for method in ("GET", "PUT", "DELETE"):
            target = f"/{bucket}/key"
            answer = tapped.request(method, target, admin.headers(method, target))
            assert (answer.status, code(answer)) == (404, "NoSuchBucket"), (method, bucket)
        headers = admin.headers("PUT", TARGET, {"x-amz-copy-source": f"/{bucket}/key"})
        answer = tapped.request("PUT", TARGET, headers)
        assert (answer.status, code(answer)) == (404, "NoSuchBucket"), bucket


@pytest.mark.usefixtures("silence")
def test_the_other_doors_refuse_with_json(tapped: Gateway, signer: Signer) -> None:
    wrong = replace(signer, key=replace(KEYS["write"], secret_access_key=SECRET_KEY))
    target, body = f"/_rpc/{WORKSPACE}/list", {"content-type": "application/json"}
    answer = tapped.request("POST", target, wrong.headers("POST", target, body, EMPTY))
    assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")
    answer = tapped.request("POST", target, {**body, "Authorization": "Bearer x.y.z"}, b"{}")
    assert answer.status == 403
    assert "message" in json.loads(answer.body)["error"]
    private = f"/_rpc/{WORKSPACE}/read"
    answer = tapped.request("POST", private, body, b'{"prefix": "private"}')
    assert answer.status in {401, 403, 404}
    answer = tapped.request("POST", f"/_rpc/{WORKSPACE}/create", body, b'{"prefix": "public/x"}')
    assert answer.status in {400, 401, 403}
    answer = tapped.request("POST", target, signer.headers("POST", target, body, UNSIGNED), b"{}")
    assert answer.status in {400, 403}, "the RPC door needs the body's real hash"
    answer = tapped.request("GET", f"/{WORKSPACE}/artifact/x", {"Authorization": "Bearer x.y.z"})
    assert answer.status == 403
    assert "code" in json.loads(answer.body)["error"]


@pytest.mark.usefixtures("silence")
def test_an_unauthorised_upload_is_never_asked_to_continue(tapped: Gateway, signer: Signer) -> None:
    wrong = replace(signer, key=replace(KEYS["write"], secret_access_key=SECRET_KEY))
    headers = wrong.headers("PUT", TARGET) | {
        "content-length": str(10**9),
        "expect": "100-continue",
    }
    lines = [f"PUT {TARGET} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection(("127.0.0.1", tapped.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 403 ")


def test_a_body_that_is_not_the_signed_one_becomes_no_object(
    tapped: Gateway, signer: Signer
) -> None:
    target = f"/{WORKSPACE}/signed/never.csv"
    answer = tapped.request("PUT", target, signer.headers("PUT", target, payload=EMPTY), b"data")
    assert (answer.status, code(answer)) == (400, "XAmzContentSHA256Mismatch")
    client = tapped.backend.client()
    with contextlib.suppress(client.exceptions.ClientError):
        client.head_object(Bucket=tapped.backend.bucket, Key="signed/never.csv")
        raise AssertionError("the body became an object")
