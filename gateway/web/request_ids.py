"""Ids of requests: sixteen hexadecimal digits, as random as keys are.

The kernel is asked for those of some hundred requests at a time.
"""

import os
from collections.abc import Iterator

DIGITS = 16
AT_ONCE = 256


def _drawn() -> Iterator[str]:
    while True:
        digits = os.urandom(AT_ONCE * DIGITS // 2).hex().upper()
        for start in range(0, len(digits), DIGITS):
            yield digits[start : start + DIGITS]


_ids = _drawn()


def draw() -> str:
    """An id that no other request has."""
    return next(_ids)


def _renew() -> None:
    global _ids  # noqa: PLW0603 (what was drawn before a fork is the parent's)
    _ids = _drawn()


os.register_at_fork(after_in_child=_renew)
