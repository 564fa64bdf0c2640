"""The configuration: what a file gives, and what is said of a file that is wrong."""

import json
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config import Area, Backend, Limits, Listen, Stats
from gateway.document import ConfigError
from gateway.identity import Right
from gateway.settings import Overrides, load, parse

SECRET = "s" * 32
MINIMAL = f"secret: {SECRET}\n"
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def problems(text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, environ)
    return caught.value.problems


def test_a_secret_alone_gives_the_defaults() -> None:
    config = parse(MINIMAL, {})
    assert config.secret == SECRET.encode()
    assert config.listen == Listen("127.0.0.1", 9000, 1, None, ())
    assert config.backend is None
    assert config.public_url is None
    assert config.system == Area("artifact-gateway-system", "")
    assert config.limits == Limits(1_048_576, 1000, 5, 604_800, 67_108_864)
    assert config.stats == Stats("process", 0, False, False)  # noqa: FBT003 - the defaults
    assert not config.workspaces
    assert not config.keys
    assert not config.allow_origins
    assert config.metrics_token is None
    assert not config.hypha_anonymous.rights


def test_relative_folders_are_made_absolute_and_sqlite_lives_in_the_data_folder() -> None:
    config = parse(MINIMAL, {})
    assert config.data_dir == Path.cwd() / "artifact-gateway-data"
    assert config.journal_dir == config.data_dir / "journal"
    assert config.database_url == f"sqlite:///{config.data_dir}/artifact-gateway.db"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/index.db", "postgresql://u:p@db/index"])
def test_other_database_urls_stay_as_they_are(url: str) -> None:
    assert parse(f"{MINIMAL}database_url: {url}\n", {}).database_url == url


def test_the_example_is_valid_and_says_what_it_means() -> None:
    config = load(
        EXAMPLE,
        {
            "BACKEND_ACCESS_KEY_ID": "backend",
            "BACKEND_SECRET_ACCESS_KEY": "backend-secret",
            "ALICE_SECRET_ACCESS_KEY": "alice-secret",
            "ARTIFACT_GATEWAY_SECRET": SECRET,
        },
    )
    assert config.backend == Backend(
        "https://s3.example.org", "us-east-1", "backend", "backend-secret", "path"
    )
    (workspace,) = config.workspaces
    assert (workspace.name, workspace.area) == ("my-workspace", Area("my-bucket", ""))
    (key,) = config.keys
    assert (key.access_key_id, key.secret_access_key, key.name) == (
        "alice",
        "alice-secret",
        "Alice",
    )
    assert key.grants.on("my-workspace") is Right.WRITE
    assert key.grants.on("another") is Right.NONE


def test_the_example_names_each_variable_that_is_missing() -> None:
    assert problems(EXAMPLE.read_text()) == (
        "backend.access_key_id: the environment has no BACKEND_ACCESS_KEY_ID",
        "backend.secret_access_key: the environment has no BACKEND_SECRET_ACCESS_KEY",
        "keys[0].secret_access_key: the environment has no ALICE_SECRET_ACCESS_KEY",
        "secret: the environment has no ARTIFACT_GATEWAY_SECRET",
    )


def test_variables_are_replaced_inside_texts_and_stand_for_numbers_and_flags() -> None:
    text = """
        secret: ${HALF}${HALF}
        listen: {port: "${PORT}"}
        workspaces: {my-workspace: {bucket: data, versioning: "${VERSIONS}"}}
        keys: [{access_key_id: alice, secret_access_key: "$${NOT}-${HALF}"}]
    """
    config = parse(text, {"HALF": "h" * 16, "PORT": "9100", "VERSIONS": "false"})
    assert config.secret == b"h" * 32
    assert config.listen.port == 9100
    assert config.workspaces[0].versioning is False
    assert config.keys[0].secret_access_key == "${NOT}-" + "h" * 16


def test_what_a_variable_holds_is_never_read_as_yaml_or_as_another_variable() -> None:
    value = "x: [${OTHER}, # " + SECRET
    assert parse("secret: ${A}", {"A": value}).secret == value.encode()


def test_secrets_stay_out_of_every_repr() -> None:
    text = """
        secret: confidential-confidential-confidential
        metrics_token: confidential-token
        database_url: postgresql://gateway:confidential@db/index
        backend: {endpoint_url: "http://s3", access_key_id: id, secret_access_key: confidential}
        keys: [{access_key_id: alice, secret_access_key: confidential}]
    """
    assert "confidential" not in repr(parse(text, {}))


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    text = f"{MINIMAL}listen: {{host: 127.0.0.2, port: 1, workers: 2}}\ndata_dir: elsewhere\n"
    config = parse(text, {}, Overrides(host="127.0.0.3", port=0, data_dir=tmp_path))
    assert config.listen == Listen("127.0.0.3", 0, 2)
    assert config.data_dir == tmp_path
    assert config.database_url == f"sqlite:///{tmp_path}/artifact-gateway.db"


