"""doctor says what is not as it should be, and what to do; and leaves nothing behind."""

import ctypes
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import yaml

from gateway.storage.workers import WorkersFolder
from tests.acceptance.harness import ROOT, WORKSPACE, Backend, Document, Gateway
from tests.acceptance.patient import Answering, Examined, doctor, examine, serving
from tests.acceptance.processes import clean_environment, free_port

LISTING = b'<?xml version="1.0"?><ListBucketResult><Name>x</Name></ListBucketResult>'
SKEWED = (
    b'<?xml version="1.0"?><Error><Code>RequestTimeTooSkewed</Code>'
    b"<Message>The difference is too large.</Message></Error>"
)
PASSWORD = "pass-word-of-the-database"
CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2


def configuration(backend: Backend, folder: Path, **settings: Document) -> Document:
    """A configuration that nothing is wrong with, but for these settings."""
    document = Gateway(backend, folder, settings).configuration()
    # No test counts on what the others' gateways keep there.
    return {"system": {"bucket": f"doctor-{folder.name[-20:].strip('_-').replace('_', '-')}"}} | {
        name: value for name, value in document.items() if name != "system" or name in settings
    }


def of_backend(document: Document, **settings: str) -> Document:
    """The same with other settings of the backend."""
    return document | {"backend": document["backend"] | settings}


def traces(backend: Backend) -> set[tuple[str, str]]:
    """What doctor could leave at the backend: buckets, and versions of keys in the system area."""
    client, system = backend.client(), "artifact-gateway-system"
    names = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    found = {(name, "") for name in names if "probe" in name or "doctor" in name}
    for prefix in ("doctor/", "probe/") if system in names else ():
        page = client.list_object_versions(Bucket=system, Prefix=prefix)
        for each in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            found.add((system, each["Key"]))
    return found


def test_where_all_is_well_every_line_is_ok_and_nothing_is_left(
    gateway: Gateway, backend: Backend
) -> None:
    before = traces(backend), sorted(gateway.folder.rglob("*.journal"))
    code, out, errors = doctor(gateway.folder, "--config", gateway.folder / "gateway.yaml")
    assert code == 0, out
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith("ok      ")] == []
    assert (
        f"ok      port: a gateway runs at port {gateway.port} of 127.0.0.1, and is ready" in lines
    )
    assert errors.splitlines()[-1] == f"{len(lines)} checks: {len(lines)} ok, 0 warning, 0 failure"
    assert (traces(backend), sorted(gateway.folder.rglob("*.journal"))) == before


def test_before_the_first_start_nothing_is_made(backend: Backend, tmp_path: Path) -> None:
    document = configuration(backend, tmp_path)
    before = traces(backend)
    found = examine(tmp_path, document)
    assert found.told("failure") == []
    assert found.told("warning") == []
    assert "the first start makes it" in found.of("system-area")["found"]
    assert "the first start makes it" in found.of("database")["found"]
    assert traces(backend) == before
    assert [each.name for each in tmp_path.iterdir()] == ["examined.yaml"]


def test_on_the_embedded_defaults_it_starts_what_is_needed(tmp_path: Path) -> None:
    code, out, errors = doctor(tmp_path, "--data-dir", tmp_path / "data", "--json")
    assert code in (0, 1), errors
    verdicts = json.loads(out)
    told = {each["check"]: each for each in verdicts if each["check"] != "port"}
    assert {each["level"] for each in told.values()} == {"ok"}
    assert told["backend"]["found"].endswith(" answers")
    assert all(set(each) == {"check", "level", "found", "remedy"} for each in verdicts)
    secret = json.loads((tmp_path / "data" / "credentials.json").read_text())["secret"]
    assert secret not in out + errors


