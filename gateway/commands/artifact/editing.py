"""The command that opens a manifest in an editor; what was typed is never lost."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import typer

from gateway.client import Client, GatewayError
from gateway.commands.artifact import manifests
from gateway.commands.artifact.authoring import ManifestFile, Where, manifest_of
from gateway.commands.artifact.exits import Misuse, Refused
from gateway.commands.artifact.manifests import Fields, Unreadable
from gateway.commands.artifact.speaking import Speaking, speaking

EDITORS = ("editor", "vi", "nano")
HEAD = "# The manifest of {}. Leave it as it is, and nothing happens.\n"


@speaking
def edit(speech: Speaking, where: Where, manifest: ManifestFile = None) -> None:
    """Edit the manifest in $VISUAL or $EDITOR, and stage it; or stage the one in a file."""
    client, prefix = speech.at(where)
    if manifest is not None:
        staged = client.edit(prefix, manifest_of(manifest))
    else:
        shown = client.read(prefix, stage=True, silent=True)
        before = manifests.authored(shown)
        editor = editor_of(os.environ)
        with _typing(prefix) as draft:
            fields = _edited(speech, client, prefix, before, editor, draft)
            if fields is None:
                speech.printing.result(shown, f"{prefix}: nothing was changed")
                return
            staged = client.edit(prefix, fields)
    speech.printing.result(staged, f"{prefix}: the manifest is staged; commit shows it to readers")


def editor_of(environ: Mapping[str, str]) -> list[str]:
    """The editor's command line; Misuse where there is none."""
    named = environ.get("VISUAL") or environ.get("EDITOR")
    if named:
        return shlex.split(named)
    for each in EDITORS:
        if shutil.which(each):
            return [each]
    raise Misuse("no editor: set EDITOR, or use --manifest FILE")


class _Kept(Exception):
    """It was not sent, and what was typed is to be kept: the message says why."""


@contextmanager
def _typing(prefix: str) -> Iterator[Path]:
    """A file of this user's alone to type in; it is kept unless all goes well, and told of."""
    folder = Path(mkdtemp(prefix="artifact-gateway-"))
    draft = folder / f"{prefix.rpartition('/')[2]}.yaml"
    try:
        yield draft
    except (_Kept, GatewayError, OSError) as error:
        raise Refused(f"{error}; what was typed is in {draft}: edit --manifest sends it") from None
    except KeyboardInterrupt:
        typer.echo(f"what was typed is in {draft}", err=True)
        raise
    shutil.rmtree(folder)


def _edited(
    speech: Speaking, client: Client, prefix: str, before: Fields, editor: list[str], draft: Path
) -> Fields | None:
    """The manifest as it was typed, None where nothing was; _Kept."""
    original = HEAD.format(prefix) + manifests.write(before)
    draft.write_text(original, encoding="utf-8")
    while True:
        try:
            code = subprocess.run([*editor, str(draft)], check=False).returncode  # noqa: S603 - the user's own
        except OSError as error:
            raise _Kept(f"{editor[0]}: {error.strerror}") from None
        if code:
            raise _Kept(f"{editor[0]} ended with {code}: nothing was sent")
        typed = draft.read_bytes()
        if typed == original.encode():
            return None
        try:
            fields = manifests.read(typed, draft.name)
        except Unreadable as error:
            speech.printing.note(str(error))
            if sys.stdin.isatty() and typer.confirm("Edit again?", default=True, err=True):
                continue
            raise _Kept("it is no manifest yet: nothing was sent") from None
        now = manifests.authored(client.read(prefix, stage=True, silent=True))
        if now != before:
            raise _Kept("somebody else changed the manifest meanwhile: nothing was sent")
        return fields
