"""Workspaces as sub-domains of `listen.domain`: the host names the bucket, the path is the key."""

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Gateway, Response
from tests.acceptance.processes import free_port
from tests.acceptance.signer import Signer
from tests.acceptance.silence import code

DOMAIN = "s3.data.test"
DOTTED = "with.dots.in-it"
OK, FORBIDDEN, NOT_FOUND = HTTPStatus.OK, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND
# Where the gateway has doors of its own, on its main host.
DOORS = (
    f"/_rpc/{WORKSPACE}/list",
    "/_health/live",
    "/_health/ready",
    "/_metrics",
    f"/{WORKSPACE}/artifact/public",
    "/_ui/index.html",
)


@pytest.fixture(scope="module")
def site(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a domain; a trusted proxy may stand before it."""
    backend.client().create_bucket(Bucket=DOTTED)
    port = free_port()
    listen = {
        "host": "127.0.0.1",
        "port": port,
        "domain": DOMAIN,
        "trusted_proxies": ["127.0.0.1"],
    }
    settings = {
        "listen": listen,
        "public_url": f"http://{DOMAIN}:{port}",
        "system": {"bucket": "system-of-the-hosts", "prefix": ""},
        "workspaces": {
            WORKSPACE: {"bucket": WORKSPACE, "public": "objects"},
            DOTTED: {"bucket": DOTTED},
        },
    }
    running = Gateway(backend, tmp_path_factory.mktemp("hosts"), settings, port=port)
    try:
        yield running.start()
    finally:
        running.stop()


def ask(
    site: Gateway,
    method: str,
    host: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to an admin's request for a host."""
    signed = Signer(host, KEYS["admin"]).headers(method, target, headers)
    return site.request(method, target, signed, body)


def host_of(site: Gateway, workspace: str = WORKSPACE) -> str:
    return f"{workspace}.{DOMAIN}:{site.port}"


@pytest.mark.parametrize("workspace", [WORKSPACE, DOTTED])
def test_every_part_of_s3_works_below_the_domain(
    site: Gateway, backend: Backend, workspace: str
) -> None:
    host = host_of(site, workspace)
    assert ask(site, "PUT", host, "/dir/%C3%BC%20b.txt", b"one").status == OK
    assert ask(site, "GET", host, "/dir/%C3%BC%20b.txt").body == b"one"
    assert ask(site, "HEAD", host, "/").status == OK
    source = {"x-amz-copy-source": f"{workspace}/dir/%C3%BC%20b.txt"}
    assert ask(site, "PUT", host, "/copy.txt", headers=source).status == OK
    listing = ask(site, "GET", host, "/?list-type=2&prefix=dir%2F")
    assert re.findall(rb"<Key>([^<]*)<", listing.body) == ["dir/ü b.txt".encode()]
    begun = ask(site, "POST", host, "/big%20one?uploads=")
    found = re.search(rb"<UploadId>([^<]+)<", begun.body)
    assert found, begun
    upload = f"uploadId={found[1].decode()}"
    etag = ask(site, "PUT", host, f"/big%20one?partNumber=1&{upload}", b"part").headers["ETag"]
    done = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    ended = ask(site, "POST", host, f"/big%20one?{upload}", done.encode())
    assert f"<Location>http://{host}/big%20one</Location>".encode() in ended.body
    direct = backend.client()
    assert direct.get_object(Bucket=workspace, Key="big one")["Body"].read() == b"part"
    delete = b"<Delete><Object><Key>copy.txt</Key></Object></Delete>"
    assert b"<Deleted>" in ask(site, "POST", host, "/?delete=", delete).body
    assert ask(site, "DELETE", host, "/big%20one").status == HTTPStatus.NO_CONTENT
    pages = direct.get_paginator("list_objects_v2").paginate(Bucket=workspace)
    left = [each["Key"] for page in pages for each in page["Contents"]]
    assert "dir/ü b.txt" in left
    assert "copy.txt" not in left


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda host: host.partition(":")[0],
        lambda host: host.replace(":", ".:"),
        str.title,
    ],
)
def test_a_host_is_understood_in_every_spelling(site: Gateway, spell: Callable[[str], str]) -> None:
    ask(site, "PUT", host_of(site), "/spelled.txt", b"found")
    host = spell(host_of(site))
    assert ask(site, "GET", host, "/spelled.txt").body == b"found"
    assert site.request("GET", "/public/none.txt", {"Host": host}).status == NOT_FOUND


