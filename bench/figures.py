"""Figures: what was measured, printed as a table, and as JSON for whoever compares."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured: the median of `samples`, its unit, and what was promised, if anything.

    `most` is the promise: the value that the median may reach.
    """

    name: str
    samples: Sequence[float]
    unit: str
    most: float | None = None

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept; None where nothing was promised."""
        return None if self.most is None else self.median <= self.most


@dataclass(slots=True)
class Report:
    """The figures of one measurement, under a title."""

    title: str
    figures: list[Figure] = field(default_factory=list)

    def add(
        self, name: str, samples: Sequence[float], unit: str, *, most: float | None = None
    ) -> Figure:
        """The figure, which is in the report now."""
        figure = Figure(name, tuple(samples), unit, most)
        self.figures.append(figure)
        return figure

    def show(self, path: Path | None = None) -> None:
        """Print the table; with a path, write the JSON there too."""
        table = Table("", "median", "least", "most", "n", "promised", title=self.title)
        for figure in self.figures:
            promised = "" if figure.most is None else f"≤ {figure.most:g} {figure.unit}"
            verdict = {None: "", True: " kept", False: " NOT KEPT"}[figure.kept]
            values = (figure.median, min(figure.samples), max(figure.samples))
            places = 2 if figure.unit == "x" else 1
            table.add_row(
                figure.name,
                *(f"{value:,.{places}f} {figure.unit}" for value in values),
                str(len(figure.samples)),
                promised + verdict,
            )
        Console(width=120).print(table)
        if path is not None:
            path.write_text(json.dumps(self.document(), indent=1) + "\n")

    def document(self) -> dict[str, object]:
        """The report as JSON has it."""
        figures = [asdict(figure) | {"median": figure.median} for figure in self.figures]
        return {"title": self.title, "python": platform.python_version(), "figures": figures}


@contextmanager
def timed(samples: list[float]) -> Iterator[None]:
    """What is done inside adds its milliseconds to the samples."""
    began = time.perf_counter()
    yield
    samples.append((time.perf_counter() - began) * 1000)


def milliseconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    samples: list[float] = []
    with timed(samples):
        work()
    return samples[0]
