"""The command that builds the index anew."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from gateway import startup
from gateway.assembly.administration import maintenance
from gateway.commands.terminal import REFUSED, ConfigFile, DataDir, configured, run
from gateway.services.maintenance.outcome import Outcome

WIDTH = 120  # a terminal that is narrower breaks lines, and nothing is left out
LOST = (
    "Counters of downloads and views, and keys made at run time, are in the database alone: "
    "a new one starts without them."
)


def reindex(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Build the index anew from the bucket and its records, and adopt manifests without any."""

    async def work() -> list[Outcome]:
        chosen = configured(config, data_dir)
        async with (
            startup.embedded_backend(chosen) as embedded,
            maintenance(chosen, embedded=embedded) as rooms,
        ):
            with _Watch() as watch:
                return await rooms.reindexing.reindex(chosen.workspaces, watch)

    started = time.monotonic()
    outcomes = run(work)
    _show(outcomes, time.monotonic() - started)
    if any(outcome.refusals for outcome in outcomes):
        raise typer.Exit(REFUSED)


class _Watch:
    """A progress bar on a terminal; elsewhere a line as each task begins."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, task: str, total: int | None) -> None:
        """A bar of its own, or a line."""
        if self._bar.disable:
            typer.echo(task if total is None else f"{task} ({total})", err=True)
        self._task = self._bar.add_task(task, total=total)

    def advance(self, steps: int = 1) -> None:
        """The bar goes on."""
        if self._task is not None:
            self._bar.advance(self._task, steps)


def _show(outcomes: Sequence[Outcome], seconds: float) -> None:
    """The figures of each workspace, what was refused, and what can't come back."""
    counted = ("artifacts", "members", "versions", "pins", "staged")
    table = Table("workspace", *counted, "restored", "adopted", "reopened", "refused", box=None)
    for outcome in outcomes:
        figures = [getattr(outcome.census, name) for name in counted]
        figures += [outcome.restored, outcome.adopted, outcome.reopened, len(outcome.refusals)]
        table.add_row(outcome.workspace, *map(str, figures))
    console = Console(soft_wrap=True)
    console.width = max(console.width, WIDTH)
    console.print(table)
    for outcome in outcomes:
        for refusal in outcome.refusals:
            typer.echo(f"{outcome.workspace}: {refusal.place}: {refusal.reason}")
    objects = sum(outcome.objects for outcome in outcomes)
    manifests = sum(outcome.manifests for outcome in outcomes)
    typer.echo(f"{objects} objects, {manifests} manifests, {seconds:.1f} seconds")
    if any(outcome.changes for outcome in outcomes):
        typer.echo(LOST)
    else:
        typer.echo("The index was complete: nothing had to be changed.")
