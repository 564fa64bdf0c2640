"""The command that removes what no commit pins and no stage needs: gc."""

import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from gateway.assembly.administration import maintenance
from gateway.assembly.cellar import now
from gateway.commands.printing import printable
from gateway.commands.terminal import (
    REFUSED,
    ConfigFile,
    DataDir,
    configured,
    run,
    workspaces_named,
)
from gateway.identity import Workspace
from gateway.services.maintenance.collecting import Finding, Progress, Refused
from gateway.services.maintenance.sweeping import Garbage, Left
from gateway.startup import embedded_backend

MONTH = "30d"
AGE = re.compile(r"([0-9]{1,5})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(slots=True)
class Tally:
    """How much there is of what nobody needs."""

    versions: int = 0
    delete_markers: int = 0
    bytes: int = 0

    def add(self, found: Garbage) -> None:
        """Count the versions of one more key."""
        for version in found.versions:
            self.versions += not version.marker
            self.delete_markers += version.marker
            self.bytes += version.size or 0

    def __str__(self) -> str:
        """In words."""
        return f"{self.versions} versions, {self.delete_markers} delete markers, {self.bytes} bytes"


def collect(
    older_than: Annotated[
        str, typer.Option(help="For how long nobody has needed it: 24h or more, 30d, 8w.")
    ] = MONTH,
    workspace: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="May be repeated; all without.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--delete", help="Say what would go, or remove it.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name each key and version too.")
    ] = False,
) -> None:
    """Remove old versions that no commit pins and no open edit needs; the gateway may run."""
    age = _age(older_than)
    report = Report(as_json=as_json, verbose=verbose, dry_run=dry_run)

    async def work() -> None:
        chosen = configured(config, data_dir)
        async with (
            embedded_backend(chosen) as embedded,
            maintenance(chosen, embedded=embedded) as rooms,
        ):
            await rooms.lifecycle.workspaces.open(chosen.workspaces, now())
            for each in await workspaces_named(rooms.lifecycle.workspaces, workspace or ()):
                findings = rooms.collecting.collect(
                    each, older_than=age, delete=not dry_run, now=now()
                )
                await report.tell(each, findings)

    run(work)
    report.end()


class Report:
    """Tells what gc found, while it goes on: on standard output, and the rest on standard error."""

    def __init__(self, *, as_json: bool, verbose: bool, dry_run: bool) -> None:
        self._json = as_json
        self._verbose = verbose
        self._dry_run = dry_run
        self._total = Tally()
        self._refused = False

    async def tell(self, workspace: Workspace, findings: AsyncIterator[Finding]) -> None:
        """Say what is found in a workspace, an artifact after the other."""
        artifact, tally = "", Tally()
        with _bar() as bar:
            task = bar.add_task(workspace.name, total=None)
            try:
                async for found in findings:
                    if isinstance(found, Progress):
                        done, total = found.confirmed + found.walked, 2 * found.total
                        bar.update(task, completed=done, total=total)
                        continue
                    if found.artifact != artifact:
                        self._sum_up(workspace, artifact, tally)
                        artifact, tally = found.artifact, Tally()
                    if isinstance(found, Left):
                        where = printable(f"{workspace.name}/{found.key}")
                        typer.echo(f"{where}: left as it is: {found.reason}", err=True)
                        continue
                    tally.add(found)
                    self._total.add(found)
                    if self._verbose:
                        self._name(workspace, found)
            except Refused as refusal:
                self._refused = True
                typer.echo(str(refusal), err=True)
        self._sum_up(workspace, artifact, tally)

    def end(self) -> None:
        """Say how much it was; exit code 1 where a workspace was refused."""
        if self._json:
            self._line(dry_run=self._dry_run, **asdict(self._total))
        elif self._dry_run:
            typer.echo(f"to remove: {self._total}; nothing was removed, --delete does it")
        else:
            typer.echo(f"removed: {self._total}")
        if self._refused:
            raise typer.Exit(REFUSED)

    def _sum_up(self, workspace: Workspace, artifact: str, tally: Tally) -> None:
        if not tally.versions and not tally.delete_markers:
            return
        if self._json:
            self._line(workspace=workspace.name, artifact=artifact, **asdict(tally))
        else:
            typer.echo(printable(f"{workspace.name}/{artifact}: {tally}"))

    def _name(self, workspace: Workspace, found: Garbage) -> None:
        for version in found.versions:
            size = version.size or 0
            if self._json:
                self._line(
                    workspace=workspace.name,
                    artifact=found.artifact,
                    key=found.key,
                    version_id=version.version_id,
                    delete_marker=version.marker,
                    bytes=size,
                )
            else:
                what = "delete marker" if version.marker else f"{size} bytes"
                where = f"{workspace.name}/{found.key} {version.version_id}"
                typer.echo(printable(f"  {where} {what}"))

    def _line(self, **fields: str | int) -> None:
        typer.echo(json.dumps(fields))


def _age(text: str) -> timedelta:
    found = AGE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age: write 36h, 30d or 8w")
    return int(found[1]) * UNITS[found[2]]


def _bar() -> Bar:
    console = Console(stderr=True)
    # What goes to a file is not for the terminal that shows the bar.
    both = sys.stdout.isatty()
    return Bar(
        console=console, transient=True, disable=not console.is_terminal, redirect_stdout=both
    )
