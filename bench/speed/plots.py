"""Plots as SVG: horizontal bars, one for each name, readable in light and in dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW, LABELS, MARGIN = 760, 26, 250, 12
VALUES = 110  # room behind the longest bar
READING = 'role="img" aria-labelledby="title description" font-family="sans-serif" font-size="13"'
OWN, OTHER = "#0a7d5a", "#7a8794"


@dataclass(frozen=True, slots=True)
class Bar:
    """A value under a name; `own` ones are drawn in the gateway's colour."""

    name: str
    value: float
    own: bool


def bars(title: str, unit: str, values: Sequence[Bar]) -> str:
    """The SVG of these bars, with a title and a description that say what it shows."""
    longest = max(bar.value for bar in values) or 1
    height = 2 * MARGIN + ROW * len(values) + 24
    heading = escape(f"{title} ({unit})")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {READING}>',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(told(unit, values))}</desc>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 12}" font-weight="bold">{heading}</text>',
    ]
    for number, bar in enumerate(values):
        top = MARGIN + 24 + number * ROW
        width = (WIDTH - LABELS - VALUES) * bar.value / longest
        fill = f'fill="{OWN if bar.own else OTHER}"'
        middle = top + ROW / 2 + 4
        lines += [
            f'<text x="{LABELS - 8}" y="{middle:g}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect x="{LABELS}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}" {fill}/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{middle:g}">{spelled(bar.value)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def told(unit: str, values: Sequence[Bar]) -> str:
    """The bars in words, for who can't see them."""
    return f"In {unit}: " + "; ".join(f"{bar.name} {spelled(bar.value)}" for bar in values) + "."


def spelled(value: float) -> str:
    """A number with as many places as it needs: three digits that count, at least."""
    for least, places in ((100, 0), (10, 1), (1, 2)):
        if value >= least:
            return f"{value:,.{places}f}"
    return f"{value:.3f}"
