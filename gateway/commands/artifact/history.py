"""Commands on what was, and how often it was fetched, and what there is of a kind."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.client import Stats
from gateway.commands.artifact.authoring import Where
from gateway.commands.artifact.exits import Misuse
from gateway.commands.artifact.printing import time_of
from gateway.commands.artifact.speaking import Speaking, speaking


@speaking
def versions(speech: Speaking, where: Where) -> None:
    """List the commits, newest first."""
    client, prefix = speech.at(where)
    found = client.versions(prefix)
    rows = [
        (str(each["version"]), time_of(each["time"]), each["author"], each["message"] or "")
        for each in found
    ]
    speech.printing.table(found, ("version", "time", "author", "message"), rows)


@speaking
def stats(
    speech: Speaking,
    where: Where,
    since: Annotated[str | None, typer.Option(help="The first day: 2025-06-07.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day.")] = None,
) -> None:
    """Show how often the artifact and each of its files were downloaded."""
    client, prefix = speech.at(where)
    found = client.stats(prefix, since, until)
    rows = _rows(found)
    speech.printing.table(found, ("period", "downloads", "download_count", "bytes", "file"), rows)
    if not speech.printing.as_json:
        counts = f"download_count {found['download_count']:g}, view_count {found['view_count']}"
        speech.printing.note(f"{prefix}: {counts}")


@speaking
def search(
    speech: Speaking,
    where: Where,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="Beginnings of words.")
    ] = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FIELD=VALUE", help="May be repeated; the value is JSON."),
    ] = None,
    *,
    any_: Annotated[bool, typer.Option("--any", help="One of them is enough.")] = False,
) -> None:
    """Find members of a collection."""
    client, prefix = speech.at(where)
    filters = dict(map(_filter, filter_ or ()))
    found = client.search(prefix, words or None, filters or None, "OR" if any_ else "AND")
    rows = [(each["_prefix"], each.get("type") or "", each.get("name") or "") for each in found]
    speech.printing.table(found, ("prefix", "type", "name"), rows)


def _rows(found: Stats) -> Sequence[Sequence[str]]:
    """The days of the artifact, then those of each file."""
    every = [("", found["series"]), *sorted(found["files"].items())]
    return [
        (
            each["period"],
            str(each["downloads"]),
            f"{each['download_count']:g}",
            str(each["bytes"]),
            file,
        )
        for file, series in every
        for each in series
    ]


def _filter(text: str) -> tuple[str, object]:
    """A field and what it is to be: JSON, or else the text itself; Misuse."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Misuse(f"--filter {text}: write FIELD=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
