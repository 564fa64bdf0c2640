"""How far a transfer is: bars on a terminal, and else a line for each file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from gateway.client import Progress
from gateway.commands.printing import printable

Report = Callable[[Progress], None]

LARGE = 8 << 20
"""A file of so many bytes has a bar of its own while it moves."""


@contextmanager
def progress(verb: str) -> Iterator[Report]:
    """What is told how far a transfer is; shown on standard error."""
    if not sys.stderr.isatty():
        yield _Lines(verb).tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True))
    bars = Bars(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    )
    with bars:
        yield _Shown(bars, verb).tell


class _Lines:
    """A line for each file that is through."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._done = 0

    def tell(self, told: Progress) -> None:
        """Print a line, if a file is through."""
        if told.files_done == self._done:
            return
        self._done = told.files_done
        path = printable(told.path)
        typer.echo(f"{self._verb} {told.files_done}/{told.files_total} {path}", err=True)


class _Shown:
    """A bar for all, and one for each large file that moves."""

    def __init__(self, bars: Bars, verb: str) -> None:
        self._bars = bars
        self._verb = verb
        self._whole = bars.add_task(verb, total=None)
        self._files: dict[str, TaskID] = {}

    def tell(self, told: Progress) -> None:
        """Move the bars."""
        description = f"{self._verb} {told.files_done}/{told.files_total}"
        self._bars.update(
            self._whole,
            description=description,
            completed=told.bytes_done,
            total=told.bytes_total,
        )
        if told.size < LARGE:
            return
        if told.path not in self._files:
            self._files[told.path] = self._bars.add_task(printable(told.path), total=told.size)
        self._bars.update(self._files[told.path], completed=told.sent)
        if told.sent >= told.size:
            self._bars.remove_task(self._files.pop(told.path))
