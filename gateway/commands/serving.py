"""The command that serves, and the hidden one by which its workers do."""

from typing import Annotated

import typer

from gateway import prefork, startup
from gateway.commands.terminal import ConfigFile, DataDir, run
from gateway.settings import Overrides
from gateway.startup import Startup


def serve(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Goes before listen.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Goes before listen.port.")
    ] = None,
    public_url: Annotated[str | None, typer.Option(help="Goes before public_url.")] = None,
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Load the sample gallery.")] = False,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    overrides = Overrides(host, port, public_url, data_dir)

    async def work() -> None:
        assignment = startup.assignment(config, overrides)
        await Startup(assignment, introduce=config is None, with_sample=sample).serve()

    run(work)


def worker(descriptor: int) -> None:
    """Serve the socket DESCRIPTOR, for the process at the other end of standard input."""

    async def work() -> None:
        await prefork.work(descriptor, startup.stop_event())

    run(work)