@pytest.mark.parametrize(
    ("settings", "check", "found", "remedy"),
    [
        (
            {"endpoint_url": "http://127.0.0.1:1"},
            "backend",
            "127.0.0.1:1: ",
            "backend.endpoint_url",
        ),
        (
            {"secret_access_key": "another-secret-of-the-backend"},
            "credentials",
            "403 SignatureDoesNotMatch",
            "mend backend.access_key_id and backend.secret_access_key",
        ),
        ({"access_key_id": "NOBODYS"}, "credentials", "403 InvalidAccessKeyId", "mend backend."),
    ],
)
def test_a_backend_that_is_not_there_or_does_not_let_in(
    backend: Backend, tmp_path: Path, settings: dict[str, str], check: str, found: str, remedy: str
) -> None:
    seen = examine(tmp_path, of_backend(configuration(backend, tmp_path), **settings))
    assert_failed(seen, check, found, remedy)
    assert "nothing else that needs the backend was looked at" in seen.of(check)["remedy"]
    assert not {"features", "system-area"} & {each["check"] for each in seen.verdicts}
    assert "another-secret-of-the-backend" not in seen.said


def assert_failed(seen: Examined, check: str, found: str, remedy: str) -> None:
    verdict = seen.of(check)
    assert seen.code == 1
    assert verdict["level"] == "failure"
    assert found in verdict["found"]
    assert remedy in verdict["remedy"]


