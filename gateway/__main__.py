"""The command line: `artifact-gateway`, or `python -m gateway`.

A command's module is imported when the command is asked for, here and nowhere else: so the commands
that only speak to a gateway start without anything that serves.
"""

import gc
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "serve": "serving:serve",
        "worker": "serving:worker",
        "artifact": "artifact.application:application",
        "doctor": "diagnosing:diagnose",
        "fsck": "checking:fsck",
        "gc": "collecting:collect",
        "reindex": "reindexing:reindex",
        "token": "keys:token",
        "keys": "keys:keys",
    }
)
"""Each command's module below `gateway.commands`, and its name there."""
HIDDEN = frozenset({"worker"})


class Imported(Mapping[str, object]):
    """The commands of PLACES, each imported when it is looked up."""

    def __getitem__(self, name: str) -> object:
        module, _, attribute = PLACES[name].partition(":")
        gc.disable()  # what is read stays: to look for garbage there takes a fifth of a start
        found = getattr(import_module(f"gateway.commands.{module}"), attribute)
        gc.freeze()
        gc.enable()
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name, hidden=name in HIDDEN)(found)
            found = alone
        return typer.main.get_command(found)

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class Commands(TyperGroup):
    """The group of all commands: help names them all, and what is run is imported alone."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**settings)
        self.commands = Imported()  # type: ignore[assignment] # nobody adds to it


application = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
)


@application.callback()
def describe() -> None:
    """An S3-compatible proxy that makes a registry out of a bucket."""


def main() -> None:
    """Nothing; the process ends with the command's exit code."""
    application()


if __name__ == "__main__":
    main()
