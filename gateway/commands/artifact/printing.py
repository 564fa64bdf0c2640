"""What a command says: JSON, or lines and tables for people; and what it says beside that."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import typer
import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.syntax import Syntax

from gateway.commands.printing import printable

KIBI = 1024
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
UNICODE = ("utf-8", "utf8")
RIGHT = frozenset({"size", "weight", "downloads", "download_count", "bytes", "version"})


@dataclass(frozen=True, slots=True)
class Printing:
    """Prints for people, or with `as_json` for programs; colours are for terminals."""

    as_json: bool
    colours: bool

    def result(self, document: object, *lines: str) -> None:
        """Print what came of it: a document for programs, lines for people."""
        if self.as_json:
            ascii_alone = (sys.stdout.encoding or "").lower() not in UNICODE
            typer.echo(json.dumps(document, indent=2, ensure_ascii=ascii_alone))
        else:
            for line in lines:
                typer.echo(printable(line))

    def table(self, document: object, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table for people, and the document for programs."""
        if self.as_json:
            self.result(document)
            return
        lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [
                _aligned(cell, width, right=name in RIGHT)
                for name, cell, width in zip(head, line, widths, strict=True)
            ]
            typer.echo("  ".join(cells).rstrip())

    def manifest(self, document: object) -> None:
        """Print a manifest: YAML for people."""
        if self.as_json:
            self.result(document)
            return
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        if self.colours:
            Console(soft_wrap=True).print(Syntax(text.rstrip(), "yaml", background_color="default"))
        else:
            sys.stdout.write(text)

    def note(self, line: str) -> None:
        """Say something beside the result, on standard error."""
        typer.echo(printable(line), err=True)


def _aligned(cell: str, width: int, *, right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if right else cell + blank


def size_of(count: int) -> str:
    """A number of bytes, to be read by people."""
    amount, unit = float(count), 0
    while amount >= KIBI and unit < len(UNITS) - 1:
        amount, unit = amount / KIBI, unit + 1
    return f"{count} B" if unit == 0 else f"{amount:.1f} {UNITS[unit]}"


def time_of(text: str) -> str:
    """An ISO time without what people need not read: `2025-06-07 12:30`."""
    return text[:16].replace("T", " ")
