"""Access keys and tokens, administered on the database: the gateway may run meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateway.assembly.administration import administration
from gateway.commands.terminal import ConfigFile, DataDir, configured, run
from gateway.identity import EVERY_WORKSPACE, Caller, Grants, Right
from gateway.services.keys.access import Access

T = TypeVar("T")

# Whoever reads the configuration has every secret in it.
OPERATOR = Caller(None, "operator", Grants({EVERY_WORKSPACE: Right.ADMIN}))

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke access keys.")

GrantList = Annotated[
    list[str] | None,
    typer.Option("--grant", metavar="WORKSPACE=RIGHT", help="May be repeated."),
]


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


def _administer(
    work: Callable[[Access], Awaitable[T]], config: Path | None, data_dir: Path | None
) -> T:
    """What `work` gives, done on the database of a gateway."""

    async def administer() -> T:
        async with administration(configured(config, data_dir)) as access:
            return await work(access)

    return run(administer)


def _grants(given: Sequence[str] | None) -> dict[str, str]:
    grants: dict[str, str] = {}
    for text in given or ():
        workspace, equals, right = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is no grant: write WORKSPACE=RIGHT")
        grants[workspace] = right
    return grants
