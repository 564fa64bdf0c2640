"""The client for programs without an event loop: the asynchronous one, on a loop of its own.

The loop runs in a thread, so that it also works where the caller is inside an event loop, as in
a notebook.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from threading import Thread, current_thread
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from gateway.client.client import AsyncClient
from gateway.client.methods import AsyncKeys

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
P = ParamSpec("P")


class Portal:
    """A thread with an event loop, in which one thread's coroutines run to their end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="artifact-gateway", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What `work` returns. Whoever interrupts the wait ends the work, too."""
        if not self._thread.is_alive():  # closed, or this process was forked from its own
            work.close()
            message = "this client is closed, or another process's: make a new one"
            raise RuntimeError(message)
        if current_thread() is self._thread:
            work.close()
            message = "a progress callback can't call the client that calls it"
            raise RuntimeError(message)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End what is under way, do `last`, and end the thread; once more does nothing."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(_end(last), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _end(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Return once everything else on this loop has ended, and the threads that read files."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await last()
    await asyncio.get_running_loop().shutdown_default_executor()


class Blocking(Generic[T_co]):
    """An asynchronous object, whose methods are waited for."""

    def __init__(self, target: T_co, portal: Portal) -> None:
        self._target = target
        self._portal = portal

    def _wait(self, work: Callable[[T_co], Coroutine[Any, Any, R]]) -> R:
        return self._portal.run(work(self._target))


def blocking(
    method: Callable[Concatenate[T, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Blocking[T], P], R]:
    """The method with the same arguments, which returns when it is done."""

    @functools.wraps(method)
    def wait(self: Blocking[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._wait(lambda target: method(target, *args, **kwargs))

    return wait


class Keys(Blocking[AsyncKeys]):
    """Access keys. Needs `admin`."""

    create = blocking(AsyncKeys.create)
    list = blocking(AsyncKeys.list)
    revoke = blocking(AsyncKeys.revoke)


class Client(Blocking[AsyncClient]):
    """The gateway's methods, and files and folders, up and down. `AsyncClient` says all of it.

    Threads may share one; a process that was forked makes its own. `progress` is called in the
    client's own thread.
    """

    def __init__(
        self,
        url: str,
        workspace: str,
        *,
        token: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        client = AsyncClient(
            url,
            workspace,
            token=token,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            timeout=timeout,
        )
        super().__init__(client, Portal())
        self.keys = Keys(client.keys, self._portal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._portal.close(self._target.close)

    create = blocking(AsyncClient.create)
    edit = blocking(AsyncClient.edit)
    commit = blocking(AsyncClient.commit)
    discard = blocking(AsyncClient.discard)
    delete = blocking(AsyncClient.delete)
    put_file = blocking(AsyncClient.put_file)
    complete_file = blocking(AsyncClient.complete_file)
    get_file = blocking(AsyncClient.get_file)
    remove_file = blocking(AsyncClient.remove_file)
    set_download_weight = blocking(AsyncClient.set_download_weight)
    list = blocking(AsyncClient.list)
    children = blocking(AsyncClient.children)
    search = blocking(AsyncClient.search)
    list_files = blocking(AsyncClient.list_files)
    read = blocking(AsyncClient.read)
    versions = blocking(AsyncClient.versions)
    rollback = blocking(AsyncClient.rollback)
    index = blocking(AsyncClient.index)
    reset_stats = blocking(AsyncClient.reset_stats)
    stats = blocking(AsyncClient.stats)
    generate_token = blocking(AsyncClient.generate_token)
    upload = blocking(AsyncClient.upload)
    download = blocking(AsyncClient.download)
