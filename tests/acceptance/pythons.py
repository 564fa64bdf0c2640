"""The Python client in both its forms, driven the same way."""

import asyncio
import functools
import hashlib
import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.client import AsyncClient, Client
from tests.acceptance.harness import KEYS, WORKSPACE, Gateway


class Awaiting:
    """An asynchronous object, each of whose methods is awaited where it is called."""

    def __init__(self, target: object, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        found = getattr(self._target, name)
        if not inspect.iscoroutinefunction(found):
            return Awaiting(found, self._runner)

        @functools.wraps(found)
        def wait(*args: object, **kwargs: object) -> object:
            return self._runner.run(found(*args, **kwargs))

        return wait


@contextmanager
def client_of(
    gateway: Gateway, form: str = "sync", key: str = "write", **credentials: str
) -> Iterator[Client]:
    """A client, "sync" or "async", with a key of KEYS, or with `credentials`, or "anonymous"."""
    if key != "anonymous" and not credentials:
        chosen = KEYS[key]
        credentials = {
            "access_key_id": chosen.access_key_id,
            "secret_access_key": chosen.secret_access_key,
        }
    if form == "sync":
        with Client(gateway.url, WORKSPACE, **credentials) as client:  # type: ignore[arg-type]
            yield client
        return
    with asyncio.Runner() as runner:
        target = AsyncClient(gateway.url, WORKSPACE, **credentials)  # type: ignore[arg-type]
        try:
            driven: Any = Awaiting(target, runner)
            yield driven
        finally:
            runner.run(target.close())


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Bytes that are always the same for one seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - any bytes will do
