"""Who else's pages may read an answer, who may keep it, and what it depends on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from multidict import CIMultiDict

from gateway.errors import NoSuchKey
from gateway.s3.message import Reply, Request
from gateway.web.boundary import Boundary
from gateway.web.cors import Cors
from gateway.web.exchange import Exchange
from tests.web.serving import RawResponse, Served, ask, serving

ORIGIN = "https://app.example.org"
STORED = {
    "Content-Type": "text/html",
    "ETag": '"1"',
    "Cache-Control": "public, max-age=60",
    "x-amz-meta-colour": "blue",
    "Content-Range": "bytes 0-3/9",
}
KEPT = Reply(200, CIMultiDict(STORED), b"fine", authored=True, public=True)


@dataclass(slots=True)
class Answering:
    """A door whose answer a test chooses by the path's last segment."""

    name: str = "s3"
    methods: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST", "DELETE")
    varies: tuple[str, ...] = ("Authorization", "Accept")

    @staticmethod
    def is_public(request: Request) -> bool:
        if "%zz" in request.path:
            raise NoSuchKey("nothing can be read of this")
        return request.path.startswith("/ws/public/")

    @staticmethod
    async def answer(exchange: Exchange) -> Reply:
        match exchange.request.path.rpartition("/")[2]:
            case "absent":
                raise NoSuchKey("no")
            case "private":
                return replace(KEPT, public=False)
            case "plain":
                return Reply(200, CIMultiDict(), b"<xml/>", public=True)
            case "same":
                return replace(KEPT, status=304, body=b"")
            case "refused":
                return replace(KEPT, status=412, body=b"")
        return KEPT


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    door, hidden = Answering(), Answering("operations", methods=(), varies=())
    edge = Boundary(
        lambda request: hidden if request.path.startswith("/_health") else door,
        cors=Cors([ORIGIN, "http://localhost:3000"]),
        observers=(),
    )
    async with serving(edge) as running:
        yield running


def readers(answer: RawResponse) -> str | None:
    assert "access-control-allow-credentials" not in answer.headers
    return answer.headers.get("access-control-allow-origin")


def varies(answer: RawResponse) -> set[str]:
    named = answer.headers["vary"].split(", ")
    assert len(named) == len(set(named))
    return set(named)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("key", ["x", "absent", "same", "refused", "plain"])
@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example", "null"])
async def test_what_is_public_is_for_every_origin(
    served: Served, method: str, key: str, origin: str | None
) -> None:
    headers = [] if origin is None else [f"Origin: {origin}"]
    answer = await ask(served, method, f"/ws/public/{key}", *headers)
    assert readers(answer) == "*"
    assert varies(answer) == {"Authorization", "Accept"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("key", ["x", "absent"])
async def test_what_is_private_is_for_the_origins_of_the_configuration(
    served: Served, method: str, key: str
) -> None:
    for origin in (ORIGIN, "http://localhost:3000"):
        answer = await ask(served, method, f"/ws/secret/{key}", f"Origin: {origin}")
        assert readers(answer) == origin
        assert varies(answer) == {"Authorization", "Accept", "Origin"}
    answer = await ask(served, method, f"/ws/secret/{key}")
    assert readers(answer) is None
    assert varies(answer) == {"Authorization", "Accept", "Origin"}


@pytest.mark.parametrize(
    "origins",
    [
        ["null"],
        ["*"],
        [""],
        ["https://evil.example"],
        [ORIGIN + ".evil.example"],
        ["https://evil" + ORIGIN.removeprefix("https://")],
        [ORIGIN.replace("https", "http")],
        [ORIGIN + ":443"],
        [ORIGIN + "/"],
        [ORIGIN.upper()],
        [f"{ORIGIN} https://evil.example"],
        [f"{ORIGIN},https://evil.example"],
        [ORIGIN, "https://evil.example"],
        ["https://evil.example", ORIGIN],
        [ORIGIN, ORIGIN],
        ["https://app.example.org\t.evil"],
        ["https://APP.example.org"],
    ],
)
async def test_no_other_origin_is_taken_for_one_of_them(served: Served, origins: list[str]) -> None:
    headers = [f"Origin: {origin}" for origin in origins]
    for method in ("GET", "PUT"):
        answer = await ask(served, method, "/ws/secret/x", *headers)
        assert readers(answer) is None
        assert "Origin" in varies(answer)
        announced = f"Access-Control-Request-Method: {method}"
        refused = await ask(served, "OPTIONS", "/ws/secret/x", *headers, announced)
        assert (refused.status, readers(refused)) == (403, None)


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("", "Authorization: Bearer abc"),
        ("", "Authorization: AWS4-HMAC-SHA256 x"),
        ("", "Authorization:"),
        ("?X-Amz-Signature=1", "Accept: */*"),
        ("?x-amz-signature=1", "Accept: */*"),
        ("?%58-Amz-Credential=1", "Accept: */*"),
        ("?X-Amz-Algorithm", "Accept: */*"),
        ("?AWSAccessKeyId=1&Signature=2", "Accept: */*"),
        ("?%zz", "Accept: */*"),
    ],
)
async def test_credentials_end_what_is_for_every_origin(
    served: Served, query: str, header: str
) -> None:
    target = f"/ws/public/x{query}"
    assert readers(await ask(served, "GET", target, header, "Origin: https://evil.example")) is None
    answer = await ask(served, "GET", target, header, f"Origin: {ORIGIN}")
    assert readers(answer) == ORIGIN
    assert "Origin" in varies(answer)


async def test_writes_below_public_are_for_listed_origins(served: Served) -> None:
    for method in ("PUT", "POST", "DELETE"):
        evil = await ask(served, method, "/ws/public/x", "Origin: https://evil.example")
        assert readers(evil) is None
        assert readers(await ask(served, method, "/ws/public/x", f"Origin: {ORIGIN}")) == ORIGIN


