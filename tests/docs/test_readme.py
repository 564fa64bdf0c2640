"""What users are told is complete: every key, error, command, method, finding and metric."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from gateway import errors
from gateway.__main__ import application
from gateway.document import Section
from gateway.errors import GatewayError
from gateway.services.maintenance.finding import Kind
from gateway.services.registry.argument import Argument
from gateway.services.registry.method import METHODS
from gateway.settings import parse

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
EXAMPLE = (ROOT / "config.example.yaml").read_text()
ENVIRONMENT = dict.fromkeys(re.findall(r"(?<!\$)\$\{(\w+)\}", EXAMPLE), "x" * 40)


def general(path: str) -> str:
    """A key's path with the names of workspaces and the places in lists left out."""
    return re.sub(r"^(workspaces)\.[^.]+", r"\1.*", re.sub(r"\[\d+\]", "[]", path))


def written_keys(value: object, path: str = "") -> Iterator[str]:
    """The path of every key in a document that has no mapping below it."""
    if isinstance(value, dict) and path not in {"keys[].grants", "hypha.anonymous"}:
        for key, below in value.items():
            yield from written_keys(below, general(f"{path}.{key}" if path else key))
    elif isinstance(value, list) and any(isinstance(below, dict) for below in value):
        for below in value:
            yield from written_keys(below, f"{path}[]")
    else:
        yield path


@pytest.fixture(scope="module")
def known_keys() -> set[str]:
    """The path of every key that the configuration asks for, but for what holds other keys."""
    asked: set[str] = set()
    take = Section._take  # noqa: SLF001 - all that takes a key goes through it

    def note(section: Section, name: str, kind: type, what: str) -> object:
        asked.add(general(section._path(name)))  # noqa: SLF001 - as above
        return take(section, name, kind, what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Section, "_take", note)
        parse(EXAMPLE, ENVIRONMENT)
    asked = {path for path in asked if not path.startswith("keys[].grants.")}
    holders = {path.rpartition(".")[0].removesuffix("[]") for path in asked}
    return asked - holders - {"workspaces.*"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table in the section called `heading`, without the table's head."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines[2:]]


def test_the_example_has_every_key(known_keys: set[str]) -> None:
    assert set(written_keys(yaml.safe_load(EXAMPLE))) == known_keys


def test_the_readme_has_every_key_and_no_other(known_keys: set[str]) -> None:
    assert {row[0].strip("`") for row in rows("Configuration")} == known_keys


def test_the_readme_has_every_error_as_its_class_has_it() -> None:
    expected = set()
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, GatewayError) and error != GatewayError:
            meaning = " ".join((error.__doc__ or "").partition("\n\n")[0].split())
            expected.add((f"`{error.code}`", str(error.status), meaning))
    assert {tuple(row) for row in rows("Errors")} == expected


def commands(group: typer.core.TyperGroup, name: str) -> Iterator[tuple[str, list[str]]]:
    """The words that run each command, and the options that it takes."""
    for word, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{name} {word}")
        elif not command.hidden:
            yield f"{name} {word}", [opt for each in command.params for opt in each.opts]


def test_the_readme_has_every_command_and_its_options() -> None:
    group = typer.main.get_command(application)
    assert isinstance(group, typer.core.TyperGroup)
    every = dict(commands(group, "artifact-gateway"))
    people = "artifact-gateway artifact"  # their commands are in docs/command-line.md
    expected = {name: options for name, options in every.items() if not name.startswith(people)}
    expected[people] = []
    told = {row[0].strip("`"): row[1] for row in rows("Commands")}
    assert {re.sub(r" [A-Z_]+$", "", command) for command in told} == set(expected)
    section = README.split("\n## Commands\n", 1)[1].split("\n## ", 1)[0]
    for options in expected.values():
        for option in options:
            assert not option.startswith("--") or f"`{option}" in section, option


def test_operations_has_every_kind_of_finding() -> None:
    section = OPERATIONS.split("\n## What fsck finds\n", 1)[1].split("\n## ", 1)[0]
    told = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert sorted(told) == sorted(Kind)


def test_operations_has_every_metric() -> None:
    section = OPERATIONS.split("\n## Metrics\n", 1)[1].split("\n## ", 1)[0]
    sources = "".join(path.read_text() for path in (ROOT / "gateway").glob("*/*.py"))
    names = set(re.findall(r'"(gateway_[a-z_]+)"', sources))
    told = re.findall(r"`(gateway_\w+)`", section)
    assert sorted(name.removesuffix("_total") for name in told) == sorted(names)


def test_the_readme_has_every_method_with_its_arguments() -> None:
    told = {row[0].strip("`") for row in rows("RPC methods")}
    assert told == {
        f"{method.name}({', '.join(map(written, method.arguments))})" for method in METHODS.values()
    }


def written(argument: Argument) -> str:
    if argument.options:
        return f"{argument.name}={{{', '.join(option.name for option in argument.options)}}}"
    if argument.required:
        return argument.name
    default = argument.default
    return f"{argument.name}={json.dumps(default) if isinstance(default, str) else default}"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_no_relative_link_is_broken(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:|#", target):
            path, _, anchor = target.partition("#")
            linked = page.parent / path
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_no_page_tells_where_somebody_keeps_files(page: Path) -> None:
    assert re.findall(r"/(?:home|root|tmp)/\S*", page.read_text()) == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()
