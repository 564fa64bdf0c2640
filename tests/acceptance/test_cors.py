"""Pages of other origins: what the gateway lets them read, at each of its doors."""

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import Gateway, Response
from tests.acceptance.publics import (
    ARTIFACTS,
    DOMAIN,
    HTML,
    NONE,
    OBJECTS,
    ORDINARY,
    ORIGIN,
)
from tests.acceptance.silence import code
from tests.acceptance.wire import WireTap

EVIL = "https://evil.example"
SIGNED = "authorization,x-amz-date,x-amz-content-sha256"

SEEN_BY_ALL = [
    f"/{ARTIFACTS}/public/set/page.html",
    f"/{ARTIFACTS}/%70ublic/set/page.html",
    f"/{ARTIFACTS}/public%2Fset/page.html",
    f"/{ARTIFACTS}//public//set/page.html",
    f"/{ARTIFACTS}/public/absent",
    f"/{ARTIFACTS}?list-type=2&prefix=public/",
    f"/{ARTIFACTS}/?prefix=public",
    f"/{OBJECTS}/{ORDINARY[0]}",
    f"/{ARTIFACTS}/artifact/public/set",
    f"/{ARTIFACTS}/artifact/public/set/page.html?version=1",
    f"/{ARTIFACTS}/artifact/public/set?format=zip",
    f"/{ARTIFACTS}/artifact/public",
]
NOT_SEEN_BY_ALL = [
    "/",
    f"/{ARTIFACTS}",
    f"/{ARTIFACTS}/set/page.html",
    f"/{ARTIFACTS}/public",
    f"/{ARTIFACTS}/publications/x",
    f"/{ARTIFACTS}/public/../set/page.html",
    f"/{ARTIFACTS}/public/%2e%2e/set/page.html",
    f"/{ARTIFACTS}/public%5C..%5Cset/page.html",
    f"/{ARTIFACTS}/PUBLIC/set/page.html",
    f"/{ARTIFACTS}/public%zz/x",
    f"/{ARTIFACTS}/public/x.versions/y",
    f"/{ARTIFACTS}?prefix=set/",
    f"/{ARTIFACTS}?prefix=public/../set",
    f"/{ARTIFACTS}?list-type=2",
    f"/{NONE}/public/set/page.html",
    f"/{NONE}/artifact/public/set",
    f"/{NONE}?prefix=public/",
    f"/{ARTIFACTS}/artifact/set",
    f"/{ARTIFACTS}/artifact/",
    f"/{ARTIFACTS}/artifact/public/../set",
    f"/{ARTIFACTS}/artifact//public/set",
    f"/{ARTIFACTS}/artifact/publications",
    # An ordinary key: only the artifact door's spelling leads to that door.
    f"/{ARTIFACTS}/%61rtifact/public/set",
    f"/_rpc/{ARTIFACTS}/read",
    f"/_rpc/{ARTIFACTS}/public/set",
    "/public/set/page.html",
]


def readers(answer: Response) -> str | None:
    assert answer.headers["Access-Control-Allow-Credentials"] is None
    named: list[str] = answer.headers.get_all("Access-Control-Allow-Origin", [])
    assert len(named) <= 1
    return named[0] if named else None


def preflight(
    gateway: Gateway, target: str, method: str = "GET", names: str = "range", origin: str = EVIL
) -> Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return gateway.request("OPTIONS", target, headers | {"Access-Control-Request-Headers": names})


@pytest.fixture
def unheard(watched: WireTap, publics: Gateway) -> Iterator[None]:
    """Nothing reaches the backend during the test."""
    assert publics.process is not None
    watched.forget()
    yield
    assert not [(each.method, each.target) for each in watched.requests]


@pytest.mark.parametrize("target", SEEN_BY_ALL)
def test_public_paths_are_for_every_origin(publics: Gateway, target: str) -> None:
    for method in ("GET", "HEAD"):
        for origin in ({}, {"Origin": EVIL}, {"Origin": ORIGIN}, {"Origin": "null"}):
            answer = publics.request(method, target, origin)
            assert readers(answer) == "*", (method, origin, answer)
            assert "Origin" not in answer.headers["Vary"]
        assert readers(preflight(publics, target, method)) == "*"
    for method in ("PUT", "POST", "DELETE"):
        refused = preflight(publics, target, method)
        assert (refused.status, readers(refused)) == (403, None)
    refused = preflight(publics, target, names=SIGNED)
    assert (refused.status, readers(refused)) == (403, None)


@pytest.mark.parametrize("target", NOT_SEEN_BY_ALL)
def test_other_paths_are_for_listed_origins(publics: Gateway, target: str) -> None:
    for method in ("GET", "HEAD", "PUT"):
        for origin in (EVIL, "null", f"{ORIGIN}.evil.example"):
            answer = publics.request(method, target, {"Origin": origin})
            assert readers(answer) is None, answer
            assert "Origin" in answer.headers["Vary"]
            refused = preflight(publics, target, method, origin=origin)
            assert (refused.status, readers(refused)) == (403, None)
        if target.startswith("/_rpc/"):
            continue
        answer = publics.request(method, target, {"Origin": ORIGIN})
        assert readers(answer) == ORIGIN
        assert answer.status in {400, 403, 404, 501}
        allowed = preflight(publics, target, method, SIGNED, ORIGIN)
        assert (allowed.status, readers(allowed)) == (200, ORIGIN)


def test_preflights_end_at_the_gateway(publics: Gateway, unheard: None) -> None:
    del unheard
    for target in (*SEEN_BY_ALL, *NOT_SEEN_BY_ALL):
        for origin in (ORIGIN, EVIL):
            preflight(publics, target, "GET", origin=origin)
            preflight(publics, target, "PUT", origin=origin)
        refused = publics.request("OPTIONS", target, {"Origin": ORIGIN})
        assert (refused.status, code(refused)) == (403, "AccessForbidden")


