"""Clients that download without a pause, and know what they got."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Thread
from types import TracebackType
from typing import Self

import aiohttp

AT_ONCE = 50
PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Target:
    """What is downloaded: a file's path and size, and the URL it is asked for at."""

    path: str
    size: int
    url: str


@dataclass(slots=True)
class Downloaders:
    """Fifty connections that download `targets` at random; `with` lets them work meanwhile.

    They end by themselves after `total` whole downloads; where that is None, when the block
    ends. `begun` has the downloads of each path that were asked for, `whole` those that arrived
    to the last byte, `unsure` those that broke off, `refused` the answers of the others.
    """

    targets: Sequence[Target]
    total: int | None = None
    begun: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[int, str]] = field(default_factory=list)
    _thread: Thread | None = None
    _ended: bool = False
    _wanted: int = 0

    def __enter__(self) -> Self:
        self._thread = Thread(target=lambda: asyncio.run(self._work()))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended = self.total is None or kind is not None
        assert self._thread is not None
        self._thread.join()

    @property
    def done(self) -> int:
        """How many downloads have arrived."""
        return self.whole.total()

    async def _work(self) -> None:
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=AT_ONCE, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            # aiohttp repeats a GET by itself where a connection breaks: that would count twice.
            session._retry_connection = False  # noqa: SLF001 - it has no other switch
            await asyncio.gather(*(self._download(session) for _ in range(AT_ONCE)))

    def _goes_on(self) -> bool:
        if self._ended or (self.total is not None and self._wanted >= self.total):
            return False
        self._wanted += 1
        return True

    async def _download(self, session: aiohttp.ClientSession) -> None:
        while self._goes_on():
            target = random.choice(self.targets)  # noqa: S311 - no secret
            arrived = await self._try(session, target)
            while not arrived and not self._ended:
                await asyncio.sleep(PAUSE)
                arrived = await self._try(session, target)

    async def _try(self, session: aiohttp.ClientSession, target: Target) -> bool:
        """Whether the download arrived."""
        self.begun[target.path] += 1
        try:
            async with session.get(target.url) as answer:
                body = await answer.read()
        except aiohttp.ClientConnectorError:
            return False  # nobody was there to be asked
        except (aiohttp.ClientError, OSError):
            self.unsure[target.path] += 1
            return False
        if answer.status != HTTPStatus.OK:
            self.refused.append((answer.status, body.decode(errors="replace")))
            return False
        assert len(body) == target.size
        self.whole[target.path] += 1
        return True
