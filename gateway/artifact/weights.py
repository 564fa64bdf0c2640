"""Download weights: decimals from 0 to 1,000,000, kept as whole millionths."""

import re
from decimal import Decimal

from gateway.errors import InvalidWeight

MILLION = 1_000_000

_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,15})?|\.[0-9]{1,15}")
_RULE = "a download weight is a decimal from 0 to 1,000,000 with at most 6 places"


def parse_weight(value: object) -> int:
    """The weight in millionths of an int, a float or a decimal in text; InvalidWeight."""
    micros = _decimal(value).scaleb(6)
    if not 0 <= micros <= MILLION * MILLION or micros != micros.to_integral_value():
        raise _refusal(value)
    return int(micros)


def to_number(micros: int) -> int | float:
    """Millionths as a number for JSON: 500000 is 0.5, 2000000 is 2."""
    return micros / MILLION if micros % MILLION else micros // MILLION


def resolve(
    announced: int | None,
    from_metadata: int | None,
    from_manifest: int | None,
    previous: int | None,
) -> int:
    """The weight of a file, in millionths: the first that is not None, in this order; else 0.

    Hand in what this edit brought; `previous` is that of the version before.
    """
    weights = (announced, from_metadata, from_manifest, previous)
    return next((weight for weight in weights if weight is not None), 0)


def _decimal(value: object) -> Decimal:
    """Exactly what the caller wrote: a float counts as its shortest decimal."""
    if isinstance(value, bool):
        raise _refusal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and 0 <= value <= MILLION:
        return Decimal(value)
    # NaN fails the comparison.
    if isinstance(value, float) and 0 <= value <= MILLION:
        return Decimal(repr(value))
    raise _refusal(value)


def _refusal(value: object) -> InvalidWeight:
    is_short = isinstance(value, (str, float)) and len(str(value)) <= 64  # noqa: PLR2004
    return InvalidWeight(f"{value!r} is no weight: {_RULE}" if is_short else f"No weight: {_RULE}")
