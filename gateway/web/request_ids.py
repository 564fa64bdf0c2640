"""Ids of requests: sixteen hexadecimal digits, as random as keys are.

The kernel is asked for those of some hundred requests at a time.
"""

import os

DIGITS = 16
AT_ONCE = 256

_drawn: list[str] = []


def draw() -> str:
    """An id that no other request has."""
    if not _drawn:
        digits = os.urandom(AT_ONCE * DIGITS // 2).hex().upper()
        _drawn.extend([digits[start : start + DIGITS] for start in range(0, len(digits), DIGITS)])
    return _drawn.pop()


# What was drawn before a fork is the parent's.
os.register_at_fork(after_in_child=_drawn.clear)
