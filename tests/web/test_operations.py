"""Health and metrics, and who may read them."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import AccessDenied, MethodNotAllowed, NoSuchKey
from gateway.s3.message import Reply, Request
from gateway.web import operations
from gateway.web.access_log import Entry
from gateway.web.exchange import Exchange
from gateway.web.measures import Measures
from gateway.web.operations import Check, Operations

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def three() -> float:
    return 3.0


async def well() -> None:
    await asyncio.sleep(0)


async def ill() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("postgresql://user:password@host")


async def slow() -> None:
    await asyncio.sleep(60)


async def no_body() -> AsyncIterator[bytes]:
    yield b""


async def ask(
    door: Operations, path: str, remote: str = "127.0.0.1", method: str = "GET", **headers: str
) -> Reply:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    proxy = CIMultiDictProxy(CIMultiDict(spelled))
    request = Request(method, path, "", proxy, no_body(), None, remote)
    return await door.answer(Exchange(request, "ID", NOW))


def door(token: str | None = None, **checks: Check) -> Operations:
    return Operations(checks, Measures(), token)


def document(reply: Reply) -> object:
    assert isinstance(reply.body, bytes)
    return json.loads(reply.body)


async def test_alive_is_alive_whatever_is_ill() -> None:
    reply = await ask(door(backend=ill), "/_health/live", "203.0.113.7")
    assert (reply.status, document(reply)) == (200, {"status": "ok"})


async def test_ready_names_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "CHECK_SECONDS", 0.05)
    reply = await ask(door(backend=well, database=well), "/_health/ready")
    assert reply.status == 200
    assert document(reply) == {"status": "ok", "backend": "ok", "database": "ok"}
    reply = await ask(door(backend=slow, database=ill, journal=well), "/_health/ready")
    assert reply.status == 503
    assert document(reply) == {
        "status": "failing",
        "backend": "timeout",
        "database": "failing",
        "journal": "ok",
    }


async def test_metrics_are_for_loopback_or_the_token() -> None:
    guarded = door("t0ken")
    for reply in (
        await ask(guarded, "/_metrics"),
        await ask(guarded, "/_metrics", "::1"),
        await ask(guarded, "/_metrics", "203.0.113.7", Authorization="Bearer t0ken"),
    ):
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/plain")
    refused: list[dict[str, str]] = [{}, {"Authorization": "Bearer other"}]
    for headers in refused:
        with pytest.raises(AccessDenied):
            await ask(guarded, "/_metrics", "203.0.113.7", **headers)
    with pytest.raises(AccessDenied):
        await ask(door(), "/_metrics", "203.0.113.7", Authorization="Bearer None")
    with pytest.raises(AccessDenied):
        await ask(door(), "/_metrics", "127.0.0.1", X_Forwarded_For="203.0.113.7")


async def test_what_was_answered_is_counted() -> None:
    measures = Measures()
    for method, complete in (("GET", True), ("GET", False), ("BREW", True)):
        measures.observe(
            Entry(
                time=NOW,
                request_id="ID",
                remote="127.0.0.1",
                door="s3",
                operation="GetObject",
                method=method,
                path="/ws/secret",
                status=200,
                received=1,
                sent=10,
                seconds=0.5,
                complete=complete,
                access_key_id="SECRET",
                workspace="secret",
                error=None,
            )
        )
    measures.gauge("gateway_open_edits", "Edits that are open.", three)
    reply = await ask(Operations({}, measures), "/_metrics")
    assert isinstance(reply.body, bytes)
    lines = reply.body.decode().splitlines()
    assert 'gateway_requests_total{door="s3",method="GET",status="200"} 2.0' in lines
    assert 'gateway_requests_total{door="s3",method="other",status="200"} 1.0' in lines
    assert 'gateway_sent_bytes_total{door="s3"} 30.0' in lines
    assert 'gateway_received_bytes_total{door="s3"} 3.0' in lines
    assert 'gateway_cut_answers_total{door="s3"} 1.0' in lines
    assert "gateway_open_edits 3.0" in lines
    for bound, count in (("0.25", "0.0"), ("0.5", "2.0"), ("+Inf", "2.0")):
        assert (
            f'gateway_request_seconds_bucket{{door="s3",le="{bound}",method="GET"}} {count}'
            in lines
        )
    assert 'gateway_request_seconds_sum{door="s3",method="GET"} 1.0' in lines
    assert "ecret" not in reply.body.decode().lower()


async def test_there_is_nothing_else() -> None:
    for path in ("/_health/", "/_health/other", "/_metrics/x"):
        assert Operations.serves(path)
        with pytest.raises(NoSuchKey):
            await ask(door(), path)
    with pytest.raises(MethodNotAllowed):
        await ask(door(), "/_health/live", method="POST")
    assert not Operations.serves("/my-workspace/_metrics")