def test_the_backend_hears_of_no_origin_and_says_nothing_of_any(
    publics: Gateway, watched: WireTap
) -> None:
    watched.forget()
    page = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Cookie": "a=b",
            "Access-Control-Request-Headers": "range", "Referer": EVIL}  # fmt: skip
    private, public = f"/{ARTIFACTS}/set/page.html", f"/{ARTIFACTS}/public/set/page.html"
    part = page | {"Range": "bytes=0-"}  # which is asked of the backend, whatever is in memory
    answers = [
        publics.signed("GET", private, "read", part),
        publics.request("GET", public, part),
        publics.signed("PUT", f"/{OBJECTS}/private/put.txt", "admin", page, b"x"),
    ]
    assert [answer.status for answer in answers] == [206, 206, 200]
    assert len(watched.requests) >= 3
    for each in watched.requests:
        names = {name for name, _ in each.headers}
        assert not {name for name in names if name.startswith("access-control-")}
        assert not names & {"origin", "cookie", "referer"}
    for answer in answers:
        told = {name.lower() for name in answer.headers if name.lower().startswith("access-")}
        assert told == {"access-control-allow-origin", "access-control-expose-headers"}


def test_pages_of_listed_origins_use_the_s3_door(publics: Gateway) -> None:
    target, origin = f"/{OBJECTS}/private/from-a-page.txt", {"Origin": ORIGIN}
    for method in ("PUT", "GET", "HEAD", "DELETE"):
        answer = publics.signed(method, target, "admin", origin, b"x" if method == "PUT" else b"")
        assert (answer.status // 100, readers(answer)) == (2, ORIGIN)
        if method != "DELETE":
            assert "etag" in answer.headers["Access-Control-Expose-Headers"].lower().split(", ")
    refused = publics.signed("PUT", target, "read", origin, b"x")
    assert (refused.status, readers(refused)) == (403, ORIGIN)
    assert (
        readers(publics.signed("GET", f"/{OBJECTS}/plain.txt", "admin", {"Origin": EVIL})) is None
    )


def test_a_presigned_url_opens_no_private_key_to_other_pages(publics: Gateway) -> None:
    for key in ("set/page.html", "public/set/page.html"):
        url = publics.s3("read").generate_presigned_url(
            "get_object", Params={"Bucket": ARTIFACTS, "Key": key}
        )
        target = url.removeprefix(publics.url)
        answer = publics.request("GET", target, {"Origin": EVIL})
        assert (answer.status, readers(answer)) == (200, None)
        assert preflight(publics, target).status == 403
        assert readers(publics.request("GET", target, {"Origin": ORIGIN})) == ORIGIN


def test_pages_of_listed_origins_use_the_other_doors(publics: Gateway) -> None:
    token = publics.rpc("generate_token", key="admin", grants={ARTIFACTS: "read"})
    bearer = {"Authorization": f"Bearer {token}"}
    door, call = f"/{ARTIFACTS}/artifact/set", f"/_rpc/{ARTIFACTS}/read"
    for origin in (ORIGIN, EVIL):
        shown = origin if origin == ORIGIN else None
        for path in ("", "/page.html", "/", "?format=zip", "?stage=true", "/absent"):
            answer = publics.request("GET", door + path, bearer | {"Origin": origin})
            assert readers(answer) == shown
        headers = bearer | {"Origin": origin, "Content-Type": "application/json"}
        for arguments in ({"prefix": "set"}, {"prefix": "absent"}, {}):
            body = json.dumps(arguments).encode()
            assert readers(publics.request("POST", call, headers, body)) == shown
        names = "authorization,content-type"
        for target, method in ((door, "GET"), (call, "POST")):
            assert readers(preflight(publics, target, method, names, origin)) == shown
    assert preflight(publics, call, "GET", origin=ORIGIN).status == 403
    assert preflight(publics, "/_rpc/x", "PUT", origin=ORIGIN).status == 403


def test_workspaces_that_are_hosts_have_public_paths_too(publics: Gateway) -> None:
    """There the whole path is a key, also one that looks like another door's."""
    for host, key, origin in (
        (ARTIFACTS, "public/set/page.html", "*"),
        (ARTIFACTS, "?prefix=public/", "*"),
        (ARTIFACTS, "set/page.html", None),
        (ARTIFACTS, f"{ARTIFACTS}/public/set/page.html", None),
        (ARTIFACTS, "artifact/public/set", None),
        (NONE, "public/set/page.html", None),
        (NONE, f"{ARTIFACTS}/artifact/public/set", None),
        ("nobody", "set/page.html", None),
    ):
        named = {"Host": f"{host}.{DOMAIN}", "Origin": EVIL}
        answer = publics.request("GET", f"/{key}", named)
        assert readers(answer) == origin, (host, key, answer)
        asked = named | {"Access-Control-Request-Method": "GET"}
        assert readers(publics.request("OPTIONS", f"/{key}", asked)) == origin
        if origin is None:
            assert (answer.status, code(answer)) in {(403, "AccessDenied"), (404, "NoSuchBucket")}
    named = {"Host": f"{ARTIFACTS}.{DOMAIN}"}
    assert publics.request("GET", "/public/set/page.html", named).body == HTML


def test_no_page_reads_how_the_gateway_does(publics: Gateway) -> None:
    for target in ("/_health/live", "/_health/ready", "/_metrics"):
        for origin in (ORIGIN, EVIL):
            answer = publics.request("GET", target, {"Origin": origin})
            assert (answer.status, readers(answer)) == (200, None)
            refused = preflight(publics, target, origin=origin)
            assert (refused.status, readers(refused)) == (405, None)