@pytest.mark.parametrize(
    ("minutes", "level", "words"),
    [(-120, "failure", "behind: signatures are refused"), (5, "warning", "ahead")],
)
def test_a_clock_that_is_wrong(
    backend: Backend, tmp_path: Path, minutes: int, level: str, words: str
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    answer = Answering(200, {"Date": date, "Content-Type": "application/xml"}, LISTING)
    # Beyond the first answer it is of no use: what comes then is not this test's business.
    with serving(answer, Answering(403, {})) as port:
        document = configuration(backend, tmp_path)
        seen = examine(tmp_path, of_backend(document, endpoint_url=f"http://127.0.0.1:{port}"))
    verdict = seen.of("clock")
    assert verdict["level"] == level
    assert words in verdict["found"]
    assert "NTP" in verdict["remedy"]


def test_a_backend_that_refuses_for_the_clock(backend: Backend, tmp_path: Path) -> None:
    with serving(Answering(403, {}, SKEWED)) as port:
        document = configuration(backend, tmp_path)
        seen = examine(tmp_path, of_backend(document, endpoint_url=f"http://127.0.0.1:{port}"))
    assert_failed(seen, "credentials", "RequestTimeTooSkewed", "NTP")


def test_what_is_no_s3_service(backend: Backend, tmp_path: Path) -> None:
    with serving(Answering(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")) as port:
        document = configuration(backend, tmp_path)
        seen = examine(tmp_path, of_backend(document, endpoint_url=f"http://127.0.0.1:{port}"))
    assert_failed(seen, "backend", "not as an S3 service does", "backend.endpoint_url")


@pytest.fixture
def bucket(backend: Backend) -> Iterator[str]:
    """A bucket of the test's own."""
    name = f"versioned-{os.urandom(6).hex()}"
    backend.client().create_bucket(Bucket=name)
    yield name
    backend.client().delete_bucket(Bucket=name)


def test_buckets_that_keep_no_versions(backend: Backend, tmp_path: Path, bucket: str) -> None:
    workspaces = {
        "suspended": {"bucket": bucket},
        "never": {"bucket": WORKSPACE, "prefix": "a", "versioning": False},
        "absent": {"bucket": "no-such-bucket-anywhere"},
    }
    for status in ("Enabled", "Suspended"):
        backend.client().put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": status}
        )
    document = configuration(backend, tmp_path, workspaces=workspaces)
    document["workspaces"]["never"]["bucket"] = fresh = f"never-{os.urandom(6).hex()}"
    backend.client().create_bucket(Bucket=fresh)
    try:
        seen = examine(tmp_path, document)
    finally:
        backend.client().delete_bucket(Bucket=fresh)
    suspended, never = seen.of("workspace suspended"), seen.of("workspace never")
    assert suspended["level"] == "warning"
    assert "versioning is suspended" in suspended["found"]
    assert f"put-bucket-versioning --bucket {bucket}" in suspended["remedy"]
    assert never["level"] == "warning"
    assert "can't be changed" in never["found"]
    assert "workspaces.never.versioning: true" in never["remedy"]
    assert_failed(seen, "workspace absent", "no bucket no-such", "workspaces.absent.bucket")


def test_what_is_weak_or_names_nothing_in_the_configuration(
    backend: Backend, tmp_path: Path
) -> None:
    keys = [
        {"access_key_id": "short", "secret_access_key": "12345678", "grants": {"*": "admin"}},
        {"access_key_id": "typo", "secret_access_key": "f" * 40, "grants": {"my-workspce": "read"}},
        {"access_key_id": "idle", "secret_access_key": "0123456789abcdef0123456789abcdef"},
    ]
    cors = {"allow_origins": ["http://app.example.org", "https://app.example.org"]}
    document = configuration(backend, tmp_path, keys=keys, cors=cors)
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    secrets = [each["found"] for each in seen.verdicts if each["check"] == "secrets"]
    assert secrets == [
        "the secret of key short has fewer than 16 characters",
        "the secret of key typo has fewer than 8 different characters",
        "the secret of key idle is the same as secret",
    ]
    named = [each["found"] for each in seen.verdicts if each["check"] == "keys"]
    assert named == [
        "key typo names my-workspce, which is no workspace",
        "key idle has no grants: it may do nothing",
    ]
    assert "http://app.example.org is not encrypted" in seen.of("cors")["found"]
    assert all(each["remedy"] for each in seen.verdicts if each["level"] != "ok")
    for secret in (
        "12345678",
        "f" * 40,
        document["secret"],
        document["backend"]["secret_access_key"],
    ):
        assert secret not in seen.said


def test_what_is_misconfigured_is_a_line_each(tmp_path: Path) -> None:
    seen = examine(tmp_path, {"secret": "short", "listen": {"prot": 80}})
    assert seen.code == 1
    assert seen.told("failure") == ["configuration", "configuration"]
    found = " ".join(each["found"] for each in seen.verdicts)
    assert "listen.prot" in found
    assert "secret: must have at least 32 bytes" in found


def test_a_database_that_is_not_there(backend: Backend, tmp_path: Path) -> None:
    url = f"postgresql://gateway:{PASSWORD}@127.0.0.1:{free_port()}/gateway"
    document = configuration(backend, tmp_path, database_url=url)
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    assert_failed(seen, "database", "", "start the database, or mend database_url")
    assert "127.0.0.1" in seen.of("database")["found"]
    assert PASSWORD not in seen.said


@pytest.mark.parametrize(
    ("revision", "level", "found", "remedy"),
    [
        ("9999", "failure", "a later version's", "update artifact-gateway"),
        ("0003", "warning", "the next start brings it to", "restart every gateway"),
    ],
)
def test_a_schema_of_another_version(
    backend: Backend, tmp_path: Path, revision: str, level: str, found: str, remedy: str
) -> None:
    document = configuration(backend, tmp_path)
    file = Path(document["database_url"].removeprefix("sqlite:///"))
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    verdict = seen.of("schema")
    assert (verdict["level"], seen.of("database-writes")["level"]) == (level, "ok")
    assert found in verdict["found"]
    assert remedy in verdict["remedy"]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [
            ("alembic_version",)
        ]


def test_a_file_that_is_no_database(backend: Backend, tmp_path: Path) -> None:
    document = configuration(backend, tmp_path)
    file = Path(document["database_url"].removeprefix("sqlite:///"))
    file.parent.mkdir()
    file.write_bytes(b"no database " * 100)
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    assert_failed(seen, "database", "not a database", "mend database_url")


def powerless() -> None:
    """Nothing; root has to keep to permissions, too, in what is started now."""
    libc = ctypes.CDLL(None)
    libc.prctl(CAPBSET_DROP, DAC_OVERRIDE)
    libc.prctl(CAPBSET_DROP, DAC_READ_SEARCH)


def test_a_folder_and_a_database_that_can_only_be_read(backend: Backend, tmp_path: Path) -> None:
    document = configuration(backend, tmp_path)
    document = of_backend(document, endpoint_url="http://127.0.0.1:1")
    file = Path(document["database_url"].removeprefix("sqlite:///"))
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    path = tmp_path / "examined.yaml"
    path.write_text(yaml.safe_dump(document))
    file.chmod(0o400)
    file.parent.chmod(0o500)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", "doctor", "--config", str(path), "--json"],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
            preexec_fn=powerless,
        )
    finally:
        file.parent.chmod(0o700)
    seen = Examined(ended.returncode, json.loads(ended.stdout), ended.stdout + ended.stderr)
    assert_failed(seen, "data_dir", "Permission denied", "choose another data_dir")
    assert_failed(seen, "database-writes", "readonly database", "make the database writable")


def test_journals_of_workers_that_died(backend: Backend, tmp_path: Path) -> None:
    document = configuration(backend, tmp_path)
    folder = WorkersFolder(Path(document["data_dir"]) / "journal")
    (folder.enter("alive") / "00000000000000000000.journal").write_bytes(b"x" * 7)
    (folder.enter("dead") / "00000000000000000000.journal").write_bytes(b"x" * 42)
    folder.leave("dead")
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    folder.leave("alive")
    verdict = seen.of("journals")
    assert verdict["level"] == "warning"
    assert verdict["found"] == "1 workers died and left 42 bytes of downloads"
    assert "start the gateway on this folder" in verdict["remedy"]


def test_a_port_that_is_another_programs(backend: Backend, tmp_path: Path) -> None:
    with serving(Answering(200, {}, b"{}")) as port:
        document = configuration(backend, tmp_path, listen={"port": port})
        seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    assert_failed(seen, "port", f"port {port} of 127.0.0.1 is another program's", "listen.port")


def test_an_address_that_is_not_this_hosts(backend: Backend, tmp_path: Path) -> None:
    listen = {"host": "192.0.2.1", "port": free_port()}
    document = configuration(backend, tmp_path, listen=listen, public_url="https://example.org")
    seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    assert_failed(seen, "port", "Cannot assign requested address", "listen.host")


def test_a_gateway_that_is_not_ready_behind_a_proxy_that_changes_hosts(
    backend: Backend, tmp_path: Path
) -> None:
    said = json.dumps({"status": "failing", "database": "timeout"}).encode()
    with serving(
        Answering(503, {"x-amz-request-id": "1"}, said),
        Answering(421, {"x-amz-request-id": "2"}, b"{}"),
    ) as port:
        document = configuration(
            backend, tmp_path, listen={"port": port}, public_url=f"http://localhost:{port}"
        )
        seen = examine(tmp_path, of_backend(document, endpoint_url="http://127.0.0.1:1"))
    assert seen.of("port")["level"] == "warning"
    assert "is not ready: database timeout" in seen.of("port")["found"]
    assert_failed(seen, "public_url", "another Host (421)", "listen.trusted_proxies")


def test_an_extra_that_is_not_installed(backend: Backend, tmp_path: Path) -> None:
    url = f"postgresql://gateway:{PASSWORD}@127.0.0.1:{free_port()}/gateway"
    document = configuration(backend, tmp_path, database_url=url)
    path = tmp_path / "examined.yaml"
    path.write_text(yaml.safe_dump(of_backend(document, endpoint_url="http://127.0.0.1:1")))
    program = "import sys; sys.modules['asyncpg'] = None; import gateway.__main__ as g; g.main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "doctor", "--config", str(path), "--json"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    seen = Examined(ended.returncode, json.loads(ended.stdout), ended.stdout + ended.stderr)
    assert_failed(seen, "extras", "needs postgres", "pip install 'artifact-gateway[postgres]'")
    assert_failed(seen, "database", "driver is not installed", "mend database_url")
