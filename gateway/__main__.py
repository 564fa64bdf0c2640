"""The command line: `artifact-gateway`, or `python -m gateway`."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateway import prefork, startup
from gateway.app import administration
from gateway.document import ConfigError
from gateway.errors import GatewayError
from gateway.identity import EVERY_WORKSPACE, Caller, Grants, Right
from gateway.services.keys.access import Access
from gateway.settings import Overrides
from gateway.startup import Startup

try:
    import uvloop
except ImportError:  # not on every platform
    NEW_LOOP: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    NEW_LOOP = uvloop.new_event_loop

T = TypeVar("T")

REFUSED, MISCONFIGURED = 1, 2
# Whoever reads the configuration has every secret in it.
OPERATOR = Caller(None, "operator", Grants({EVERY_WORKSPACE: Right.ADMIN}))

application = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
    help="An S3-compatible proxy that makes a registry out of a bucket.",
)
keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke access keys.")
application.add_typer(keys, name="keys")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; embedded defaults without.")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="This host's own folder, before data_dir.")
]
GrantList = Annotated[
    list[str] | None,
    typer.Option("--grant", metavar="WORKSPACE=RIGHT", help="May be repeated."),
]


@application.command()
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

    async def run() -> None:
        assignment = startup.assignment(config, overrides)
        await Startup(assignment, introduce=config is None, with_sample=sample).serve()

    _run(run)


@application.command(hidden=True)
def worker(descriptor: int) -> None:
    """Serve the socket DESCRIPTOR, for the process at the other end of standard input."""

    async def run() -> None:
        await prefork.work(descriptor, startup.stop_event())

    _run(run)


@application.command()
def token(
    access_key_id: Annotated[str, typer.Argument(help="The key that issues the token.")],
    grant: GrantList = None,
    expires_in: Annotated[int | None, typer.Option(help="Seconds; an hour without.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print a bearer token that holds what its key holds, or only the grants that are given."""

    async def make(access: Access) -> str:
        key = await access.key(access_key_id)
        if key is None:
            raise typer.BadParameter(f"no access key has the id {access_key_id}")
        issuer = Caller(key.access_key_id, key.name, OPERATOR.grants)
        grants = _grants(grant) or key.grants.as_text()
        return await access.generate_token(issuer, grants, expires_in, datetime.now(UTC))

    typer.echo(_administer(make, config, data_dir))


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    grant: GrantList = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make an access key; its secret is shown this once."""

    async def create(access: Access) -> tuple[str, str]:
        key = await access.create_key(OPERATOR, name, _grants(grant), datetime.now(UTC))
        return key.access_key_id, key.secret_access_key

    access_key_id, secret = _administer(create, config, data_dir)
    typer.echo(f"access_key_id: {access_key_id}\nsecret_access_key: {secret}")


@keys.command("list")
def list_keys(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all access keys, without their secrets."""

    async def collect(access: Access) -> Sequence[tuple[str, ...]]:
        return [
            (
                key.access_key_id,
                key.name,
                ", ".join(f"{name}={right}" for name, right in key.grants.as_text().items()),
                "configuration" if key.created_at is None else f"{key.created_at:%Y-%m-%d %H:%M}",
            )
            for key in await access.list_keys(OPERATOR)
        ]

    table = Table("access_key_id", "name", "grants", "created", box=None)
    for row in _administer(collect, config, data_dir):
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


@keys.command("revoke")
def revoke_key(
    access_key_id: Annotated[str, typer.Argument(help="The key to end.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """End an access key of the database, and with it its tokens and presigned URLs, at once."""

    async def revoke(access: Access) -> None:
        await access.revoke_key(OPERATOR, access_key_id)

    _administer(revoke, config, data_dir)


def main() -> None:
    """Nothing; the process ends with the command's exit code."""
    application()


def _administer(
    work: Callable[[Access], Awaitable[T]], config: Path | None, data_dir: Path | None
) -> T:
    """What `work` gives, done on the database of a gateway, which may run meanwhile."""

    async def run() -> T:
        chosen = startup.assignment(config, Overrides(data_dir=data_dir)).config()
        startup.make_data_dir(chosen)
        async with administration(chosen) as access:
            return await work(access)

    return _run(run)


def _run(work: Callable[[], Coroutine[object, object, T]]) -> T:
    """What `work` gives; what is refused ends the process, with one line for each reason."""
    _log_to_stderr()
    try:
        with asyncio.Runner(loop_factory=NEW_LOOP) as runner:
            return runner.run(work())
    except ConfigError as error:
        lines, code = error.problems, MISCONFIGURED
    except GatewayError as error:
        lines, code = (error.message,), REFUSED
    except startup.REFUSALS as error:
        lines, code = tuple(filter(None, [str(error)])), REFUSED
    for line in lines:
        typer.echo(line, err=True)
    raise SystemExit(code)


def _grants(given: Sequence[str] | None) -> dict[str, str]:
    grants: dict[str, str] = {}
    for text in given or ():
        workspace, equals, right = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is no grant: write WORKSPACE=RIGHT")
        grants[workspace] = right
    return grants


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("gateway").setLevel(logging.INFO)
    # A line of the access log is JSON, whole.
    access = logging.getLogger("gateway.access")
    access.propagate = False
    access.handlers = [logging.StreamHandler(sys.stderr)]


if __name__ == "__main__":
    main()
