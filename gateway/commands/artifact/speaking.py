"""What every command for people takes, and gives its work: a client, and how to print."""

import inspect
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import wraps
from typing import Annotated, Concatenate, ParamSpec

import typer

from gateway.client import Client
from gateway.commands.artifact.exits import Misuse, ending
from gateway.commands.artifact.places import Place
from gateway.commands.artifact.printing import Printing
from gateway.commands.artifact.profiles import Profile, settings
from gateway.commands.artifact.reaching import reach

P = ParamSpec("P")

COMMON = (
    ("profile", Annotated[str | None, typer.Option(help="A profile of the configuration.")], None),
    ("url", Annotated[str | None, typer.Option(help="The gateway's address.")], None),
    ("workspace", Annotated[str | None, typer.Option(help="The workspace.")], None),
    ("json", Annotated[bool, typer.Option("--json", help="Print JSON.")], False),
)
"""The options of every command: name, type, default."""


@dataclass(slots=True)
class Speaking:
    """One command's conversation with a gateway."""

    printing: Printing
    flags: Profile
    profile: str | None
    _stack: ExitStack = field(default_factory=ExitStack)

    def client(self, place: Place) -> Client:
        """A client of the workspace that is meant, until the command ends; Misuse."""
        if place.workspace and self.flags.workspace and place.workspace != self.flags.workspace:
            raise Misuse(f"--workspace {self.flags.workspace}, or {place.workspace}:? Say one")
        flags = Profile(self.flags.url, place.workspace or self.flags.workspace)
        chosen = settings(flags, self.profile, os.environ)
        for warning in chosen.warnings:
            self.printing.note(f"warning: {warning}")
        client = Client(
            chosen.url,
            chosen.workspace,
            token=chosen.token,
            access_key_id=chosen.access_key_id,
            secret_access_key=chosen.secret_access_key,
        )
        self._stack.enter_context(client)
        reach(chosen.url)
        return client

    def at(self, where: str) -> tuple[Client, str]:
        """A client, and the prefix of the artifact that is meant; Misuse."""
        place = Place.parse(where)
        if not place.prefix:
            raise Misuse("which artifact? Its prefix is missing")
        return self.client(place), place.prefix

    def close(self) -> None:
        """End the conversation."""
        self._stack.close()


def speaking(work: Callable[Concatenate[Speaking, P], None]) -> Callable[..., None]:
    """A command that takes what `work` takes, and the options in COMMON."""

    @wraps(work)
    def command(**given: object) -> None:
        profile, url, workspace, as_json = (given.pop(name) for name, _, _ in COMMON)
        flags = Profile(*(None if each is None else str(each) for each in (url, workspace)))
        printing = Printing(as_json=bool(as_json), colours=sys.stdout.isatty())
        with ending():
            speech = Speaking(printing, flags, None if profile is None else str(profile))
            try:
                work(speech, **given)  # type: ignore[call-arg, arg-type] # typer calls by name
            finally:
                speech.close()

    own = list(inspect.signature(work).parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, kind, default in COMMON
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    command.__signature__ = inspect.Signature([*parameters, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (*parameters, *added)}
    return command
