"""The operations door: is it alive, is it ready, what has it done."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address

from multidict import CIMultiDict

from gateway.errors import AccessDenied, MethodNotAllowed, NoSuchKey
from gateway.s3.message import Reply, Request
from gateway.web.exchange import Exchange
from gateway.web.measures import Measures

CHECK_SECONDS = 5
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
PREFIXES = ("/_health/", "/_metrics")

Check = Callable[[], Awaitable[object]]


class Operations:
    """`/_health/live`, `/_health/ready` and `/_metrics`.

    `checks` are what readiness needs ("backend", "database", "journal"): each is fine if it
    returns within 5 s. Metrics are for loopback, or for whoever has `metrics_token`.
    """

    name = "operations"
    methods = ()  # no page of another origin has business here
    varies = ("Authorization",)

    def __init__(
        self, checks: Mapping[str, Check], measures: Measures, metrics_token: str | None = None
    ) -> None:
        self._checks = checks
        self._measures = measures
        self._token = metrics_token

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of this door's."""
        return path.startswith(PREFIXES)

    @staticmethod
    def is_public(request: Request) -> bool:
        """Nothing is, to pages of other origins."""
        del request
        return False

    async def answer(self, exchange: Exchange) -> Reply:
        """The state as JSON, or the metrics as text; 503 while not ready."""
        request = exchange.request
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("this path takes GET and HEAD")
        if request.path == "/_health/live":
            return _document(200, {"status": "ok"})
        if request.path == "/_health/ready":
            return await self._ready()
        if request.path == "/_metrics":
            self._check_reader(request)
            headers = CIMultiDict({"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
            return Reply(200, headers, await self._measures.show())
        raise NoSuchKey("there is nothing at this path")

    async def _ready(self) -> Reply:
        states = await asyncio.gather(*(_state(check) for check in self._checks.values()))
        ready = all(state == "ok" for state in states)
        document = {"status": "ok" if ready else "failing"}
        document.update(zip(self._checks, states, strict=True))
        return _document(200 if ready else 503, document)

    def _check_reader(self, request: Request) -> None:
        authorization = request.headers.get("Authorization", "")
        if self._token is not None and hmac.compare_digest(
            authorization.encode(), f"Bearer {self._token}".encode()
        ):
            return
        if not _is_loopback(request):
            raise AccessDenied("metrics are for loopback, or for who has metrics_token")


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return "timeout"
    except Exception:  # noqa: BLE001 - whatever it is, it is not ready; anybody may read this
        return "failing"
    return "ok"


def _is_loopback(request: Request) -> bool:
    # A proxy on this machine speaks for others.
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.remote).is_loopback
    except ValueError:
        return False


def _document(status: int, document: Mapping[str, str]) -> Reply:
    headers = CIMultiDict({"Content-Type": "application/json", "Cache-Control": "no-store"})
    return Reply(status, headers, json.dumps(document).encode())
