"""Which gateway a command for people means: every source, and which goes before which."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.commands.artifact.exits import Misuse
from gateway.commands.artifact.places import Place
from gateway.commands.artifact.profiles import Profile, Settings, config_file, keep, settings

FILE = """\
[default]
url = http://default:1
workspace = of-default
access_key_id = default-id
secret_access_key = %(default)s-secret

[profile work]
url = http://work:1
token = work-token
"""
NOTHING = Profile()
OWN = {
    "ARTIFACT_GATEWAY_URL": "http://environment:1",
    "ARTIFACT_GATEWAY_WORKSPACE": "of-environment",
    "ARTIFACT_GATEWAY_TOKEN": "environment-token",
}
AWS = {
    "AWS_ENDPOINT_URL": "http://aws:1",
    "AWS_ACCESS_KEY_ID": "aws-id",
    "AWS_SECRET_ACCESS_KEY": "aws-secret",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(environ: Mapping[str, str], *, file: str | None = None, **flags: str) -> Settings:
    """What holds, with a configuration file of this text."""
    path = Path("config").absolute()
    if file is not None:
        path.write_text(file)
        path.chmod(0o600)
    profile = flags.pop("profile", None)
    environ = {"ARTIFACT_GATEWAY_CONFIG": str(path), **environ}
    return settings(Profile(**flags), profile, environ)


def left_by_make_run() -> None:
    """What `make run` keeps below the working directory."""
    Path("artifact-gateway-data").mkdir()
    kept = {"access_key_id": "local-id", "secret_access_key": "local-secret", "secret": "s" * 64}
    Path("artifact-gateway-data/credentials.json").write_text(json.dumps(kept))


def test_flags_go_first_then_the_environment_then_the_profile() -> None:
    found = told(OWN | AWS, file=FILE, url="http://flag:1")
    assert (found.url, found.workspace) == ("http://flag:1", "of-environment")
    assert (found.token, found.access_key_id) == ("environment-token", None)
    found = told(AWS, file=FILE)
    assert (found.url, found.workspace) == ("http://default:1", "of-default")
    assert (found.access_key_id, found.secret_access_key) == ("default-id", "%(default)s-secret")
    found = told(AWS, file=FILE, profile="work", workspace="given")
    assert (found.url, found.workspace, found.token) == ("http://work:1", "given", "work-token")
    assert found.secret_access_key is None


def test_a_profile_is_named_by_the_environment_too_and_unknown_ones_are_refused() -> None:
    named = {"ARTIFACT_GATEWAY_PROFILE": "work", "ARTIFACT_GATEWAY_WORKSPACE": "given"}
    assert told(named, file=FILE).token == "work-token"
    with pytest.raises(Misuse, match=r"no profile 'other', only default, work: .*--profile other"):
        told({}, file=FILE, profile="other")


def test_aws_variables_are_a_fallback_and_a_key_is_taken_whole() -> None:
    found = told(AWS, workspace="given")
    assert (found.url, found.access_key_id, found.secret_access_key) == (
        "http://aws:1",
        "aws-id",
        "aws-secret",
    )
    with pytest.raises(Misuse, match="one of them is missing"):
        told({**AWS, "ARTIFACT_GATEWAY_ACCESS_KEY_ID": "own-id"}, workspace="given")


def test_what_make_run_left_is_the_last_and_for_this_machine_alone() -> None:
    left_by_make_run()
    found = told({})
    assert (found.url, found.workspace) == ("http://127.0.0.1:9000", "my-workspace")
    assert (found.access_key_id, found.secret_access_key) == ("local-id", "local-secret")
    assert told({}, url="http://localhost:9001").access_key_id == "local-id"
    elsewhere = told({}, url="http://example.org", workspace="given")
    assert elsewhere.access_key_id is None
    with pytest.raises(Misuse, match="which workspace"):
        told({}, url="http://example.org")


def test_a_file_that_others_can_read_is_warned_of_where_it_holds_a_secret() -> None:
    told({}, file=FILE)
    Path("config").chmod(0o640)
    environ = {"ARTIFACT_GATEWAY_CONFIG": str(Path("config").absolute())}
    (warning,) = settings(NOTHING, None, environ).warnings
    assert "chmod 600" in warning
    Path("config").write_text("[default]\nurl = http://default:1\nworkspace = of-default\n")
    assert settings(NOTHING, None, environ).warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("token = top-secret\n", "config, line 1: is no INI file"),
        ("[default]\nsecret-without-a-name\n", "is no INI file"),
        ("[default]\nurI = x\n", r"\[default\]: uri is no key: use url"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_without_what_it_holds(
    text: str, words: str
) -> None:
    with pytest.raises(Misuse, match=words) as refused:
        told({}, file=text)
    assert "secret" not in str(refused.value).replace("secret_access_key", "")


def test_keeping_a_profile_leaves_the_others_as_they_are() -> None:
    path = Path("below/config")
    keep(path, "work", Profile("http://new:1", "w-w-w", None, "id", "secret"))
    path.write_text("# a comment\n" + FILE)
    keep(path, "work", Profile("http://new:1", "w-w-w", "new-token"))
    keep(path, "third", Profile("http://third:1", "w-w-w"))
    text = path.read_text()
    assert text.startswith("# a comment\n" + FILE.partition("\n[profile work]")[0])
    assert "work-token" not in text
    assert "[profile work]\nurl = http://new:1\nworkspace = w-w-w\ntoken = new-token\n" in text
    assert text.endswith("[profile third]\nurl = http://third:1\nworkspace = w-w-w\n")
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(Misuse, match="no profile's name"):
        keep(path, "a]\n[b", NOTHING)


def test_where_profiles_are_kept() -> None:
    assert config_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/artifact-gateway/config")
    assert config_file({}) == Path.home() / ".config" / "artifact-gateway" / "config"


@pytest.mark.parametrize(
    ("text", "prefix", "workspace"),
    [
        ("public/a", "public/a", None),
        ("/public/a/", "public/a", None),
        ("my-workspace:public/a", "public/a", "my-workspace"),
        ("my-workspace:", "", "my-workspace"),
        (":a:b", "a:b", None),
        ("my-workspace:a:b", "a:b", "my-workspace"),
    ],
)
def test_how_an_artifact_is_called(text: str, prefix: str, workspace: str | None) -> None:
    assert Place.parse(text) == Place(prefix, workspace)


@pytest.mark.parametrize("text", ["s3://bucket/key", "a/b:c", "UPPER:a"])
def test_what_is_no_artifacts_name(text: str) -> None:
    with pytest.raises(Misuse, match="WORKSPACE:PREFIX"):
        Place.parse(text)


def test_commands_for_people_import_nothing_that_serves() -> None:
    program = (
        "import sys; import gateway.__main__ as program; sys.argv[1:] = ['artifact', '--help']\n"
        "try: program.main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(ended.stderr.split())
    assert "gateway.commands.artifact.application" in loaded
    heavy = {"aiohttp", "botocore", "sqlalchemy", "alembic", "jsonschema"}
    floors = {"gateway.web", "gateway.services", "gateway.storage", "gateway.startup"}
    assert loaded & (heavy | floors) == set()
