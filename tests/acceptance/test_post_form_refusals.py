"""Forms that are not as they were signed, or not whole: refused, and nothing is stored."""

import base64
import socket
from collections.abc import Callable

import pytest

from gateway.derivation import derive
from tests.acceptance.forms import BOUNDARY, END, LARGE, SUBMIT, Condition, Form, sign
from tests.acceptance.harness import (
    KEYS,
    OTHER_WORKSPACE,
    WORKSPACE,
    Backend,
    Gateway,
    Key,
    S3Client,
    s3_client,
)
from tests.acceptance.signer import Signer
from tests.acceptance.silence import code
from tests.acceptance.steps import keys_below

Change = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture(scope="module")
def stored(backend: Backend) -> S3Client:
    """The backend itself."""
    return backend.client()


def without(*names: str) -> Change:
    """The form without these fields."""
    return lambda fields: {name: text for name, text in fields.items() if name not in names}


def adding(**more: str) -> Change:
    """The form with these fields, `_` standing for `-`, signed or not."""
    return lambda fields: fields | {name.replace("_", "-"): more[name] for name in more}


REFUSED: list[tuple[Change, int, str]] = [
    (adding(x_amz_signature="0" * 64), 403, "SignatureDoesNotMatch"),
    (adding(policy=base64.b64encode(b"{}").decode()), 403, "SignatureDoesNotMatch"),
    (adding(x_amz_date="20240229T123456Z"), 400, "InvalidArgument"),
    (adding(x_amz_algorithm="AWS4-HMAC-SHA1"), 400, "InvalidArgument"),
    (adding(x_amz_algorithm="AWS4-ECDSA-P256-SHA256"), 400, "InvalidRequest"),
    (adding(x_amz_credential="nobody"), 400, "InvalidArgument"),
    (adding(AWSAccessKeyId="AK", signature="c2ln"), 400, "InvalidRequest"),
    (without("policy"), 400, "InvalidArgument"),
    (without("x-amz-signature"), 400, "InvalidArgument"),
    (without("x-amz-date"), 400, "InvalidArgument"),
    (without("key"), 400, "InvalidArgument"),
    (
        without("policy", "x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"),
        403,
        "AccessDenied",
    ),
    (adding(key="elsewhere"), 403, "AccessDenied"),
    (adding(key="a.csv.versions/v_1"), 400, "InvalidPath"),
    (adding(key="k" * 1025), 400, "KeyTooLongError"),
    (adding(acl="public-read"), 403, "AccessDenied"),
    (adding(acl="private"), 403, "AccessDenied"),
    (adding(x_amz_meta_more="1"), 403, "AccessDenied"),
    (adding(success_action_redirect="https://evil.test"), 403, "AccessDenied"),
    (adding(x_amz_copy_source=f"/{OTHER_WORKSPACE}/secret"), 403, "AccessDenied"),
    (adding(submit="Upload"), 403, "AccessDenied"),
    (adding(x_amz_meta_name="other"), 403, "AccessDenied"),
    (adding(Content_Type="text/html"), 403, "AccessDenied"),
    (adding(Content_Type="image/png, text/html"), 403, "AccessDenied"),
    (without("x-amz-meta-name"), 403, "AccessDenied"),
    (adding(x_ignore_long="x" * 20_480), 400, "MaxPostPreDataLengthExceededError"),
    (adding(KEY="twice"), 400, "InvalidArgument"),
]


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("data", [b"data", LARGE], ids=["small", "large"])
@pytest.mark.parametrize(("change", "status", "error"), REFUSED)
def test_a_form_that_is_not_as_it_was_signed_is_refused(
    tapped: Gateway, change: Change, status: int, error: str, data: bytes
) -> None:
    images: list[Condition] = [["starts-with", "$Content-Type", "image/"]]
    signed = sign(tapped.s3(), "forms/${filename}", {"x-amz-meta-name": "value"}, images)
    answer = Form(change({**signed, "Content-Type": "image/png"}), data).send(tapped.port)
    assert (answer.status, code(answer)) == (status, error)


