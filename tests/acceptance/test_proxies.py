"""Behind proxies: what a trusted one forwards counts, and what anybody else forwards does not."""

import json
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Document, Gateway
from tests.acceptance.signer import Signer
from tests.acceptance.steps import manifest
from tests.waiting import wait_until

OUTER = "data.example"
DOMAIN = "s3.data.example"
CHAIN = "9.9.9.9, 203.0.113.7, 127.0.0.1"


@pytest.fixture(scope="module")
def proxied(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that believes the peers on this machine."""
    gateway = Gateway(
        backend,
        tmp_path_factory.mktemp("proxied"),
        settings={"system": {"bucket": "system-of-the-proxied"}},
    )
    listen: Document = gateway.configuration()["listen"]
    trusting = {"trusted_proxies": ["127.0.0.0/8"], "domain": DOMAIN}
    gateway.settings = {**gateway.settings, "listen": listen | trusting}
    try:
        yield gateway.start()
    finally:
        gateway.stop()


@pytest.fixture
def target() -> str:
    """The path of an object that nothing has used."""
    return f"/{WORKSPACE}/proxies/{secrets.token_hex(6)}"


def inner(gateway: Gateway, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as a proxy sends them on that asks the gateway by its own address."""
    return {**headers, "host": f"127.0.0.1:{gateway.port}"}


def test_what_was_signed_for_the_outer_host_passes_a_trusted_proxy(
    proxied: Gateway, target: str
) -> None:
    signed = Signer(OUTER).headers("PUT", target)
    for forwarded in (OUTER, f"{OUTER}, inner.example"):
        headers = inner(proxied, signed) | {"x-forwarded-host": forwarded}
        assert proxied.request("PUT", target, headers, b"data").status == 200, forwarded
    url = Signer(OUTER).presigned("GET", target)
    headers = inner(proxied, {"x-forwarded-host": OUTER, "x-forwarded-proto": "https"})
    assert proxied.request("GET", url, headers).body == b"data"


def test_it_passes_nobody_else(gateway: Gateway, proxied: Gateway, target: str) -> None:
    signed = Signer(OUTER).headers("PUT", target)
    spoofed = inner(gateway, signed) | {"x-forwarded-host": OUTER}
    answer = gateway.request("PUT", target, spoofed, b"data")
    assert answer.status == 403
    assert b"SignatureDoesNotMatch" in answer.body
    other = inner(proxied, signed) | {"x-forwarded-host": "other.example"}
    assert proxied.request("PUT", target, other, b"data").status == 403


def test_what_a_proxy_adds_does_not_break_a_signature(gateway: Gateway, target: str) -> None:
    headers = Signer(f"127.0.0.1:{gateway.port}").headers("PUT", target)
    added = {
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-host": OUTER,
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "forwarded": f"for=203.0.113.7;host={OUTER};proto=https",
        "via": "1.1 inner.example",
    }
    assert gateway.request("PUT", target, headers | added, b"data").status == 200


def test_the_outer_host_names_the_workspace(proxied: Gateway, target: str) -> None:
    outer, path = f"{WORKSPACE}.{DOMAIN}", target.removeprefix(f"/{WORKSPACE}")
    headers = inner(proxied, Signer(outer).headers("PUT", path)) | {"x-forwarded-host": outer}
    assert proxied.request("PUT", path, headers, b"data").status == 200
    prefix = proxied.new_prefix(public=True)
    writer = proxied.s3()
    writer.put_object(Bucket=WORKSPACE, Key=f"{prefix}/_manifest.yaml", Body=manifest())
    writer.put_object(Bucket=WORKSPACE, Key=f"{prefix}/data.csv", Body=b"public")
    proxied.rpc("commit", prefix=prefix)
    unsigned = inner(proxied, {"x-forwarded-host": outer})
    assert proxied.request("GET", f"/{prefix}/data.csv", unsigned).body == b"public"


def test_an_upload_is_located_where_its_client_asked(proxied: Gateway, target: str) -> None:
    client = proxied.s3()
    at = {"Bucket": WORKSPACE, "Key": target.removeprefix(f"/{WORKSPACE}/")}
    upload = client.create_multipart_upload(**at)["UploadId"]
    etag = client.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"data")["ETag"]
    document = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    query = f"{target}?uploadId={upload}"
    headers = inner(proxied, Signer(OUTER).headers("POST", query))
    forwarded = {"x-forwarded-host": OUTER, "x-forwarded-proto": "https, http"}
    answer = proxied.request("POST", query, headers | forwarded, document)
    assert answer.status == 200, answer.body
    located = re.search(rb"<Location>([^<]*)</Location>", answer.body)
    assert located is not None
    assert located[1].decode() == f"https://{OUTER}{target}"


def say(gateway: Gateway, request: str) -> None:
    """Nothing, once the gateway has answered and closed the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(request.encode())
        while connection.recv(65_536):
            pass


def remotes(gateway: Gateway, marked: str) -> list[str]:
    """Whom the access log calls the peers of requests whose path has `marked` in it."""
    lines = [line for line in gateway.logged().splitlines() if marked in line]
    return [json.loads(line[line.index("{") :])["remote"] for line in lines]


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        ([CHAIN], "203.0.113.7"),
        (CHAIN.split(", "), "203.0.113.7"),
        (["127.0.0.1", "203.0.113.7"], "203.0.113.7"),
        (["127.0.0.1"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        (["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_hop_that_nobody_vouches_for(
    proxied: Gateway, gateway: Gateway, lines: list[str], client: str
) -> None:
    path = f"/{WORKSPACE}/{secrets.token_hex(8)}"
    for each, expected in ((proxied, client), (gateway, "127.0.0.1")):
        said = "".join(f"x-forwarded-for: {line}\r\n" for line in lines)
        say(each, f"GET {path} HTTP/1.1\r\nhost: x\r\n{said}connection: close\r\n\r\n")
        assert wait_until(partial(remotes, each, path))
        assert remotes(each, path) == [expected]


def test_metrics_are_for_this_machine_and_not_for_who_says_so(
    proxied: Gateway, gateway: Gateway
) -> None:
    assert gateway.request("GET", "/_metrics").status == 200
    through = {"x-forwarded-for": "203.0.113.7"}
    for said in (through, {"x-forwarded-for": "127.0.0.1, 203.0.113.7"}):
        assert proxied.request("GET", "/_metrics", said).status in {401, 403}
        assert gateway.request("GET", "/_metrics", said).status in {401, 403}


def test_keys_hold_for_the_host_that_was_asked(proxied: Gateway, target: str) -> None:
    url = Signer(OUTER, KEYS["write"]).presigned("GET", target)
    headers = inner(proxied, {"x-forwarded-host": "elsewhere.example"})
    assert proxied.request("GET", url, headers).status == 403