async def test_a_path_that_cannot_be_read_is_not_public(served: Served) -> None:
    answer = await ask(served, "GET", "/ws/public/%zz", "Origin: https://evil.example")
    assert readers(answer) is None


async def test_pages_see_every_header_of_an_answer(served: Served) -> None:
    for target, origin in (("/ws/public/x", "https://evil.example"), ("/ws/secret/x", ORIGIN)):
        answer = await ask(served, "GET", target, f"Origin: {origin}")
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        wanted = {"ETag", "x-amz-meta-colour", "Content-Range", "x-amz-request-id", "Date"}
        assert wanted <= set(exposed)
        assert len(exposed) == len({name.lower() for name in exposed})
        assert not {"Vary", "Server", "Content-Security-Policy"} & set(exposed)
    answer = await ask(served, "GET", "/ws/secret/x", "Origin: https://evil.example")
    assert "access-control-expose-headers" not in answer.headers


async def test_doors_without_methods_are_for_no_page(served: Served) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await ask(
            served,
            method,
            "/_health/live",
            f"Origin: {ORIGIN}",
            "Access-Control-Request-Method: GET",
        )
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "vary" not in answer.headers


async def preflight(
    served: Served, target: str, method: str, names: str | None = None, origin: str = ORIGIN
) -> RawResponse:
    headers = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}"]
    if names is not None:
        headers.append(f"Access-Control-Request-Headers: {names}")
    return await ask(served, "OPTIONS", target, *headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_preflights_of_listed_origins_allow_what_operations_take(
    served: Served, method: str
) -> None:
    names = (
        "authorization,content-type,Content-MD5,if-none-match,range,x-amz-date,x-amz-meta-a,"
        " x-amz-content-sha256 , amz-sdk-invocation-id,x-amz-user-agent,cache-control,expires"
    )
    for target in ("/ws/secret/x", "/ws/public/x", "/ws?list-type=2"):
        answer = await preflight(served, target, method, names)
        assert (answer.status, answer.body, readers(answer)) == (200, b"", ORIGIN)
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert allowed == [name.strip().lower() for name in names.split(",")]
        assert method in answer.headers["access-control-allow-methods"].split(", ")
        assert int(answer.headers["access-control-max-age"]) > 0
        assert varies(answer) == {
            "Origin",
            "Access-Control-Request-Method",
            "Access-Control-Request-Headers",
        }


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ORIGIN])
async def test_preflights_of_what_is_public_allow_reading(served: Served, origin: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await preflight(served, "/ws/public/x", method, "range,if-match", origin)
        assert (answer.status, readers(answer)) == (200, "*")
        assert answer.headers["access-control-allow-methods"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("target", "method", "names", "origin"),
    [
        ("/ws/secret/x", "GET", None, "https://evil.example"),
        ("/ws/public/x", "PUT", None, "https://evil.example"),
        ("/ws/public/x", "GET", "range, Authorization", "https://evil.example"),
        ("/ws/public/x?X-Amz-Signature=1", "GET", None, "https://evil.example"),
        ("/ws/secret/x", "PATCH", None, ORIGIN),
        ("/ws/secret/x", "get", None, ORIGIN),
        ("/ws/secret/x", "CONNECT", None, ORIGIN),
        ("/ws/secret/x", "GET, PUT", None, ORIGIN),
        ("/ws/secret/x", "*", None, ORIGIN),
        ("/ws/secret/x", "GET", "x-forwarded-host", ORIGIN),
        ("/ws/secret/x", "GET", "range,cookie", ORIGIN),
        ("/ws/secret/x", "GET", "*", ORIGIN),
        ("/ws/secret/x", "GET", "x-amz-a b", ORIGIN),
        ("/ws/secret/x", "GET", "x-amz-\xe4", ORIGIN),
        ("/ws/secret/x", "GET", "x-amz-a;b:c", ORIGIN),
    ],
)
async def test_other_preflights_are_refused(
    served: Served, target: str, method: str, names: str | None, origin: str
) -> None:
    answer = await preflight(served, target, method, names, origin)
    assert (answer.status, readers(answer)) == (403, None)
    assert b"<Code>AccessForbidden</Code>" in answer.body
    assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [f"Origin: {ORIGIN}"],
        ["Access-Control-Request-Method: GET"],
        [f"Origin: {ORIGIN}", "Access-Control-Request-Method:"],
        [f"Origin: {ORIGIN}", *["Access-Control-Request-Method: GET"] * 2],
        [f"Origin: {ORIGIN}", "Origin: null", "Access-Control-Request-Method: GET"],
    ],
)
async def test_options_that_is_no_preflight_is_refused(served: Served, headers: list[str]) -> None:
    for target in ("/ws/public/x", "/ws/secret/x", "/"):
        answer = await ask(served, "OPTIONS", target, *headers)
        assert answer.status == 403
        assert b"<Code>AccessForbidden</Code>" in answer.body


@pytest.mark.parametrize("key", ["private", "absent", "refused"])
async def test_what_not_everybody_gets_is_kept_by_nobody(served: Served, key: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await ask(served, method, f"/ws/public/{key}")
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("key", ["x", "same"])
async def test_what_everybody_gets_is_kept_as_its_author_says(served: Served, key: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await ask(served, method, f"/ws/public/{key}")
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"


async def test_documents_of_the_gateway_are_no_authors_bytes(served: Served) -> None:
    answer = await ask(served, "GET", "/ws/public/plain")
    assert "content-security-policy" not in answer.headers
    assert "cache-control" not in answer.headers