def test_bodies_go_on_unsigned_unless_their_chunks_are_to_be_signed() -> None:
    for said, signing in (("", "unsigned"), (", payload_signing: chunks", "chunks")):
        config = parse(f"{MINIMAL}backend: {{endpoint_url: 'http://s3.example'{said}}}\n", {})
        assert config.backend is not None
        assert config.backend.payload_signing == signing


def test_all_problems_are_said_at_once_each_with_its_key() -> None:
    text = """
        secret: short
        listen: {host: 0.0.0.0, port: high, workers: 0, colour: red, domain: "UP.example"}
        public_ulr: https://example.org
        backend: {endpoint_url: "ftp://x", access_key_id: a, addressing_style: odd,
          payload_signing: none}
        system: {bucket: System}
        database_url: mysql://root:hush@db/x
        workspaces:
          My_Workspace: {bucket: one, prefix: /a//b}
          ws-two: {public: all, versioning: "yes"}
        keys:
          - {access_key_id: alice, secret_access_key: 12345678, grants: {ws-two: own}}
          - {access_key_id: alice, grants: [ws-two]}
          - text
        cors: {allow_origins: ["*", 5]}
        limits: {manifest_bytes: 0, validation_seconds: true}
        stats: {durability: forever}
        metrics_token: "a b"
    """
    said = problems(text)
    assert {line.partition(": ")[0] for line in said} == {
        "secret",
        "listen.port",
        "listen.workers",
        "listen.colour",
        "listen.domain",
        "public_url",
        "public_ulr",
        "backend.endpoint_url",
        "backend.secret_access_key",
        "backend.addressing_style",
        "backend.payload_signing",
        "system.bucket",
        "database_url",
        "workspaces.My_Workspace",
        "workspaces.My_Workspace.prefix",
        "workspaces.ws-two.bucket",
        "workspaces.ws-two.public",
        "workspaces.ws-two.versioning",
        "keys[0].secret_access_key",
        "keys[0].grants.ws-two",
        "keys[1].access_key_id",
        "keys[1].secret_access_key",
        "keys[1].grants",
        "keys[2]",
        "cors.allow_origins[0]",
        "cors.allow_origins[1]",
        "limits.manifest_bytes",
        "limits.validation_seconds",
        "stats.durability",
        "metrics_token",
    }
    assert "public_ulr: is no key here: did you mean public_url?" in said
    assert not any("\n" in line or "hush" in line for line in said)


def test_a_public_url_is_required_unless_the_address_is_loopback() -> None:
    exposed = f"{MINIMAL}listen: {{host: 0.0.0.0}}\n"
    assert problems(exposed) == ("public_url: is missing: listen.host 0.0.0.0 is not loopback",)
    url = parse(f"{exposed}public_url: https://example.org:8443/\n", {}).public_url
    assert url == "https://example.org:8443"
    for host in ("127.0.0.1", "127.8.8.8", '"::1"', "localhost"):
        assert parse(f"{MINIMAL}listen: {{host: {host}}}\n", {}).listen.loopback


def test_addresses_of_trusted_proxies_are_networks() -> None:
    text = f"{MINIMAL}listen: {{trusted_proxies: [10.1.2.3/8, '::1']}}\n"
    assert parse(text, {}).listen.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    bad = f"{MINIMAL}listen: {{trusted_proxies: [balancer]}}\n"
    assert problems(bad)[0].startswith("listen.trusted_proxies[0]: 'balancer'")


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("{bucket: data}", "{bucket: data}", True),
        ("{bucket: data}", "{bucket: data, prefix: a}", True),
        ("{bucket: data, prefix: a/b/}", "{bucket: data, prefix: a}", True),
        ("{bucket: data, prefix: a}", "{bucket: data, prefix: ab}", False),
        ("{bucket: data, prefix: a}", "{bucket: other, prefix: a}", False),
    ],
)
def test_workspaces_that_overlap_are_refused(one: str, other: str, *, overlap: bool) -> None:
    text = f"{MINIMAL}workspaces: {{one: {one}, other: {other}}}\n"
    if overlap:
        (line,) = problems(text)
        assert line.startswith("workspaces.other: overlaps workspaces.one")
    else:
        assert len(parse(text, {}).workspaces) == 2


