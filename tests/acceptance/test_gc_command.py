"""`artifact-gateway gc`: what it says, in words and in JSON, and what it refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import application
from gateway.commands import collecting
from tests.acceptance.collecting import LATER, bucket_of, held
from tests.acceptance.harness import WORKSPACE, Gateway, Outcome
from tests.acceptance.steps import manifest
from tests.acceptance.views import STAGED, Artifact


def command(gateway: Gateway, *options: str) -> Outcome:
    """The outcome of `gc` as a process of its own, beside the gateway."""
    return gateway.command("gc", *options)


def config(gateway: Gateway) -> Path:
    return gateway.folder / "gateway.yaml"


@pytest.fixture
def artifact(tended: Gateway) -> Artifact:
    """An artifact with one version that nobody needs, and a removed file with a delete marker."""
    artifact = Artifact(tended, tended.new_prefix(public=True))
    for body in (b"nobody's", b"committed"):
        artifact.put("a.csv", body)
    artifact.put("b.csv", b"staged")
    artifact.delete("b.csv")
    artifact.put(STAGED, manifest())
    artifact.rename()
    return artifact


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "now", lambda: datetime.now(UTC) + LATER)


def run(gateway: Gateway, *options: str) -> Result:
    arguments = ["gc", "--config", str(config(gateway)), "--workspace", WORKSPACE, *options]
    return CliRunner().invoke(application, arguments)


@pytest.mark.usefixtures("later")
def test_it_says_what_would_go_and_removes_it_when_told_to(artifact: Artifact) -> None:
    before = held(artifact.gateway, artifact.prefix)
    sum_up = f"{WORKSPACE}/{artifact.prefix}: 2 versions, 1 delete markers, 14 bytes"

    told = run(artifact.gateway)
    assert told.exit_code == 0, told.stderr
    assert sum_up in told.stdout.splitlines(), told.stderr
    assert told.stdout.endswith("nothing was removed, --delete does it\n")
    assert held(artifact.gateway, artifact.prefix) == before

    done = run(artifact.gateway, "--delete", "--verbose")
    assert sum_up in done.stdout.splitlines()
    gone = before.keys() - held(artifact.gateway, artifact.prefix).keys()
    assert len(gone) == 3
    for key, version in gone:
        size = before[key, version]
        what = "delete marker" if size is None else f"{size} bytes"
        assert f"  {WORKSPACE}/{key} {version} {what}" in done.stdout.splitlines()
    assert run(artifact.gateway, "--delete").stdout == (
        "removed: 0 versions, 0 delete markers, 0 bytes\n"
    )


@pytest.mark.usefixtures("later")
def test_json_is_an_object_a_line_and_the_sum_last(artifact: Artifact) -> None:
    told = run(artifact.gateway, "--json", "-v")
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    mine = [line for line in lines if line.get("artifact") == artifact.prefix]
    assert mine[-1] == {
        "workspace": WORKSPACE,
        "artifact": artifact.prefix,
        "versions": 2,
        "delete_markers": 1,
        "bytes": 14,
    }
    assert {line["key"] for line in mine[:-1]} == {artifact.key("a.csv"), artifact.key("b.csv")}
    assert sum(line["bytes"] for line in mine[:-1]) == 14
    assert lines[-1]["dry_run"] is True
    assert lines[-1]["bytes"] == sum(line["bytes"] for line in lines[:-1] if "versions" in line)


def test_as_a_process_it_removes_nothing_of_the_last_24_hours(artifact: Artifact) -> None:
    before = held(artifact.gateway, artifact.prefix)
    done = command(artifact.gateway, "--delete", "--older-than", "24h")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "removed: 0 versions, 0 delete markers, 0 bytes\n"
    assert held(artifact.gateway, artifact.prefix) == before


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--older-than", "23h"], 1, "gc removes nothing that was superseded within the last 24"),
        (["--older-than", "soon"], 2, "'soon' is no age: write 36h, 30d or 8w"),
        (["--workspace", "nobodys"], 2, "--workspace: there is no 'nobodys'"),
    ],
)
def test_what_is_refused_is_said_in_one_line(
    tended: Gateway, options: list[str], code: int, line: str
) -> None:
    result = CliRunner().invoke(application, ["gc", "--config", str(config(tended)), *options])
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("later")
def test_a_refused_workspace_keeps_no_other_from_being_done(
    tended: Gateway, artifact: Artifact
) -> None:
    area, store = tended.configuration()["system"]["bucket"], tended.backend.client()
    key = f"records/{workspace_id(tended)}/{'0' * 64}/0000000001"
    store.put_object(Bucket=area, Key=key, Body=b"no record")
    try:
        arguments = ["gc", "--config", str(config(tended)), "--delete"]
        result = CliRunner().invoke(application, arguments)
    finally:
        store.delete_object(Bucket=area, Key=key)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{WORKSPACE}: A record is not JSON, {key} in")
    assert "removed: " in result.stdout
    assert len(held(tended, artifact.key("a.csv"))) == 2


def workspace_id(gateway: Gateway) -> str:
    area = gateway.configuration()["system"]["bucket"]
    store = gateway.backend.client()
    for each in store.list_objects_v2(Bucket=area, Prefix="workspaces/")["Contents"]:
        record = json.loads(store.get_object(Bucket=area, Key=each["Key"])["Body"].read())
        if record["bucket"] == bucket_of(gateway):
            return str(record["id"])
    raise AssertionError("the workspace has no record")
