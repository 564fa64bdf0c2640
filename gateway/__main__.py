"""The command line: `artifact-gateway`, or `python -m gateway`."""

import typer

from gateway.commands import checking, collecting, diagnosing, keys, reindexing, serving

application = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
    help="An S3-compatible proxy that makes a registry out of a bucket.",
)
application.command()(serving.serve)
application.command(hidden=True)(serving.worker)
application.command("doctor")(diagnosing.diagnose)
application.command()(checking.fsck)
application.command("gc")(collecting.collect)
application.command()(reindexing.reindex)
application.command()(keys.token)
application.add_typer(keys.keys, name="keys")


def main() -> None:
    """Nothing; the process ends with the command's exit code."""
    application()


if __name__ == "__main__":
    main()
