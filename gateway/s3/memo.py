"""What the same words were read as before: most requests repeat most of what they say.

Only reading is remembered, of pure functions: no verdict is, and nothing that a signature is in,
since whoever has that may repeat the request. Both how many answers are kept and how long a text
may be are bounded, as strangers choose the texts.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import TypeVar, cast

ALONE = object()
"""In place of what else is given, where it is the text alone."""

F = TypeVar("F", bound=Callable[..., object])

ENTRIES = 512
"""How many answers are kept of each reader: those to texts made up for it may take 24 KiB each."""

LONGEST = 512
"""Longer texts, in characters, are read anew each time."""

MARK = "ignature"
"""In each name under which a signature stands: `Signature` and `X-Amz-Signature`."""


def memo(read: F) -> F:
    """`read`, a pure function of a text and of one thing more at most, with its last answers kept.

    What it raises is raised each time; what it returns is shared, and so never changed.
    """
    kept = lru_cache(ENTRIES)(read)

    @wraps(read)
    def answer(text: str, more: Hashable = ALONE) -> object:
        answer = read if len(text) > LONGEST or MARK in text else kept
        return answer(text) if more is ALONE else answer(text, more)

    return cast("F", answer)
