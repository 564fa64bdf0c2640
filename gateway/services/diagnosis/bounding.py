"""Give each check its time: whatever hangs, doctor goes on."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.errors import GatewayError
from gateway.services.diagnosis.verdict import Verdict, failure

T = TypeVar("T")

CHECK_SECONDS = 15.0
TIDY_SECONDS = 5.0
_CLASS = re.compile(r"^<class '[\w.]+'>: ")


async def bounded(
    check: str,
    work: Callable[[], Awaitable[Sequence[Verdict]]],
    remedy: str,
    seconds: float = CHECK_SECONDS,
) -> Sequence[Verdict]:
    """The check's verdicts; a failure with this `remedy` where it fails, or takes too long.

    One that takes too long has TIDY_SECONDS more to take away what it stored.
    """
    task = asyncio.ensure_future(work())
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=TIDY_SECONDS)
        return [failure(check, f"no answer within {seconds:.0f} s", remedy)]
    if error := task.exception():
        return [failure(check, reason(error), remedy)]
    return task.result()


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns.

    Nobody waits for its thread at the end: a name may take minutes to resolve.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(outcome: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(outcome)  # type: ignore[arg-type] # None is T's where no error is

    def run() -> None:
        outcome, failed = None, None
        try:
            outcome = work()
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, outcome, failed)

    threading.Thread(target=run, daemon=True).start()
    return await future


def reason(error: BaseException) -> str:
    """The error in one line; of the gateway's own, what lies behind it."""
    while isinstance(error, GatewayError) and error.__cause__ is not None:
        error = error.__cause__
    error = getattr(error, "orig", None) or error  # without the SQL
    said = " ".join(_CLASS.sub("", str(error)).split())
    return said or type(error).__name__
