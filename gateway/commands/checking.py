"""The command that holds bucket, records and index against each other; the gateway may run."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.assembly.administration import maintenance
from gateway.assembly.maintenance import Maintenance
from gateway.commands.printing import printable
from gateway.commands.terminal import (
    REFUSED,
    ConfigFile,
    DataDir,
    configured,
    run,
    workspaces_named,
)
from gateway.config import Config
from gateway.services.maintenance.finding import Outcome
from gateway.startup import embedded_backend


def fsck(
    workspace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="May be repeated; all workspaces without."),
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Hold bucket, records and index against each other, and say where they differ."""

    async def work() -> int:
        chosen = configured(config, data_dir)
        async with (
            embedded_backend(chosen) as embedded,
            maintenance(chosen, embedded=embedded) as rooms,
        ):
            return await _check(rooms, chosen, workspace or (), repair=repair, as_json=as_json)

    if run(work):
        raise SystemExit(REFUSED)


async def _check(
    rooms: Maintenance, config: Config, names: Sequence[str], *, repair: bool, as_json: bool
) -> int:
    """How many findings remain; each is printed as it comes."""
    await rooms.lifecycle.workspaces.open(config.workspaces, datetime.now(UTC))
    workspaces = await workspaces_named(rooms.lifecycle.workspaces, names)
    report = _Report(as_json=as_json)
    total = await rooms.checking.count(workspaces)
    with _progress() as progress:
        task = progress.add_task("artifacts", total=total)

        async def outcomes() -> AsyncIterator[Outcome]:
            for workspace in workspaces:
                checks = rooms.checking.check(
                    workspace, repair=repair, step=lambda: progress.advance(task)
                )
                async for outcome in checks:
                    yield outcome
            if not names:
                async for outcome in rooms.checking.strangers():
                    yield outcome

        async for outcome in outcomes():
            report.add(outcome)
    report.end()
    for artifact in rooms.checking.unsettled:
        typer.echo(f"{artifact}: written to all the time, nothing can be said of it", err=True)
    return report.remaining


class _Report:
    """Prints findings one after the other: a line each, or the items of a JSON list."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._found = self.remaining = 0

    def add(self, outcome: Outcome) -> None:
        """Print one."""
        self._found += 1
        self.remaining += not outcome.repaired
        if self._json:
            comma = "[" if self._found == 1 else ","
            sys.stdout.write(f"{comma}\n  {json.dumps(_document(outcome), ensure_ascii=False)}")
        else:
            typer.echo(_line(outcome))

    def end(self) -> None:
        """Print what comes after the last one."""
        if self._json:
            sys.stdout.write("\n]\n" if self._found else "[]\n")
        repaired = self._found - self.remaining
        typer.echo(f"{self._found} findings, {repaired} of them repaired", err=True)


def _document(outcome: Outcome) -> dict[str, object]:
    finding = outcome.finding
    words = {"meaning": finding.meaning, "remedy": finding.remedy}
    return {**asdict(finding), **words, "repaired": outcome.repaired, "failure": outcome.failure}


def _line(outcome: Outcome) -> str:
    finding = outcome.finding
    where = "/".join(filter(None, (finding.workspace, finding.prefix, finding.path)))
    if finding.versions:
        where += f" (version {', '.join(map(str, finding.versions))})"
    ending = finding.remedy
    if outcome.repaired:
        ending = "repaired"
    elif outcome.failure:
        ending = f"not repaired: {outcome.failure}"
    return printable(f"{finding.kind}: {where}: {finding.meaning}; {ending}")


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