def test_presigned_urls_are_for_their_host(site: Gateway) -> None:
    host = host_of(site)
    ask(site, "PUT", host, "/presigned.txt", b"found")
    target = Signer(host, KEYS["read"]).presigned("GET", "/presigned.txt")
    assert site.request("GET", target, {"Host": host}).body == b"found"
    assert site.request("GET", target, {"Host": host_of(site, DOTTED)}).status == FORBIDDEN
    assert site.request("GET", target, {"Host": f"{DOMAIN}:{site.port}"}).status == FORBIDDEN


def test_path_style_goes_on_at_the_domain_itself(site: Gateway) -> None:
    host = f"{DOMAIN}:{site.port}"
    assert ask(site, "PUT", host, f"/{WORKSPACE}/path.txt", b"path").status == OK
    assert ask(site, "GET", host_of(site), "/path.txt").body == b"path"
    assert b"<Buckets>" in ask(site, "GET", host, "/").body


def test_unknown_hosts_lead_nowhere(site: Gateway) -> None:
    for name in ("nobody", "system-of-the-hosts", "a.b.c", "_rpc", f"{WORKSPACE}."):
        answer = ask(site, "GET", host_of(site, name), "/key")
        assert (answer.status, code(answer)) == (NOT_FOUND, "NoSuchBucket"), name
    for name in ("\xfc", "a" * 99, "a%00b"):
        unsigned = site.request("GET", "/key", {"Host": host_of(site, name)})
        assert (unsigned.status, code(unsigned)) == (NOT_FOUND, "NoSuchBucket"), name
    for host in (
        "elsewhere.test",
        f"{DOMAIN}.test",
        f"x{DOMAIN}",
        f"{WORKSPACE}.{DOMAIN}.evil.test",
    ):
        answer = site.request("GET", "/key", {"Host": host})
        assert answer.status == HTTPStatus.MISDIRECTED_REQUEST, host


@pytest.mark.parametrize("path", DOORS)
def test_doors_are_on_the_main_host_alone(site: Gateway, backend: Backend, path: str) -> None:
    """Below a workspace's host such a path is a key like any other."""
    host = host_of(site)
    json = {"content-type": "application/json"}
    assert ask(site, "PUT", host, path, b"{}", json).status == OK
    stored = backend.client().get_object(Bucket=WORKSPACE, Key=path[1:])["Body"].read()
    assert stored == b"{}"
    assert ask(site, "GET", host, path).body == b"{}"
    unsigned = site.request("GET", path, {"Host": host})
    assert (unsigned.status, code(unsigned)) == (FORBIDDEN, "AccessDenied")
    posted = ask(site, "POST", host, path, b"{}", json)
    assert posted.headers.get_content_type() == "application/xml"
    assert posted.status >= HTTPStatus.BAD_REQUEST
    # A proxy's word counts for the host, as it does for the rest of the request.
    told = {"Host": "inner.test", "X-Forwarded-Host": host}
    assert code(site.request("GET", path, told)) == "AccessDenied"
    assert ask(site, "DELETE", host, path).status == HTTPStatus.NO_CONTENT


def test_public_objects_are_read_without_a_key(site: Gateway) -> None:
    host = host_of(site)
    ask(site, "PUT", host, "/public/open.txt", b"open")
    answer = site.request("GET", "/public/open.txt", {"Host": host, "Origin": "https://app.test"})
    assert answer.body == b"open"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_workspaces_come_and_go_by_their_hosts(site: Gateway, backend: Backend) -> None:
    host = host_of(site, "made-by-host")
    assert ask(site, "PUT", host, "/").status == OK
    assert ask(site, "PUT", host, "/a.txt", b"a").status == OK
    assert ask(site, "DELETE", host, "/a.txt").status == HTTPStatus.NO_CONTENT
    assert ask(site, "DELETE", host, "/").status == HTTPStatus.NO_CONTENT
    names = [each["Name"] for each in backend.client().list_buckets()["Buckets"]]
    assert "made-by-host" not in names


def test_curl_signs_for_the_host(site: Gateway, tmp_path: Path) -> None:
    host = f"{WORKSPACE}.{DOMAIN}"
    (tmp_path / "up.txt").write_bytes(b"by curl")
    there = ("--resolve", f"{host}:{site.port}:127.0.0.1")
    url = f"http://{host}:{site.port}/curl/up.txt"
    site.curl(*there, "-T", tmp_path / "up.txt", url, key="admin")
    assert site.curl(*there, url, key="admin").stdout == "by curl"
