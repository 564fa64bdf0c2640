"""A badge as READMEs show it: an SVG image of a label and a number."""

from decimal import ROUND_HALF_UP, Decimal
from html import escape

from gateway.artifact.weights import MILLION

PADDING = 6
HEIGHT = 20
# Of a sans-serif at 11 pixels; the text is set to the width that was reckoned.
NARROW, NORMAL, WIDE = 3.6, 6.6, 9.6
_NARROW, _WIDE = frozenset("fijlrt.,:;' "), frozenset("mwMW")
_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def badge(label: str, micros: int) -> bytes:
    """The SVG: `label`, and a number of millionths, shortened."""
    value = short(micros)
    left, right = _width(label), _width(value)
    title = escape(f"{label}: {value}")
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img" \
aria-label="{title}"><title>{title}</title>\
<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="3"/></clipPath>\
<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="#444"/>\
<rect x="{left}" width="{right}" height="{HEIGHT}" fill="#0a6ebd"/></g>\
<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" \
font-size="11">{_text(label, left / 2, left)}{_text(value, left + right / 2, right)}</g></svg>
""".encode()


def short(micros: int) -> str:
    """A number of millionths in at most four digits: 500000 is 0.5, 1234000000 is 1.2k."""
    number = Decimal(micros) / MILLION
    for size, unit in _UNITS:
        # 999.96k is 1M: what is rounded decides.
        if number >= size - Decimal(size) / 2000:
            return f"{_rounded(number / size)}{unit}"
    return _rounded(number)


def _rounded(number: Decimal) -> str:
    step = Decimal(1) if number >= 100 else Decimal("0.1")  # noqa: PLR2004 - three digits
    if number and number < 1:
        step = Decimal("0.01")
    text = f"{number.quantize(step, ROUND_HALF_UP):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _width(text: str) -> int:
    widths = (NARROW if c in _NARROW else WIDE if c in _WIDE else NORMAL for c in text)
    return round(sum(widths)) + 2 * PADDING


def _text(text: str, middle: float, width: int) -> str:
    length = width - 2 * PADDING
    return f'<text x="{middle:g}" y="14" textLength="{length}">{escape(text)}</text>'
