"""Commands that look at what is there: ls, show, status."""

from collections.abc import Sequence
from typing import Annotated, cast

import typer

from gateway.client import Client, File, Folder, Manifest, Member, NoSuchArtifact
from gateway.commands.artifact.authoring import Where
from gateway.commands.artifact.places import Place
from gateway.commands.artifact.printing import size_of, time_of
from gateway.commands.artifact.speaking import Speaking, speaking

Version = Annotated[int | None, typer.Option(help="A version; else the last commit.")]
Stage = Annotated[bool, typer.Option("--stage", help="What is staged.")]

PAGE = 1000


@speaking
def ls(
    speech: Speaking,
    where: Annotated[
        str, typer.Argument(metavar="PREFIX", help="PREFIX, or WORKSPACE:PREFIX.")
    ] = "",
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder in an artifact.")] = "",
    version: Version = None,
    *,
    long: Annotated[bool, typer.Option("--long", "-l", help="Sizes, times, weights.")] = False,
    stage: Stage = False,
) -> None:
    """List what is in a workspace, a collection, an artifact or a folder."""
    place = Place.parse(where)
    client = speech.client(place)
    names: Sequence[str] = ()
    members: Sequence[Member] = ()
    files: Sequence[File | Folder] = ()
    if place.prefix and (shown := _read(client, place.prefix, stage=stage, version=version)):
        files = client.list_files(place.prefix, path.strip("/"), stage, version)
        if shown["type"] == "collection" and not path:
            members = _members(client, place.prefix)
    else:
        names = client.list(place.prefix, stage)
        if place.prefix and not names:
            raise NoSuchArtifact(f"there is nothing at {place.prefix!r}", status=404)
    document = {
        "prefix": place.prefix,
        "path": path.strip("/"),
        "names": names,
        "members": members,
        "files": files,
    }
    if long and not speech.printing.as_json:
        rows: list[Sequence[str]] = [("", "", "", "", f"{each}/") for each in names]
        rows += [_member_row(each, place.prefix) for each in members]
        rows += [_file_row(each) for each in files]
        speech.printing.table(document, ("size", "modified", "weight", "type", "name"), rows)
        return
    lines = [f"{each}/" for each in names]
    lines += [f"{_relative(each, place.prefix)}/" for each in members]
    lines += [f"{each['name']}/" if each["type"] == "directory" else each["name"] for each in files]
    speech.printing.result(document, *lines)


@speaking
def show(speech: Speaking, where: Where, version: Version = None, *, stage: Stage = False) -> None:
    """Show a manifest, with what the gateway knows of the artifact."""
    client, prefix = speech.at(where)
    speech.printing.manifest(client.read(prefix, stage=stage, version=version, silent=True))


@speaking
def status(speech: Speaking, where: Where) -> None:
    """Show what differs from the last commit: A added, M changed, D removed."""
    client, prefix = speech.at(where)
    shown = client.read(prefix, stage=True, silent=True)
    stage = shown.get("_stage")
    document: dict[str, object] = {"prefix": prefix, "open": stage is not None}
    found = stage or {}
    document |= {name: found.get(name) or [] for name in ("added", "changed", "removed")}
    document |= {"manifest": bool(found.get("manifest"))}
    document |= {name: found.get(name) for name in ("opened_at", "opened_by")}
    letter = "M" if shown.get("_version") else "A"
    lines = [f"{letter} manifest.yaml"] if found.get("manifest") else []
    for sign, name in (("A", "added"), ("M", "changed"), ("D", "removed")):
        lines += [f"{sign} {path}" for path in cast("list[str]", document[name])]
    if stage is None:
        speech.printing.note(f"{prefix}: no edit is open; version {shown.get('_version')}")
    speech.printing.result(document, *lines)


def _read(client: Client, prefix: str, *, stage: bool, version: int | None) -> Manifest | None:
    """The manifest at a prefix; None where no artifact is, but perhaps the way to some."""
    try:
        return client.read(prefix, stage=stage, version=version, silent=True)
    except NoSuchArtifact:
        return None


def _members(client: Client, prefix: str) -> list[Member]:
    found: list[Member] = []
    while True:
        page = client.children(prefix, offset=len(found), limit=PAGE)
        found += page["items"]
        if not page["items"] or len(found) >= page["total"]:
            return found


def _relative(member: Member, prefix: str) -> str:
    return member["_prefix"].removeprefix(f"{prefix}/")


def _member_row(member: Member, prefix: str) -> Sequence[str]:
    return "", "", "", str(member.get("type") or ""), f"{_relative(member, prefix)}/"


def _file_row(entry: File | Folder) -> Sequence[str]:
    if entry["type"] == "directory":
        return "", "", "", "", f"{entry['name']}/"
    return (
        size_of(entry["size"]),
        time_of(entry["last_modified"]),
        f"{entry['download_weight']:g}",
        "",
        entry["name"],
    )