def test_a_workspace_over_the_system_area_is_refused() -> None:
    text = f"""
        secret: {SECRET}
        system: {{bucket: data, prefix: gateway}}
        workspaces: {{all: {{bucket: data}}, beside: {{bucket: data, prefix: users}}}}
    """
    assert problems(text) == (
        "workspaces.all: overlaps system, which is data/gateway/",
        "workspaces.beside: overlaps workspaces.all, which is data/",
    )


def test_prefixes_end_in_a_slash_however_they_were_written() -> None:
    text = f"{MINIMAL}workspaces: {{one: {{bucket: data, prefix: a/b}}}}\n"
    assert parse(text, {}).workspaces[0].area == Area("data", "a/b/")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("secret: a\nsecret: b\n", "secret: is there twice, the second time in line 2"),
        ("limits: {5: 6}\n", "5: must be a text, in line 1: put it in quotes"),
        ("- secret\n", "the configuration must be a mapping"),
        ("secret: [\n", "line 2, column 1: "),
        ("secret: !!python/name:os.system\n", "line 1, column 9: "),
        ("", "secret: is missing"),
    ],
)
def test_what_is_no_configuration_is_said_in_one_line(text: str, line: str) -> None:
    (said,) = problems(text)
    assert said.startswith(line)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("my-workspace", True),
        ("a.b", True),
        ("123", True),
        ("ab", False),
        ("a" * 64, False),
        ("-ab", False),
        ("ab-", False),
        ("a..b", False),
        ("10.0.0.1", False),
        ("Upper", False),
        ("_ui", False),
        ("xn--bucket", False),
        ("naïve", False),
        ("abc\n", False),
    ],
)
def test_workspaces_have_the_names_that_buckets_have(name: str, *, good: bool) -> None:
    text = f"{MINIMAL}workspaces: {{{json.dumps(name)}: {{bucket: data}}}}\n"
    if good:
        assert parse(text, {}).workspaces[0].name == name
    else:
        (line,) = problems(text)
        assert "is no bucket name" in line


def test_the_rules_of_counting_are_read() -> None:
    text = "stats: {double_click_seconds: 30, exclude_robots: true, count_not_modified: true}"
    stats = parse(f"{MINIMAL}{text}\n", {}).stats
    assert stats == Stats(double_click_seconds=30, exclude_robots=True, count_not_modified=True)
    assert stats.double_click == timedelta(seconds=30)


def test_clients_are_not_remembered_for_longer_than_an_hour() -> None:
    (line,) = problems(f"{MINIMAL}stats: {{double_click_seconds: 3601}}\n")
    assert line.startswith("stats.double_click_seconds: ")


def test_the_public_host_is_no_workspaces() -> None:
    text = f"{MINIMAL}public_url: https://data.example.org\nlisten: {{domain: example.org}}\n"
    (line,) = problems(text)
    assert line.startswith("listen.domain: data.example.org")
    apart = parse(text.replace("domain: ", "domain: s3.data."), {})
    assert apart.listen.domain == "s3.data.example.org"


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        ("https://app.example.org", True),
        ("http://localhost:3000", True),
        ("http://[::1]:3000", True),
        ("https://app.example.org:443", False),  # browsers leave it out
        ("http://app.example.org:80", False),
        ("https://app.example.org/", False),
        ("https://App.example.org", False),
        ("https://*.example.org", False),
        ("app.example.org", False),
        ("null", False),
        ("*", False),
        ("file://", False),
    ],
)
def test_origins_are_as_browsers_send_them(origin: str, *, good: bool) -> None:
    text = f"{MINIMAL}cors: {{allow_origins: [{json.dumps(origin)}]}}\n"
    if good:
        assert parse(text, {}).allow_origins == (origin,)
    else:
        (line,) = problems(text)
        assert line.startswith("cors.allow_origins[0]")


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "absent.yaml", {})
    (line,) = caught.value.problems
    assert line.startswith(str(tmp_path / "absent.yaml"))


def test_callers_without_a_token_get_no_more_than_write_on_a_workspace_that_is_named() -> None:
    config = parse(f"{MINIMAL}hypha: {{anonymous: {{one-ws: write, two-ws: read}}}}\n", {})
    assert config.hypha_anonymous.rights == {"one-ws": Right.WRITE, "two-ws": Right.READ}
    wrong = f"{MINIMAL}hypha: {{anonymous: {{a-ws: admin, '*': write, b-ws: 1}}, other: 1}}\n"
    told = problems(wrong)
    assert len(told) == 4
    assert told[0] == "hypha.anonymous.a-ws: 'admin' is none of read, write"
    assert told[1].startswith("hypha.anonymous.*: '*' is no bucket name")
    assert told[2] == "hypha.anonymous.b-ws: must be a text: put it in quotes"
    assert told[3].startswith("hypha.other: is no key here")
