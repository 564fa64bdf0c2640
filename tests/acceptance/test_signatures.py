"""What is not signed, or not so, is refused with the right code, and no backend hears of it."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.acceptance.harness import (
    KEYS,
    OTHER_WORKSPACE,
    WORKSPACE,
    Backend,
    Gateway,
    Response,
)
from tests.acceptance.signer import UNSIGNED, Signer
from tests.acceptance.wire import WireTap

SECRET_KEY = "0" * 64
TARGET = f"/{WORKSPACE}/signed/data.csv"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """What stands between gateway and backend, and hears everything."""
    with WireTap(backend.endpoint_url) as listening:
        yield listening


@pytest.fixture(scope="module")
def tapped(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that reaches its backend through the tap alone."""
    running = Gateway(
        backend,
        tmp_path_factory.mktemp("tapped"),
        settings={"system": {"bucket": "system-of-the-tapped", "prefix": ""}},
        endpoint_url=tap.url,
    )
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def signer(tapped: Gateway) -> Signer:
    """Signs as the writer, now."""
    return Signer(f"127.0.0.1:{tapped.port}")


@pytest.fixture
def silence(tap: WireTap, tapped: Gateway) -> Iterator[None]:
    """Nothing reaches the backend during the test."""
    assert tapped.process is not None
    tap.forget()
    yield
    time.sleep(0.05)
    heard = [(each.method, each.target) for each in tap.requests]
    assert not heard, f"reached the backend: {heard}"


def code(answer: Response) -> str:
    """The code of an XML or JSON error."""
    if answer.headers.get_content_type() == "application/json":
        return str(json.loads(answer.body)["error"]["code"])
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    assert found, answer
    return found[1].decode()