FREE: list[Condition] = [
    ["starts-with", f"${name}", ""]
    for name in ("key", "acl", "x-amz-meta-a", "x-amz-website-redirect-location", "Expires")
]


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("mark", ["\r\nx-amz-acl: public-read", "\n", "\r", "\0"])
@pytest.mark.parametrize("name", ["key", "acl", "x-amz-meta-a", "Expires"])
def test_line_breaks_make_no_second_header(tapped: Gateway, name: str, mark: str) -> None:
    signed = sign(tapped.s3(), "forms/${filename}", {}, FREE) | {name: f"forms/a{mark}"}
    answer = Form(signed).send(tapped.port)
    assert (answer.status, code(answer)) == (400, "InvalidArgument")


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize(
    ("fields", "conditions"),
    [
        ({"acl": "public-read"}, []),
        ({"x-amz-acl": "public-read"}, []),
        ({"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}, []),
        ({}, [{"bucket": OTHER_WORKSPACE}]),
        ({}, [["starts-with", "$bucket", ""]]),
    ],
)
def test_what_would_open_the_backend_is_refused_though_it_was_signed(
    tapped: Gateway, fields: dict[str, str], conditions: list[Condition]
) -> None:
    answer = Form(sign(tapped.s3("admin"), "forms/a", fields, conditions)).send(tapped.port)
    assert (answer.status, code(answer)) == (403, "AccessDenied")


@pytest.mark.usefixtures("silence")
def test_a_form_is_good_for_its_time_and_its_bucket(tapped: Gateway) -> None:
    for client, target, error in (
        (tapped.s3(), f"/{OTHER_WORKSPACE}", "AccessDenied"),
        (tapped.s3("read"), f"/{WORKSPACE}", "AccessDenied"),
        (tapped.s3("other"), f"/{WORKSPACE}", "AccessDenied"),
        (tapped.s3(), "/no-such-workspace", "AccessDenied"),
    ):
        for data in (b"data", LARGE):
            answer = Form(sign(client, "forms/a"), data).send(tapped.port, target)
            assert (answer.status, code(answer)) == (403, error)
    signed = sign(tapped.s3("admin"), "forms/a", bucket="no-such-workspace")
    answer = Form(signed).send(tapped.port, "/no-such-workspace")
    assert (answer.status, code(answer)) == (404, "NoSuchBucket")
    answer = Form(sign(tapped.s3(), "forms/a", expires=-1)).send(tapped.port)
    assert (answer.status, code(answer)) == (403, "AccessDenied")
    assert b"Policy expired" in answer.body
    assert Form({"key": "forms/a"}).send(tapped.port, "/no-such-workspace").status == 404


@pytest.mark.usefixtures("silence")
def test_a_form_takes_one_kind_of_credentials(tapped: Gateway, signer: Signer) -> None:
    signed, target = sign(tapped.s3(), "forms/a"), f"/{WORKSPACE}"
    for extra in (
        signer.headers("POST", target),
        {"Authorization": "Bearer token"},
        {"Authorization": "AWS4-HMAC-SHA256 nonsense"},
    ):
        headers = {name: value for name, value in extra.items() if name != "host"}
        answer = Form(signed).send(tapped.port, target, headers)
        assert (answer.status, code(answer)) == (400, "InvalidRequest")
    answer = Form(signed).send(tapped.port, signer.presigned("POST", target))
    assert (answer.status, code(answer)) == (400, "InvalidRequest")


@pytest.mark.usefixtures("silence")
def test_keys_that_the_gateway_signs_urls_with_sign_no_forms(tapped: Gateway) -> None:
    secret = str(tapped.configuration()["secret"]).encode()
    for issuer in ("", KEYS["write"].access_key_id):
        own = derive(secret, f"URLs of {issuer}").hex()
        for known, error in ((own, "AccessDenied"), ("0" * 64, "SignatureDoesNotMatch")):
            client = s3_client(tapped.url, Key(f"URL~{issuer}", known, "own", {}))
            answer = Form(sign(client, "forms/a")).send(tapped.port)
            assert (answer.status, code(answer)) == (403, error)
    client = s3_client(tapped.url, Key("AKNOBODY", "0" * 64, "nobody", {}))
    answer = Form(sign(client, "forms/a")).send(tapped.port)
    assert (answer.status, code(answer)) == (403, "InvalidAccessKeyId")


@pytest.mark.usefixtures("silence")
def test_what_is_no_form_is_refused(tapped: Gateway) -> None:
    signed, target = sign(tapped.s3(), "forms/a"), f"/{WORKSPACE}"
    form = Form(signed)
    body = form.before + form.data + END
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    for headers, sent, status, error in (
        ({"Content-Type": "text/plain"}, body, 403, "AccessDenied"),
        ({"Content-Type": "multipart/form-data"}, body, 400, "MalformedPOSTRequest"),
        ({"Content-Type": kind}, body[:-6], 400, "MalformedPOSTRequest"),
        ({"Content-Type": kind}, b"", 400, "MalformedPOSTRequest"),
        ({"Content-Type": kind}, b"x" * 30_000, 400, "MaxPostPreDataLengthExceededError"),
        ({"Content-Type": kind}, form.before[:200] + END, 400, "InvalidArgument"),
        (
            {"Content-Type": kind, "Transfer-Encoding": "chunked"},
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
            411,
            "MissingContentLength",
        ),
    ):
        answer = tapped.request("POST", target, headers, sent)
        assert (answer.status, code(answer)) == (status, error), headers
    answer = tapped.signed("POST", target, headers={"Content-Type": "text/plain"}, body=b"x")
    assert (answer.status, code(answer)) == (405, "MethodNotAllowed")
    answer = Form(signed).send(tapped.port, f"{target}/forms/a")
    assert (answer.status, code(answer)) == (501, "NotImplemented")
    answer = Form(signed).send(tapped.port, f"{target}?tagging")
    assert (answer.status, code(answer)) == (501, "NotImplemented")


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("data", [b"data", LARGE], ids=["small", "large"])
def test_a_file_out_of_range_is_refused_before_the_backend_hears_of_it(
    tapped: Gateway, data: bytes
) -> None:
    for first, last, error in (
        (len(data) + 1, len(data) + 9, "EntityTooSmall"),
        (0, len(data) - 1, "EntityTooLarge"),
    ):
        signed = sign(tapped.s3(), "forms/a", {}, [["content-length-range", first, last]])
        answer = Form(signed, data).send(tapped.port)
        assert (answer.status, code(answer)) == (400, error)
        assert f"<ProposedSize>{len(data)}</ProposedSize>".encode() in answer.body


@pytest.mark.usefixtures("silence")
def test_two_files_are_one_too_many(tapped: Gateway) -> None:
    second = END[:-4] + b"\r\n" + Form({}, b"more").before[len(BOUNDARY) + 4 :] + b"more" + END
    answer = Form(sign(tapped.s3(), "forms/a"), end=second).send(tapped.port)
    assert (answer.status, code(answer)) == (400, "InvalidArgument")


TAILS = [
    END[:-2],
    END + b"\r\n",
    END + b"x" * 70_000,
    SUBMIT,
    END[:-4] + b"\r\n",
    END[:-4] + b"xx\r\n",
    b"x" * len(END),
    b"",
]


@pytest.mark.parametrize("end", TAILS)
def test_a_large_form_that_ends_otherwise_stores_nothing(
    gateway: Gateway, stored: S3Client, prefix: str, end: bytes
) -> None:
    form = Form(sign(gateway.s3(), f"{prefix}/data.csv"), LARGE, end=end)
    answer = form.send(gateway.port)
    assert (answer.status, code(answer)) == (400, "MalformedPOSTRequest")
    assert keys_below(stored, prefix) == {}


WRONG = {
    "Content-MD5": base64.b64encode(b"\0" * 16).decode(),
    "x-amz-checksum-crc32": "AAAAAA==",
    "x-amz-checksum-sha256": base64.b64encode(b"\0" * 32).decode(),
}


@pytest.mark.parametrize("data", [b"data", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", WRONG)
def test_a_file_with_another_checksum_stores_nothing(
    gateway: Gateway, stored: S3Client, prefix: str, name: str, data: bytes
) -> None:
    signed = sign(gateway.s3(), f"{prefix}/data.csv", {name: WRONG[name]})
    answer = Form(signed, data).send(gateway.port)
    assert (answer.status, code(answer)) == (400, "BadDigest")
    assert keys_below(stored, prefix) == {}


@pytest.mark.parametrize("end", ["", "small", "large", "boundary"])
def test_a_client_that_leaves_stores_nothing(
    gateway: Gateway, stored: S3Client, prefix: str, end: str
) -> None:
    key = f"{prefix}/data.csv"
    form = Form(sign(gateway.s3(), key), LARGE if end != "small" else b"data")
    size = len(form.before) + len(form.data) + len(END)
    head = (
        f"POST /{WORKSPACE} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()
    part = {"": form.before[:-9], "boundary": form.before + form.data + END[:-1]}
    said = head + part.get(end, form.before + form.data[: len(form.data) // 2])
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    assert Form(sign(gateway.s3(), f"{prefix}/after")).send(gateway.port).status == 204
    assert keys_below(stored, prefix) == {"after": 4}


def test_the_log_holds_no_policy_and_no_signature(tapped: Gateway) -> None:
    signed = sign(tapped.s3(), f"{tapped.new_prefix()}/a")
    assert Form(signed).send(tapped.port).status == 204
    assert Form(signed | {"x-amz-signature": "0" * 64}).send(tapped.port).status == 403
    log = tapped.logged()
    assert '"PostObject"' in log
    for name in ("policy", "x-amz-signature", "x-amz-credential"):
        assert signed[name] not in log
