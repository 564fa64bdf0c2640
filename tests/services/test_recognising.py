from collections.abc import AsyncIterator

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.artifact.download import ANYBODY
from gateway.identity import ANONYMOUS, Caller, Grants
from gateway.s3.message import Request
from gateway.services.statistics.recognising import Recognising

SECRET = b"0123456789abcdef0123456789abcdef"
ALICE = Caller("ALICE", "alice", Grants())
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def request(remote: str = "192.0.2.1", agent: str = BROWSER, authorization: str = "") -> Request:
    headers = CIMultiDict({"User-Agent": agent})
    if authorization:
        headers["Authorization"] = authorization
    return Request("GET", "/w/k", "", CIMultiDictProxy(headers), nothing(), remote=remote)


def clients(*visits: tuple[Caller, Request]) -> list[str | None]:
    recognising = Recognising(SECRET, double_clicks=True, robots=False)
    return [recognising.visit(caller, each).client for caller, each in visits]


def test_nobody_is_looked_at_unless_a_rule_asks() -> None:
    recognising = Recognising(SECRET, double_clicks=False, robots=False)
    assert recognising.visit(ANONYMOUS, request(agent=CRAWLER)) is ANYBODY


def test_a_client_is_a_token_a_key_or_an_address_with_its_agent() -> None:
    signed = "AWS4-HMAC-SHA256 Credential=…"
    token, other_token, key, key_elsewhere, url, url_elsewhere, nobody, other_agent = clients(
        (ALICE, request(authorization="Bearer one")),
        (ALICE, request(authorization="Bearer two")),
        (ALICE, request(authorization=signed)),
        (ALICE, request("192.0.2.2", authorization=signed)),
        (ALICE, request()),
        (ALICE, request("192.0.2.2")),
        (ANONYMOUS, request()),
        (ANONYMOUS, request(agent="curl/8")),
    )
    assert token != other_token
    assert key == key_elsewhere
    assert url != url_elsewhere
    assert url == nobody
    assert len({token, other_token, key, url, url_elsewhere, other_agent}) == 6


def test_nothing_of_a_client_can_be_read_from_its_hash() -> None:
    (first,) = clients((ANONYMOUS, request()))
    other = Recognising(b"x" * 32, double_clicks=True, robots=False)
    assert first is not None
    assert "192.0.2.1" not in first
    assert len(first) == 32
    assert other.visit(ANONYMOUS, request()).client != first


@pytest.mark.parametrize(
    ("agent", "robot"), [(CRAWLER, True), ("curl/8.5.0", True), (BROWSER, False), ("", True)]
)
def test_robots_are_those_of_the_list(agent: str, *, robot: bool) -> None:
    recognising = Recognising(SECRET, double_clicks=False, robots=True)
    visit = recognising.visit(ANONYMOUS, request(agent=agent))
    assert visit.robot is robot
    assert visit.client is None
