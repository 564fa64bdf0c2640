"""What commands say when they are refused: an exit code, one line that says what to do."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.harness import KEYS, Gateway
from tests.acceptance.people import COMMAND, Person
from tests.acceptance.processes import free_port

SCHEMA = """\
type: collection
collection_schema:
  type: object
  required: [license]
  properties: {name: {type: string, maxLength: 3}}
"""


@pytest.fixture
def person(gateway: Gateway, tmp_path: Path) -> Person:
    """Somebody who may write."""
    return Person(gateway, tmp_path / "home")


def one_line(person: Person, *words: str | Path, code: int) -> str:
    """The one line that a refused command says; nothing is on standard output."""
    ended = person.types(*words, code=code)
    assert ended.out == ""
    (line,) = ended.errors.splitlines()
    return line


def test_what_is_configured_wrongly(gateway: Gateway, tmp_path: Path) -> None:
    nobody = Person(gateway, tmp_path / "home", key=None)
    assert "which gateway? --url URL" in one_line(nobody, "ls", code=2)
    assert "which workspace? --workspace" in one_line(nobody, "ls", "--url", gateway.url, code=2)
    unknown = one_line(nobody, "ls", "--profile", "work", code=2)
    assert "has no profile 'work'" in unknown
    assert "artifact configure --profile work" in unknown
    wrong = one_line(nobody, "ls", "--url", "x", "--workspace", "abc", code=2)
    assert "no gateway's address" in wrong
    assert "S3's way to write it" in one_line(nobody, "ls", "s3://a/b", code=2)


def test_a_gateway_that_is_not_there_is_told_at_once(person: Person) -> None:
    line = one_line(person, "ls", "--url", f"http://127.0.0.1:{free_port()}", code=4)
    assert line.startswith("NotReached: nobody answers at http://127.0.0.1:")
    assert line.endswith("Connection refused; does it run, and is the address right? --url URL")


def test_a_key_that_is_not_right(person: Person, prefix: str) -> None:
    secret = "a-secret-that-is-another-one"
    person.added = {"ARTIFACT_GATEWAY_SECRET_ACCESS_KEY": secret}
    line = one_line(person, "ls", code=1)
    assert line.startswith("SignatureDoesNotMatch: ")
    assert "artifact-gateway artifact configure" in line
    assert secret not in line
    person.added = {"ARTIFACT_GATEWAY_ACCESS_KEY_ID": "NOBODYS"}
    assert one_line(person, "show", prefix, code=1).startswith("InvalidAccessKeyId: ")
    person.added = {"ARTIFACT_GATEWAY_TOKEN": "no-token-of-anybody"}
    assert one_line(person, "ls", code=1)


def test_what_is_not_there_and_what_is_already(person: Person, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n")
    assert "see what there is with `ls`" in one_line(person, "show", prefix, code=3)
    assert f"make it with `create {prefix}" in one_line(person, "put", prefix, file, code=3)
    assert one_line(person, "put", prefix, tmp_path / "none", code=2).endswith(
        "none: No such file or directory"
    )
    assert "say --type" in one_line(person, "create", prefix, code=2).lower()
    person.types("create", prefix, "--type", "dataset", "--commit")
    assert one_line(person, "create", prefix, "--type", "x", code=1).startswith("ArtifactExists: ")
    assert "open an edit first" in one_line(person, "commit", prefix, code=1)
    assert one_line(person, "get", prefix, "none.csv", code=3).startswith("NoSuchKey: ")
    assert one_line(person, "show", prefix, "--version", "7", code=3).startswith("NoSuchVersion: ")
    weight = one_line(person, "put", prefix, file, "--weight", "*.bin=1", code=2)
    assert "nothing that is put is called '*.bin'" in weight
    broken = tmp_path / "broken.yaml"
    broken.write_text("type: dataset\nname: [\n")
    told = one_line(person, "edit", prefix, "--manifest", broken, code=2)
    assert told.startswith(f"{broken}:3:1: ")


def test_violations_of_a_schema_are_a_line_each_with_their_place(
    person: Person, prefix: str
) -> None:
    schema = person.home / "schema.yaml"
    person.home.mkdir()
    schema.write_text(SCHEMA)
    person.types("create", prefix, "--manifest", schema, "--commit")
    person.types("create", f"{prefix}/one", "--type", "dataset", "--name", "Too long")
    told = person.types("commit", f"{prefix}/one", code=1).errors.splitlines()
    assert told[0].startswith("SchemaViolation: ")
    assert {line.split(":")[0] for line in told[1:]} == {"  /", "  /name"}
    assert any("license" in line for line in told[1:])


def test_a_reader_who_has_read_enough_ends_it_quietly(person: Person) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            [*COMMAND, "ls", "--json"],
            env=person.environment(),
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_terminal_without_unicode_is_no_failure(person: Person, prefix: str) -> None:
    person.types("create", prefix, "--type", "dataset", "--name", "Grün")
    for option, shown in (("--stage", b"Gr\\xfcn"), ("--json", b"Gr\\u00fcn")):
        ended = subprocess.run(
            [*COMMAND, "show", prefix, "--stage", option],
            env=person.environment() | {"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert shown in ended.stdout


def test_a_profile_is_kept_and_used_and_told_of_when_others_can_read_it(
    gateway: Gateway, tmp_path: Path
) -> None:
    person, key = Person(gateway, tmp_path / "home", key=None), KEYS["write"]
    file = person.home / ".config" / "artifact-gateway" / "config"
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n[default]\nurl = http://127.0.0.1:1\nworkspace = nowhere-at-all\n")
    command = [*COMMAND, "configure", "--profile", "work", "--url", gateway.url, "--workspace"]
    command += [gateway.workspace, "--access-key-id", key.access_key_id, "--secret-stdin"]
    for secret, code in (("wrong-secret-of-the-key", 1), (key.secret_access_key, 0)):
        ended = subprocess.run(
            command,
            env=person.environment(),
            input=f"{secret}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        assert secret not in ended.stdout + ended.stderr
        assert ("profile work" in file.read_text()) == (code == 0)
    assert file.read_text().startswith("# mine\n[default]\nurl = http://127.0.0.1:1\n")
    assert file.stat().st_mode & 0o077 == 0
    assert person.types("ls", "--profile", "work").errors == ""
    person.added = {"ARTIFACT_GATEWAY_PROFILE": "work"}
    file.chmod(0o644)
    assert person.types("ls").errors == f"warning: {file} can be read by others: chmod 600 {file}\n"


def test_rm_asks_on_a_terminal(person: Person, prefix: str) -> None:
    person.types("create", prefix, "--type", "dataset", "--commit")
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        ended, said = on_a_terminal(person, answer, "rm", prefix)
        assert ended == code
        assert f"Delete {prefix}, with all its versions?" in said
        person.types("versions", prefix, code=3 if code == 0 else 0)


MENDING = """\
#!/bin/sh
grep -q '^name' "$1" && sed -i 's/\\[//' "$1" || echo 'name: [x' >>"$1"
"""


def test_edit_offers_on_a_terminal_to_go_on(person: Person, prefix: str) -> None:
    person.types("create", prefix, "--type", "dataset", "--commit")
    script = person.home / "editor.sh"
    # The first time it types what is no YAML, the second time it mends it.
    script.write_text(MENDING)
    script.chmod(0o700)
    person.added = {"VISUAL": str(script)}
    ended, said = on_a_terminal(person, b"y\n", "edit", prefix)
    assert ended == 0, said
    assert "Edit again?" in said
    assert person.types("show", prefix, "--stage", "--json").json()["name"] == "x"


def test_a_terminal_sees_bars(person: Person, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "large.bin").write_bytes(os.urandom(12 << 20))
    person.types("create", prefix, "--type", "dataset")
    ended, said = on_a_terminal(person, b"", "put", prefix, str(tmp_path / "sent"))
    assert ended == 0, said
    assert "put 1/1" in said
    assert "━" in said
    assert "12.0/12.0 MiB" in said


def on_a_terminal(person: Person, typed: bytes, *words: str) -> tuple[int, str]:
    """Exit code and all that was said, by a command whose streams are a terminal's."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        env=person.environment() | {"TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, typed)
    said = b""
    try:
        while piece := os.read(ours, 65_536):
            said += piece
    except OSError:
        pass  # what the other end says when it has closed
    finally:
        os.close(ours)
    return process.wait(60), said.decode()
