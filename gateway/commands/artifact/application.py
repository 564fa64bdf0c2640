"""`artifact-gateway artifact`: its commands, in the order of an artifact's life."""

import typer

from gateway.commands.artifact import (
    authoring,
    configuring,
    editing,
    history,
    looking,
    transferring,
)

application = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Publish, look at and fetch artifacts.",
)
for command in (
    configuring.configure,
    authoring.create,
    editing.edit,
    transferring.put,
    looking.status,
    authoring.commit,
    authoring.discard,
    looking.ls,
    looking.show,
    transferring.get,
    transferring.rm,
    history.versions,
    authoring.rollback,
    history.stats,
    history.search,
):
    application.command()(command)
