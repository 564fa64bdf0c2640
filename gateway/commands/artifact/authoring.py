"""Commands that make an artifact, and versions of it: create, commit, discard, rollback."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.artifact import manifests
from gateway.commands.artifact.exits import Misuse, read_bytes
from gateway.commands.artifact.manifests import Unreadable
from gateway.commands.artifact.speaking import Speaking, speaking

Where = Annotated[
    str, typer.Argument(metavar="PREFIX", help="The artifact: PREFIX, or WORKSPACE:PREFIX.")
]
ManifestFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A manifest, YAML or JSON; - is standard input.")
]


@speaking
def create(
    speech: Speaking,
    where: Where,
    type_: Annotated[str | None, typer.Option("--type", help="Its type, as dataset.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    manifest: ManifestFile = None,
    *,
    commit: Annotated[bool, typer.Option("--commit", help="Commit it at once.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where an artifact is.")
    ] = False,
) -> None:
    """Make an artifact: staged, until `commit` shows it to readers."""
    fields = dict(manifest_of(manifest)) if manifest else {}
    given = {"type": type_, "name": name, "description": description}
    fields |= {each: value for each, value in given.items() if value is not None}
    if "type" not in fields:
        raise Misuse("what is it? Say --type TYPE, or --manifest FILE with a type")
    client, prefix = speech.at(where)
    made = client.create(prefix, fields, stage=not commit, overwrite=overwrite)
    told = "version 1 is there for readers" if commit else "staged: put files, then commit"
    speech.printing.result(made, f"{prefix}: {told}")


@speaking
def commit(
    speech: Speaking,
    where: Where,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="What the history says of it.")
    ] = None,
) -> None:
    """Make the stage what everybody reads: the next version."""
    client, prefix = speech.at(where)
    made = client.commit(prefix, message)
    files = len(made["files"])
    speech.printing.result(made, f"{prefix}: version {made['version']}, {files} files")


@speaking
def discard(speech: Speaking, where: Where) -> None:
    """Take the stage away; the last commit stays."""
    client, prefix = speech.at(where)
    client.discard(prefix)
    speech.printing.result({"prefix": prefix}, f"{prefix}: the stage is gone")


@speaking
def rollback(
    speech: Speaking,
    where: Where,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version to go back to.")],
) -> None:
    """Make a new version that equals an old one."""
    client, prefix = speech.at(where)
    made = client.rollback(prefix, version)
    told = f"version {made['version']} is what version {version} was"
    speech.printing.result(made, f"{prefix}: {told}")


def manifest_of(file: Path) -> manifests.Fields:
    """The manifest in a file; Misuse."""
    try:
        return manifests.read(read_bytes(file), str(file))
    except Unreadable as error:
        raise Misuse(str(error)) from None
