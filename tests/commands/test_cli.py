"""The commands that need no gateway, and what every command says when it is refused."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from gateway.__main__ import application

CONFIG: Mapping[str, object] = {
    "secret": "0123456789abcdef0123456789abcdef",
    "workspaces": {"my-workspace": {"bucket": "my-bucket"}},
    "keys": [
        {
            "access_key_id": "writer",
            "secret_access_key": "writers-secret",
            "grants": {"my-workspace": "write"},
        }
    ],
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({**CONFIG, "data_dir": str(tmp_path / "data")}))
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(application, [str(argument) for argument in arguments])


def created(config: Path, *grants: str) -> dict[str, str]:
    options = [part for grant in grants for part in ("--grant", grant)]
    result = run("keys", "create", "Bob", *options, "--config", config)
    assert result.exit_code == 0, result.stderr
    made: dict[str, str] = yaml.safe_load(result.stdout)
    return made


def test_what_serves_is_read_without_looking_for_garbage() -> None:
    looks = "sum(each['collections'] for each in gc.get_stats())"
    code = f"""
import gc
from gateway.__main__ import Imported
before = {looks}
Imported()["serve"]
print({looks} - before, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["0", "True", "True"]


def test_keys_are_created_listed_and_revoked(config: Path) -> None:
    made = created(config, "my-workspace=read")
    listed = run("keys", "list", "--config", config).stdout
    assert made["access_key_id"] in listed
    assert "my-workspace=read" in listed
    assert "writer" in listed
    assert made["secret_access_key"] not in listed
    assert "writers-secret" not in listed

    assert run("keys", "revoke", made["access_key_id"], "--config", config).exit_code == 0
    assert made["access_key_id"] not in run("keys", "list", "--config", config).stdout


@pytest.mark.parametrize("grants", [[], ["my-workspace=read"]])
def test_a_token_is_printed_for_a_key(config: Path, grants: list[str]) -> None:
    options = [part for grant in grants for part in ("--grant", grant)]
    result = run("token", "writer", *options, "--config", config)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.strip().split(".")) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["token", "nobody"], 2, "no access key has the id nobody"),
        (["token", "writer", "--expires-in", "604801"], 1, "expires_in"),
        (["keys", "create", "Bob", "--grant", "my-workspace"], 2, "WORKSPACE=RIGHT"),
        (["keys", "create", "Bob", "--grant", "my-workspace=own"], 1, "'own' is no right"),
        (["keys", "revoke", "writer"], 1, "a key of the configuration"),
        (["keys", "revoke", "nobody"], 1, "nobody"),
    ],
)
def test_what_is_refused_is_said_in_one_line(
    config: Path, arguments: list[str], code: int, line: str
) -> None:
    result = run(*arguments, "--config", config)
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_misconfigured_is_said_line_by_line(config: Path) -> None:
    config.write_text("secret: short\nlisten: {prot: 80}\n")
    result = run("serve", "--config", config)
    assert result.exit_code == 2
    keys = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert sorted(keys) == ["listen.prot", "secret"]


def test_without_a_configuration_only_loopback_needs_no_public_url(tmp_path: Path) -> None:
    result = run("serve", "--host", "0.0.0.0", "--data-dir", tmp_path)  # noqa: S104 - the point
    assert result.exit_code == 2
    assert result.stderr.startswith("public_url: is missing")


def test_what_serves_does_without_what_few_starts_need() -> None:
    program = "import sys, gateway.commands.serving; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(found.stdout.split())
    assert "sqlalchemy" in loaded
    # Credentials of AWS's chain, migrations, schemas, which child processes judge by; tokens,
    # and metrics.
    few = {"aiobotocore", "botocore", "alembic", "mako", "jsonschema", "jwt", "prometheus_client"}
    # PostgreSQL, and certificates.
    few |= {"sqlalchemy.ext.asyncio", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}
    few |= {"cryptography.x509", "gateway.assembly.maintenance"}
    assert not loaded & few
