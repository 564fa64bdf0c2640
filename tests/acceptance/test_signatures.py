"""What is not signed, or not so, is refused with the right code; no backend hears of it."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.acceptance.harness import KEYS, OTHER_WORKSPACE, WORKSPACE, Gateway
from tests.acceptance.signer import Signer
from tests.acceptance.silence import EMPTY, SECRET_KEY, TARGET, code
from tests.acceptance.wire import WireTap


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
