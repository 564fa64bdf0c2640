"""Uploads by HTML form: what passes at the backend passes here, and is answered as S3 does."""

import base64
import hashlib
import http.client
import re
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.acceptance.forms import BOUNDARY, END, LARGE, SUBMIT, Condition, Form, sign
from tests.acceptance.harness import (
    WORKSPACE,
    Backend,
    Document,
    Gateway,
    S3Client,
)
from tests.acceptance.processes import free_port
from tests.acceptance.silence import code
from tests.acceptance.steps import content
from tests.acceptance.test_large_objects import GROWTH, MEBIBYTE, blocks, measured
from tests.acceptance.views import outcome
from tests.acceptance.wire import WireTap


@pytest.fixture(scope="module")
def stored(backend: Backend) -> S3Client:
    """The backend itself."""
    return backend.client()


def is_stored(client: S3Client, key: str, bucket: str = WORKSPACE) -> bool:
    status, _ = outcome(lambda: client.head_object(Bucket=bucket, Key=key))
    return status == 200


def test_boto3_signs_a_form_and_requests_sends_it(
    gateway: Gateway, stored: S3Client, prefix: str
) -> None:
    key = f"{prefix}/größe a+b%20.csv"
    form = gateway.s3().generate_presigned_post(WORKSPACE, key)
    answer = requests.post(
        form["url"], data=form["fields"], files={"file": ("x.csv", b"data", "text/csv")}, timeout=60
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Location"] == f"{gateway.url}/{WORKSPACE}/{quote(key)}"
    assert answer.headers["ETag"] == f'"{hashlib.md5(b"data", usedforsecurity=False).hexdigest()}"'
    found = stored.get_object(Bucket=WORKSPACE, Key=key)
    assert (found["Body"].read(), found["ContentType"]) == (b"data", "text/csv")
    assert content(gateway.s3("read"), key) == b"data"


PASSING_BY = ("date", "last-modified", "x-amz-request-id", "seaweed-x-amz-owner")
PASSING: list[tuple[dict[str, str], list[Condition]]] = [
    ({}, []),
    ({"Content-Type": "text/html", "Cache-Control": "max-age=5"}, []),
    ({"Content-Disposition": 'attachment; filename="ü.csv"', "Content-Encoding": "gzip"}, []),
    ({"Expires": "Wed, 21 Oct 2037 07:28:00 GMT", "x-amz-meta-Name": "value"}, []),
    ({"x-amz-storage-class": "STANDARD", "x-amz-tagging": "a=b&c=d"}, []),
    ({"acl": "private"}, []),
    ({"x-amz-server-side-encryption": "AES256"}, []),
    ({"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"data").to_bytes(4)).decode()}, []),
    ({"success_action_status": "200"}, []),
    ({"success_action_status": "204"}, []),
    ({"success_action_status": "404"}, []),
    ({}, [["content-length-range", 4, 4]]),
    ({}, [["content-length-range", "0", "100"]]),
    ({}, [["starts-with", "$key", ""], ["starts-with", "$x-amz-meta-a", ""]]),
    ({}, [["content-length-range", 5, 9]]),
    ({}, [["content-length-range", 0, 3]]),
    ({}, [{"acl": "public-read"}]),
    ({"x-amz-meta-a": "1"}, [["starts-with", "$x-amz-meta-a", "2"]]),
    ({"success_action_status": "200"}, [["starts-with", "$success_action_status", ""]]),
]


@pytest.mark.parametrize(("fields", "conditions"), PASSING)
def test_what_the_backend_answers_the_gateway_answers(
    gateway: Gateway,
    stored: S3Client,
    prefix: str,
    fields: dict[str, str],
    conditions: list[Condition],
) -> None:
    seen: list[Document] = []
    for client, port, name in (
        (stored, gateway.backend.port, "direct"),
        (gateway.s3(), gateway.port, "through"),
    ):
        key = f"{prefix}/{name}"
        signed = sign(client, key, fields, conditions)
        answer = Form(signed, content_type="text/csv").send(port)
        if answer.status >= 400:
            assert not is_stored(stored, key)
            seen.append((answer.status, code(answer)))
            continue
        found = stored.get_object(Bucket=WORKSPACE, Key=key)
        assert answer.headers["x-amz-version-id"] == found.get("VersionId")
        told = {
            header: value
            for header, value in found["ResponseMetadata"]["HTTPHeaders"].items()
            if header not in PASSING_BY and not header.endswith("-version-id")
        }
        tags = stored.get_object_tagging(Bucket=WORKSPACE, Key=key)["TagSet"]
        seen.append(
            (answer.status, answer.body, answer.headers["ETag"], found["Body"].read(), told, tags)
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("size", [0, 1, 4096, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE])
def test_every_size_arrives_whole(
    gateway: Gateway, stored: S3Client, prefix: str, size: int
) -> None:
    key, data = f"{prefix}/data.bin", (b"\r\n--" + BOUNDARY[:-1].encode()) * (size // 40 + 1)
    answer = Form(sign(gateway.s3(), key), data[:size]).send(gateway.port)
    assert answer.status == 204
    found = stored.get_object(Bucket=WORKSPACE, Key=key)
    assert found["Body"].read() == data[:size]
    assert found["ETag"] == answer.headers["ETag"]


def test_curl_sends_a_form(gateway: Gateway, stored: S3Client, prefix: str, tmp_path: Path) -> None:
    path = tmp_path / 'a "quoted" größe.csv'
    path.write_bytes(LARGE)
    signed = sign(gateway.s3(), f"{prefix}/${{filename}}", {"success_action_status": "201"})
    given = [part for name, value in signed.items() for part in ("-F", f"{name}={value}")]
    escaped = str(path).replace('"', '\\"')
    outcome = gateway.curl(*given, "-F", f'file=@"{escaped}"', f"{gateway.url}/{WORKSPACE}")
    key = re.search("<Key>(.*)</Key>", outcome.stdout)
    assert key is not None
    name = key[1].replace("&quot;", '"')
    # curl escapes quotes as browsers do, or, when it is older, with a backslash.
    assert name in (f"{prefix}/a %22quoted%22 größe.csv", f"{prefix}/{path.name}")
    assert stored.get_object(Bucket=WORKSPACE, Key=name)["Body"].read() == LARGE


def test_a_browser_s_form_is_read_in_any_order_with_what_it_adds(
    gateway: Gateway, stored: S3Client, prefix: str
) -> None:
    free: list[Condition] = [
        ["starts-with", "$key", f"{prefix}/"],
        ["starts-with", "$Content-Type", "text/"],
        ["starts-with", "$x-amz-meta-name", ""],
        ["starts-with", "$Filename", ""],
    ]
    signed = sign(gateway.s3(), f"{prefix}/${{filename}}", {}, free)
    filled = {
        "x-ignore-before": "anything",
        "X-Amz-Meta-Name": "${filename}",
        "Filename": "added by a toolkit",
        "content-type": "text/csv",
        **{name.upper(): value for name, value in reversed(signed.items())},
    }
    form = Form(
        filled, file='; filename="C:\\Temp\\größe %22b%22.csv"', content_type="text/x", end=SUBMIT
    )
    assert form.send(gateway.port).status == 204
    found = stored.get_object(Bucket=WORKSPACE, Key=f"{prefix}/größe %22b%22.csv")
    assert (found["Body"].read(), found["ContentType"]) == (b"data", "text/csv")
    assert found["Metadata"]["name"].encode("latin-1").decode() == "größe %22b%22.csv"


@pytest.mark.parametrize("end", [END, END[:-2], END + b"epilogue", SUBMIT])
def test_a_small_form_ends_as_it_likes(
    gateway: Gateway, stored: S3Client, prefix: str, end: bytes
) -> None:
    form = Form(sign(gateway.s3(), f"{prefix}/data.csv"), end=end)
    assert form.send(gateway.port).status == 204
    assert stored.get_object(Bucket=WORKSPACE, Key=f"{prefix}/data.csv")["Body"].read() == b"data"


def test_the_form_says_what_is_answered(gateway: Gateway, prefix: str) -> None:
    key = f"{prefix}/ü.csv"
    url = f"{gateway.url}/{WORKSPACE}/{quote(key)}"
    answer = Form(sign(gateway.s3(), key, {"success_action_status": "201"})).send(gateway.port)
    etag = answer.headers["ETag"]
    assert (answer.status, answer.headers["Location"]) == (201, url)
    told = dict(re.findall(r"<(\w+)>([^<]+)</\1>", answer.body.decode()))
    assert told == {
        "Location": url,
        "Bucket": WORKSPACE,
        "Key": key,
        "ETag": etag.replace('"', "&quot;"),
    }
    wanted = {"success_action_redirect": "https://page.test/done?a=b"}
    answer = Form(sign(gateway.s3(), key, wanted)).send(gateway.port)
    assert (answer.status, answer.body) == (303, b"")
    assert answer.headers["Location"] == (
        f"https://page.test/done?a=b&bucket={WORKSPACE}&key={quote(key, safe='')}"
        f"&etag={quote(etag)}"
    )


def test_a_renamed_bucket_is_called_by_its_workspace_s_name(
    backend: Backend, tmp_path: Path, stored: S3Client
) -> None:
    port = free_port()
    running = Gateway(
        backend,
        tmp_path,
        {
            "workspaces": {"renamed": {"bucket": WORKSPACE, "prefix": "renamed/"}},
            "system": {"bucket": "system-of-forms", "prefix": ""},
            "listen": {"host": "127.0.0.1", "port": port, "domain": "s3.test"},
        },
        workspace="renamed",
        port=port,
    )
    try:
        running.start()
        client = running.s3("admin")
        signed = sign(client, "a.csv", {"success_action_status": "201"}, bucket="renamed")
        answer = Form(signed).send(running.port, "/renamed")
        assert b"<Bucket>renamed</Bucket><Key>a.csv</Key>" in answer.body
        assert stored.get_object(Bucket=WORKSPACE, Key="renamed/a.csv")["Body"].read() == b"data"
        signed = sign(client, "b.csv", bucket="renamed")
        answer = Form(signed).send(running.port, "/", {"Host": f"renamed.s3.test:{running.port}"})
        assert answer.status == 204
        assert is_stored(stored, "renamed/b.csv")
        signed = sign(client, "c.csv", bucket=WORKSPACE)
        answer = Form(signed).send(running.port, "/renamed")
        assert (answer.status, code(answer)) == (403, "AccessDenied")
    finally:
        running.stop()


def test_a_large_form_is_streamed(tapped: Gateway, tap: WireTap, stored: S3Client) -> None:
    size, key = 200 * MEBIBYTE, f"{tapped.new_prefix()}/large.bin"
    form = Form(sign(tapped.s3(), key, {}, [["content-length-range", size, size]]))
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(form.before) + size + len(END)),
    }
    pause = tap.pause_on("PUT", re.escape(key))
    connection = http.client.HTTPConnection("127.0.0.1", tapped.port, timeout=120)
    with measured(tapped.pid) as memory:
        connection.putrequest("POST", f"/{WORKSPACE}")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(form.before)
        sending = blocks(size)
        connection.send(next(sending))
        # The backend hears of it when the first mebibyte is here, not the last one.
        sent = pause.wait()
        pause.resume()
        for block in sending:
            connection.send(block)
        connection.send(END)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
    connection.close()
    assert (sent.header("content-length"), sent.header("transfer-encoding")) == (str(size), None)
    assert memory.growth < GROWTH, f"{memory.growth / MEBIBYTE:.0f} MiB more"
    found = stored.get_object(Bucket=WORKSPACE, Key=key)
    assert found["ContentLength"] == size
    assert all(found["Body"].read(MEBIBYTE) == block for block in blocks(size))
    tap.forget()  # it keeps what passed
