"""The reference of the command line for people, docs/command-line.md: `make reference`."""

from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from gateway.commands.artifact.application import application
from gateway.commands.artifact.speaking import COMMON

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
START = "<!-- From here on `make reference` writes it. -->\n"


def page() -> str:
    """The whole page: what stands above START, and a section for each command."""
    head = PAGE.read_text().partition(START)[0]
    group = typer.main.get_command(application)
    assert isinstance(group, TyperGroup)
    return "\n".join([head + START, *(line for each in group.commands for line in section(each))])


def section(name: str) -> Iterator[str]:
    """What is said of a command."""
    group = typer.main.get_command(application)
    assert isinstance(group, TyperGroup)
    command = group.commands[name]
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    common = {word for word, _, _ in COMMON}
    options = [
        each for each in command.params if isinstance(each, TyperOption) and each.name not in common
    ]
    usage = " ".join([name, *map(shown, arguments)])
    yield from (f"### `{usage}`", "", str(command.help), "")
    if arguments or options:
        yield from ("| | |", "|---|---|")
        yield from (f"| `{shown(each)}` | {each.help} |" for each in arguments)
        yield from (f"| {spelled(each)} | {each.help} |" for each in options)
        yield ""


def shown(argument: TyperArgument) -> str:
    """An argument as usage lines write it."""
    name = argument.metavar or str(argument.name).upper()
    more = "…" if argument.nargs == -1 else ""
    return f"{name}{more}" if argument.required else f"[{name}{more}]"


def spelled(option: TyperOption) -> str:
    """An option's names, and what follows them."""
    names = ", ".join(f"`{each}`" for each in [*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    return f"{names} `{option.metavar or option.opts[0].strip('-').upper()}`"


if __name__ == "__main__":
    PAGE.write_text(page())
