"""How time grows with the input, measured so that a busy machine does not matter."""

import time
from collections.abc import Callable

Work = Callable[[], object]

FACTOR = 8
TOLERANCE = 4  # linear time gives 8, quadratic 64: between them is 32
SHORTEST = 0.0005  # seconds of CPU: below that the clock is the measurement
ATTEMPTS = 4


def is_linear(make: Callable[[int], Work], largest: int) -> bool:
    """Whether 8 times the input takes about 8 times as long, in CPU time of this thread.

    `make` prepares the work on an input of so many units; at most `largest` of them. Of several
    runs the shortest counts; growth that looks like more is measured again.
    """
    size = largest // FACTOR
    while size >= FACTOR * 8 and _seconds(make(size // 2)) > SHORTEST:
        size //= 2
    for _ in range(ATTEMPTS):
        small = min(_seconds(make(size)) for _ in range(3))
        large = min(_seconds(make(size * FACTOR)) for _ in range(2))
        if large < max(small, SHORTEST) * FACTOR * TOLERANCE:
            return True
    return False


def _seconds(work: Work) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start
