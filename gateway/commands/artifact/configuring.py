"""The command that keeps a profile: which gateway, which workspace, and who asks."""

import os
import sys
from typing import Annotated

import typer

from gateway.client import Client
from gateway.commands.artifact.exits import Misuse
from gateway.commands.artifact.profiles import DEFAULT, Profile, config_file, keep
from gateway.commands.artifact.reaching import reach
from gateway.commands.artifact.speaking import Speaking, speaking


@speaking
def configure(
    speech: Speaking,
    access_key_id: Annotated[str | None, typer.Option(help="An access key; else a token.")] = None,
    *,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read secret or token from standard input.")
    ] = False,
    check: Annotated[bool, typer.Option(help="Ask the gateway whether it holds.")] = True,
) -> None:
    """Keep a gateway's address, a workspace and a key as a profile; asks for what is not said."""
    asking = sys.stdin.isatty() and not secret_stdin
    url = speech.flags.url or (_ask("Address of the gateway") if asking else None)
    workspace = speech.flags.workspace or (_ask("Workspace") if asking else None)
    if not url or not workspace:
        raise Misuse("nobody is there to be asked: say --url, --workspace and --secret-stdin")
    if access_key_id is None and asking:
        access_key_id = _ask("Access key id (none: you have a token)", default="") or None
    what = "Token (none: only what is public)" if access_key_id is None else "Secret"
    secret = ""
    if secret_stdin:
        secret = sys.stdin.readline().strip()
    elif asking:
        secret = str(typer.prompt(what, hide_input=True, default="", show_default=False, err=True))
    if access_key_id is not None and not secret:
        raise Misuse("an access key is its id and its secret: say --secret-stdin")
    token = secret or None if access_key_id is None else None
    key = (access_key_id, secret) if access_key_id is not None else (None, None)
    if check:
        with Client(
            url, workspace, token=token, access_key_id=key[0], secret_access_key=key[1]
        ) as client:
            reach(url)
            client.list("")
    name, path = speech.profile or DEFAULT, config_file(os.environ)
    keep(path, name, Profile(url.rstrip("/"), workspace, token, *key))
    document = {"profile": name, "file": str(path), "url": url, "workspace": workspace}
    speech.printing.result(document, f"{path} has the profile {name} now")


def _ask(what: str, default: str | None = None) -> str:
    return str(typer.prompt(what, default=default, show_default=False, err=True)).strip()
