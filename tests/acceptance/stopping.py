"""Operations brought to a stop at one exact request to the backend: there the gateway is killed."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.acceptance.harness import Document
from tests.acceptance.wire import Pause, When, WireTap


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an operation is stopped: the nth backend request that looks so."""

    method: str
    target: str
    when: When
    nth: int = 1


def stand_still(
    tap: WireTap, pool: ThreadPoolExecutor, stop: Stop, key: str, call: Callable[[], Document]
) -> bool:
    """Whether the call has come to its stop; `{key}` in the stop's target stands for `key`."""
    target = stop.target.format(key=key)
    pause: Pause = tap.pause_on(stop.method, target, nth=stop.nth, when=stop.when)
    acting = pool.submit(attempt, call)
    deadline = time.monotonic() + 10
    while not (pause.reached or acting.done()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return pause.reached


def attempt(call: Callable[[], Document]) -> None:
    """Call, whatever comes of it: the gateway is going to die."""
    try:
        call()
    except Exception:  # noqa: BLE001 (refused, cut off or timed out: the aftermath tells)
        return
