"""Commands that move files, and take them away: put, get, rm."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from gateway.client import Client, NoSuchArtifact, NoSuchKey
from gateway.client.places import sources
from gateway.commands.artifact.authoring import Where
from gateway.commands.artifact.exits import Misuse, Refused
from gateway.commands.artifact.places import Place
from gateway.commands.artifact.printing import size_of
from gateway.commands.artifact.progressing import progress
from gateway.commands.artifact.speaking import Speaking, speaking

Jobs = Annotated[int, typer.Option(min=1, max=64, help="How many transfers go at once.")]


@speaking
def put(
    speech: Speaking,
    where: Where,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A file, or a folder of files.")],
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="Where it goes in the artifact; a folder ends with /."),
    ] = "",
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="[PATTERN=]WEIGHT", help="What a download counts. May be repeated."),
    ] = None,
    jobs: Jobs = 8,
    part_size: Annotated[
        int, typer.Option(min=5, max=5120, metavar="MIB", help="Larger files go in such parts.")
    ] = 64,
) -> None:
    """Stage a file, or all files of a folder; what is there already is not sent again."""
    client, prefix = speech.at(where)
    weights = _weights(weight or (), list(sources(source, path)))
    _open_edit(speech, client, prefix)
    with progress("put") as report:
        paths = client.upload(
            prefix,
            source,
            path,
            weights=weights or None,
            jobs=jobs,
            progress=report,
            part_bytes=part_size << 20,
        )
    told = f"{prefix}: {len(paths)} files are staged; commit shows them to readers"
    speech.printing.result({"prefix": prefix, "files": paths}, told)


@speaking
def get(
    speech: Speaking,
    where: Where,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A file or folder in it; all of it without.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; a folder of its name without.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="A version; else the last commit.")] = None,
    jobs: Jobs = 8,
    *,
    stage: Annotated[bool, typer.Option("--stage", help="What is staged.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Count no downloads.")] = False,
) -> None:
    """Fetch an artifact, or a file or folder of it; what is there already is not fetched again."""
    if stage and version is not None:
        raise Misuse("--stage, or --version? The stage is no version yet")
    client, prefix = speech.at(where)
    path = path.strip("/")
    target = to or Path(Place.parse(where).name if not path else ".")
    if to is None and path and _is_folder(client, prefix, path, stage=stage, version=version):
        target = Path(path.rpartition("/")[2])
    with progress("get") as report:
        places = client.download(
            prefix,
            target,
            path,
            version=version,
            stage=stage,
            jobs=jobs,
            progress=report,
            silent=silent,
        )
    size = size_of(sum(place.stat().st_size for place in places))
    document = {"prefix": prefix, "files": [str(place) for place in places]}
    speech.printing.result(document, f"{prefix}: {len(places)} files, {size}, are in {target}")


@speaking
def rm(
    speech: Speaking,
    where: Where,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A file or folder; the artifact without.")
    ] = "",
    *,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="A folder's files, a collection's members.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Stage the removal of a file; or delete an artifact, at once and with all its versions."""
    client, prefix = speech.at(where)
    if path:
        _open_edit(speech, client, prefix)
        removed = list(_below(client, prefix, path.strip("/"))) if recursive else [path]
        if not removed:
            raise NoSuchKey(f"{prefix!r} has no folder {path!r}")
        for each in removed:
            client.remove_file(prefix, each)
        told = [f"{prefix}: {each} is staged to go" for each in removed]
        speech.printing.result({"prefix": prefix, "removed": removed}, *told)
        return
    if not yes:
        _confirm(prefix)
    client.delete(prefix, recursive=recursive)
    speech.printing.result({"prefix": prefix, "removed": []}, f"{prefix}: deleted")


def _confirm(prefix: str) -> None:
    if not sys.stdin.isatty():
        raise Misuse(f"nobody is there to be asked whether {prefix} may go: say --yes")
    if not typer.confirm(f"Delete {prefix}, with all its versions?", err=True):
        raise Refused("nothing was deleted")


def _open_edit(speech: Speaking, client: Client, prefix: str) -> None:
    """Open an edit, unless one is; NoSuchArtifact."""
    try:
        shown = client.read(prefix, stage=True, silent=True)
    except NoSuchArtifact:
        message = f"there is no artifact {prefix!r}: make it with `create {prefix} --type TYPE`"
        raise NoSuchArtifact(message, status=404) from None
    if "_stage" not in shown:
        client.edit(prefix)
        speech.printing.note(f"{prefix}: an edit is open now")


def _weights(given: Sequence[str], paths: Sequence[str]) -> Mapping[str, float]:
    """The weight of each path that one is given for; of several the last counts. Misuse."""
    found: dict[str, float] = {}
    for text in given:
        pattern, equals, number = text.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            raise Misuse(f"--weight {text}: {number!r} is no number") from None
        meant = [each for each in paths if not equals or fnmatchcase(each, pattern)]
        if not meant:
            raise Misuse(f"--weight {text}: nothing that is put is called {pattern!r}")
        found |= dict.fromkeys(meant, weight)
    return found


def _is_folder(client: Client, prefix: str, path: str, *, stage: bool, version: int | None) -> bool:
    folder, _, name = path.rpartition("/")
    entries = client.list_files(prefix, folder, stage, version)
    return any(each["name"] == name and each["type"] == "directory" for each in entries)


def _below(client: Client, prefix: str, path: str) -> Iterator[str]:
    """The staged files of a folder, and of those below it."""
    for each in client.list_files(prefix, path, stage=True):
        if each["type"] == "directory":
            yield from _below(client, prefix, each["path"])
        else:
            yield each["path"]
