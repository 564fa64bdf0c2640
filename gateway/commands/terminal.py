"""What every command shares: its options, its exit codes, and how a refusal is said."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway import startup
from gateway.config import Config
from gateway.document import ConfigError
from gateway.errors import GatewayError
from gateway.identity import Workspace
from gateway.services.workspaces import Workspaces
from gateway.settings import Overrides
from gateway.web import access_log

try:
    import uvloop
except ImportError:  # not on every platform
    NEW_LOOP: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop

T = TypeVar("T")

REFUSED, MISCONFIGURED = 1, 2

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; embedded defaults without.")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="This host's own folder, before data_dir.")
]


def run(work: Callable[[], Coroutine[object, object, T]]) -> T:
    """What `work` gives; what is refused ends the process, with one line for each reason."""
    _log_to_stderr()
    try:
        with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
            return runner.run(work())
    except ConfigError as error:
        lines, code = error.problems, MISCONFIGURED
    except GatewayError as error:
        lines, code = (error.message,), REFUSED
    except startup.REFUSALS as error:
        lines, code = tuple(filter(None, [str(error)])), REFUSED
    for line in lines:
        typer.echo(line, err=True)
    raise SystemExit(code)


def configured(config: Path | None, data_dir: Path | None) -> Config:
    """The configuration of a gateway whose folder is there from now on; ConfigError."""
    chosen = startup.assignment(config, Overrides(data_dir=data_dir)).config()
    startup.make_data_dir(chosen)
    return chosen


async def workspaces_named(workspaces: Workspaces, names: Sequence[str]) -> list[Workspace]:
    """The workspaces of these names, all of them without any; ConfigError."""
    there = {found.name: found for found, _ in await workspaces.all()}
    unknown = [name for name in names if name not in there]
    if unknown:
        known = ", ".join(there)
        raise ConfigError([f"--workspace: there is no {name!r}, only {known}" for name in unknown])
    return [there[name] for name in dict.fromkeys(names)] or list(there.values())


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("gateway").setLevel(logging.INFO)
    # A line of the access log is JSON, whole.
    access = logging.getLogger("gateway.access")
    access.propagate = False
    access.handlers = [access_log.Lines(sys.stderr)]