def test_a_right_signature_passes_in_headers_and_in_a_query(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    headers = signer.headers("PUT", TARGET)
    assert tapped.request("PUT", TARGET, headers, b"data").status == 200
    assert tapped.request("GET", TARGET, signer.headers("GET", TARGET)).body == b"data"
    url = signer.presigned("GET", TARGET)
    assert tapped.request("GET", url).body == b"data"
    assert tap.requests


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_a_wrong_secret_is_signature_does_not_match(
    tapped: Gateway, signer: Signer, method: str
) -> None:
    wrong = replace(signer, key=replace(KEYS["write"], secret_access_key=SECRET_KEY))
    for answer in (
        tapped.request(method, TARGET, wrong.headers(method, TARGET), b""),
        tapped.request(method, wrong.presigned(method, TARGET)),
    ):
        assert answer.status == 403
        if method == "HEAD":
            assert answer.body == b""
        else:
            assert code(answer) == "SignatureDoesNotMatch"


@pytest.mark.usefixtures("silence")
def test_a_mismatch_shows_what_was_signed_and_no_secret(tapped: Gateway, signer: Signer) -> None:
    wrong = replace(signer, key=replace(KEYS["write"], secret_access_key=SECRET_KEY))
    answer = tapped.request("GET", TARGET, wrong.headers("GET", TARGET))
    assert b"<CanonicalRequest>GET\n" in answer.body
    assert b"<StringToSign>AWS4-HMAC-SHA256\n" in answer.body
    for key in KEYS.values():
        assert key.secret_access_key.encode() not in answer.body


@pytest.mark.usefixtures("silence")
def test_an_unknown_key_is_invalid_access_key_id(tapped: Gateway, signer: Signer) -> None:
    unknown = replace(signer, key=replace(KEYS["write"], access_key_id="AKNOBODYNOBODYNOBODY"))
    for answer in (
        tapped.request("GET", TARGET, unknown.headers("GET", TARGET)),
        tapped.request("GET", unknown.presigned("GET", TARGET)),
    ):
        assert (answer.status, code(answer)) == (403, "InvalidAccessKeyId")


@pytest.mark.usefixtures("silence")
def test_the_backend_s_own_key_is_unknown_to_the_gateway(tapped: Gateway, signer: Signer) -> None:
    foreign = replace(signer, key=tapped.backend.key)
    answer = tapped.request("GET", TARGET, foreign.headers("GET", TARGET))
    assert (answer.status, code(answer)) == (403, "InvalidAccessKeyId")


@pytest.mark.usefixtures("silence")
def test_an_expired_url_is_access_denied(tapped: Gateway, signer: Signer) -> None:
    old = replace(signer, when=signer.when - timedelta(seconds=62))
    for method in ("GET", "PUT"):
        answer = tapped.request(method, old.presigned(method, TARGET, 60))
        assert (answer.status, code(answer)) == (403, "AccessDenied")
        assert b"expired" in answer.body.lower()


@pytest.mark.usefixtures("silence")
def test_a_url_whose_expiry_was_changed_does_not_match(tapped: Gateway, signer: Signer) -> None:
    old = replace(signer, when=signer.when - timedelta(seconds=62))
    longer = old.presigned("GET", TARGET, 60).replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    answer = tapped.request("GET", longer)
    assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("expires", ["604801", "0", "-1", "soon", ""])
def test_an_impossible_expiry_is_refused(tapped: Gateway, signer: Signer, expires: str) -> None:
    url = signer.presigned("GET", TARGET, 60).replace("Expires=60", f"Expires={expires}")
    answer = tapped.request("GET", url)
    assert answer.status in {400, 403}
    assert code(answer) in {
        "AuthorizationQueryParametersError",
        "AccessDenied",
        "SignatureDoesNotMatch",
    }


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("minutes", [-16, -60 * 24, 16, 60 * 24 * 30])
def test_a_skewed_clock_is_request_time_too_skewed(
    tapped: Gateway, signer: Signer, minutes: int
) -> None:
    skewed = replace(signer, when=signer.when + timedelta(minutes=minutes))
    answer = tapped.request("GET", TARGET, skewed.headers("GET", TARGET))
    assert (answer.status, code(answer)) == (403, "RequestTimeTooSkewed")


@pytest.mark.usefixtures("silence")
def test_a_url_from_the_future_is_refused(tapped: Gateway, signer: Signer) -> None:
    early = replace(signer, when=signer.when + timedelta(minutes=16))
    answer = tapped.request("GET", early.presigned("GET", TARGET))
    assert answer.status == 403
    assert code(answer) in {"AccessDenied", "RequestTimeTooSkewed"}


def test_a_clock_that_is_14_minutes_off_passes(tapped: Gateway, signer: Signer) -> None:
    for minutes in (-14, 14):
        skewed = replace(signer, when=signer.when + timedelta(minutes=minutes))
        answer = tapped.request("PUT", TARGET, skewed.headers("PUT", TARGET), b"data")
        assert answer.status == 200


@pytest.mark.usefixtures("silence")
def test_a_changed_or_missing_header_does_not_match(tapped: Gateway, signer: Signer) -> None:
    sent = {"x-amz-meta-weight": "1", "content-type": "text/csv", "range": "bytes=0-1"}
    for name in (*sent, "x-amz-date", "x-amz-content-sha256"):
        headers = signer.headers("PUT", TARGET, sent)
        if name == "x-amz-date":
            changed = replace(signer, when=signer.when + timedelta(seconds=5)).time
        else:
            changed = "bytes=0-9" if name == "range" else EMPTY
        answer = tapped.request("PUT", TARGET, {**headers, name: changed})
        assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch"), name
        missing = {key: value for key, value in headers.items() if key != name}
        answer = tapped.request("PUT", TARGET, missing)
        assert answer.status in {400, 403}, name


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-copy-source", f"/{WORKSPACE}/secret"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-acl", "public-read"),
        ("x-amz-meta-added", "1"),
        ("x-amz-bypass-governance-retention", "true"),
    ],
)
def test_an_amz_header_that_was_not_signed_is_refused(
    tapped: Gateway, signer: Signer, name: str, value: str
) -> None:
    headers = {**signer.headers("PUT", TARGET), name: value}
    answer = tapped.request("PUT", TARGET, headers)
    assert (answer.status, code(answer)) == (403, "AccessDenied")
    answer = tapped.request("PUT", signer.presigned("PUT", TARGET), {name: value})
    assert (answer.status, code(answer)) == (403, "AccessDenied")


