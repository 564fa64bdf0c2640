"""What goes over the wire: calls of methods, and bytes to and from URLs that the gateway gave."""

import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Self

import httpx

from gateway.client.credentials import Credentials
from gateway.client.errors import InvalidArgument, NotReached, refusal
from gateway.client.patience import Patience, passes, was_unsent

Clock = Callable[[], datetime]

REPEATABLE = frozenset(
    {
        # They change nothing,
        "get_file",
        "list",
        "children",
        "search",
        "list_files",
        "read",
        "versions",
        "stats",
        "keys.list",
        # or asked for twice leave what once would have: an upload that nobody goes on with ends
        # with its edit, and the gateway knows a completion again.
        "put_file",
        "complete_file",
        "set_download_weight",
    }
)
"""Methods that are called again after an answer got lost."""

_REFUSED = 300  # redirects too: a signature is for one address
_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Session:
    """A pool of connections to one gateway, and who speaks through it."""

    def __init__(
        self, url: str, workspace: str, who: Credentials, timeout: float, patience: Patience
    ) -> None:
        self.url = url.rstrip("/")
        if not _WORKSPACE.fullmatch(workspace):
            raise InvalidArgument(f"{workspace!r} is no workspace's name")
        self.workspace = workspace
        self.patience = patience
        self._who = who
        self._host = _host(self.url)
        # Who transfers says how many go at once; nobody waits for a connection of the pool.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._http = httpx.AsyncClient(timeout=timeout, limits=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def call(self, method: str, arguments: Mapping[str, object]) -> object:
        """What a method returns, decoded. None stands for what is left out.

        Where the gateway was not reached, every method is called again; where it failed or its
        answer got lost, those in REPEATABLE alone.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            body = json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"the arguments of {method} are no JSON: {error}") from None
        again = passes if method in REPEATABLE else was_unsent
        return await self.patience.repeat(lambda: self._call(method, body), again)

    async def _call(self, method: str, body: bytes) -> object:
        path = f"/_rpc/{self.workspace}/{method}"
        headers = {
            "Content-Type": "application/json",
            **self._who.headers(self._host, path, body, datetime.now(UTC)),
        }
        with _reaching(self.url):
            answer = await self._http.post(self.url + path, content=body, headers=headers)
        if answer.status_code >= _REFUSED:
            raise refusal(answer.status_code, answer.content)
        try:
            return answer.json()
        except ValueError:
            raise NotReached(f"{self.url} answers no JSON: is it a gateway?") from None

    async def put(
        self, url: str, body: bytes | AsyncIterable[bytes], headers: Mapping[str, str]
    ) -> str:
        """The ETag of what was put to a URL, once. `headers` have its Content-Length."""
        with _reaching(url):
            answer = await self._http.put(url, content=body, headers=dict(headers))
        if answer.status_code >= _REFUSED:
            raise refusal(answer.status_code, answer.content)
        etag: str = answer.headers.get("ETag", "")
        return etag

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """The answer of a URL, whose body is still to come; nothing of it is decoded."""
        asked = {"Accept-Encoding": "identity", **headers}
        with _reaching(url):
            async with self._http.stream("GET", url, headers=asked) as answer:
                if answer.status_code >= _REFUSED:
                    raise refusal(answer.status_code, await answer.aread())
                yield answer


def _host(url: str) -> str:
    """The Host of requests to a URL, as httpx sends it; InvalidArgument."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidArgument(f"{url!r} is no address: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.path not in {"", "/"}:
        raise InvalidArgument(f"{url!r} is no gateway's address, such as http://127.0.0.1:9000")
    return parsed.netloc.decode("ascii")


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    """NotReached for what httpx says of connections. URLs hold signatures: no query is named."""
    try:
        yield
    except httpx.TransportError as error:
        where = url.partition("?")[0]
        what = str(error) or type(error).__name__
        raise NotReached(
            f"no answer from {where}: {what}", unsent=isinstance(error, _UNSENT)
        ) from error