TAMPERED = [
    f"/{WORKSPACE}/signed/other.csv",
    f"/{WORKSPACE}/signed/data.csv/",
    f"/{WORKSPACE}//signed/data.csv",
    f"//{WORKSPACE}/signed/data.csv",
    f"/{WORKSPACE}/signed%2Fdata.csv",
    f"/{WORKSPACE}/signed/../signed/data.csv",
    f"/{WORKSPACE}/signed/x/../data.csv",
    f"/{WORKSPACE}/signed/./data.csv",
    f"/{WORKSPACE}/signed/%2E/data.csv",
    f"/{WORKSPACE}/signed/data.csv%00",
    f"/{WORKSPACE}/signed/data.cs%2576",
    f"/{OTHER_WORKSPACE}/signed/data.csv",
]


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("tampered", TAMPERED)
def test_a_tampered_path_does_not_match(tapped: Gateway, signer: Signer, tampered: str) -> None:
    answer = tapped.request("GET", tampered, signer.headers("GET", TARGET))
    assert answer.status in {400, 403}
    assert code(answer) in {"SignatureDoesNotMatch", "InvalidURI"}
    query = signer.presigned("GET", TARGET).partition("?")[2]
    answer = tapped.request("GET", f"{tampered}?{query}")
    assert code(answer) in {"SignatureDoesNotMatch", "InvalidURI"}


@pytest.mark.usefixtures("silence")
def test_a_tampered_method_or_query_does_not_match(tapped: Gateway, signer: Signer) -> None:
    headers = signer.headers("GET", f"{TARGET}?partNumber=1")
    for method, target in (
        ("PUT", f"{TARGET}?partNumber=1"),
        ("DELETE", f"{TARGET}?partNumber=1"),
        ("GET", TARGET),
        ("GET", f"{TARGET}?partNumber=2"),
        ("GET", f"{TARGET}?partNumber=1&partNumber=1"),
        ("GET", f"{TARGET}?partNumber=1&versionId=null"),
        ("GET", f"{TARGET}?partNumber=1&tagging"),
    ):
        answer = tapped.request(method, target, headers)
        assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch"), (method, target)
    url = signer.presigned("GET", TARGET)
    for method, target in (
        ("PUT", url),
        ("DELETE", url),
        ("GET", f"{url}&versionId=null"),
        ("GET", f"{url}&tagging"),
        ("GET", url.replace("?", "?acl&")),
    ):
        answer = tapped.request(method, target)
        assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch"), (method, target)


@pytest.mark.usefixtures("silence")
def test_a_doubled_signing_parameter_is_refused(tapped: Gateway, signer: Signer) -> None:
    url = signer.presigned("GET", TARGET)
    for pair in re.findall(r"X-Amz-[A-Za-z]+=[^&]+", url):
        answer = tapped.request("GET", f"{url}&{pair}")
        assert answer.status in {400, 403}, pair


@pytest.mark.usefixtures("silence")
def test_a_scope_of_another_day_or_service_is_refused(tapped: Gateway, signer: Signer) -> None:
    for other in (replace(signer, service="ec2"), replace(signer, service="")):
        answer = tapped.request("GET", TARGET, other.headers("GET", TARGET))
        assert answer.status in {400, 403}
    yesterday = (signer.when - timedelta(days=1)).strftime("%Y%m%d")
    headers = signer.headers("GET", TARGET)
    headers["authorization"] = headers["authorization"].replace(signer.time[:8], yesterday)
    assert tapped.request("GET", TARGET, headers).status in {400, 403}


@pytest.mark.usefixtures("silence")
def test_a_host_that_was_not_signed_is_refused(tapped: Gateway, signer: Signer) -> None:
    foreign = replace(signer, host="elsewhere.example:9000")
    headers = {**foreign.headers("GET", TARGET), "host": signer.host}
    answer = tapped.request("GET", TARGET, headers)
    assert (answer.status, code(answer)) == (403, "SignatureDoesNotMatch")
    headers = signer.headers("GET", TARGET)
    headers["authorization"] = headers["authorization"].replace("SignedHeaders=host;", "Signed=")
    assert tapped.request("GET", TARGET, headers).status in {400, 403}


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
