"""The whole life of an artifact by commands alone, as people type them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.acceptance.harness import OTHER_WORKSPACE, Gateway
from tests.acceptance.people import COMMAND, Person
from tests.acceptance.steps import downloads_of


@pytest.fixture
def person(gateway: Gateway, tmp_path: Path) -> Person:
    """Somebody who may write."""
    return Person(gateway, tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three files, one of them in a folder below."""
    found = tmp_path / "example"
    (found / "data").mkdir(parents=True)
    (found / "readme.md").write_text("# Example\n")
    (found / "data" / "a.csv").write_text("a\n1\n")
    (found / "data" / "b ä.csv").write_text("b\n2\n")
    return found


def test_a_life_in_words(person: Person, public_prefix: str, folder: Path) -> None:
    prefix, types = public_prefix, person.types
    made = types("create", prefix, "--type", "dataset", "--name", "Example")
    assert made.out == f"{prefix}: staged: put files, then commit\n"

    put = types("put", prefix, folder, "--weight", "0.5", "--weight", "*.md=0")
    assert put.out == f"{prefix}: 3 files are staged; commit shows them to readers\n"
    assert sorted(line.split(maxsplit=2)[2] for line in put.errors.splitlines()) == [
        "data/a.csv",
        "data/b ä.csv",
        "readme.md",
    ]
    status = types("status", prefix).out.splitlines()
    assert status == ["A manifest.yaml", "A data/a.csv", "A data/b ä.csv", "A readme.md"]
    assert types("ls", prefix, code=3).out == ""

    assert types("commit", prefix, "-m", "The first").out == f"{prefix}: version 1, 3 files\n"
    assert types("ls", prefix).out.splitlines() == ["data/", "readme.md"]
    head, *lines = types("ls", "-l", prefix, "data").out.splitlines()
    assert head.split() == ["size", "modified", "weight", "type", "name"]
    assert lines[0].split()[:2] == ["4", "B"]
    assert lines[0].split()[-2:] == ["0.5", "a.csv"]
    shown = yaml.safe_load(types("show", prefix).out)
    assert (shown["name"], shown["_version"], shown["type"]) == ("Example", 1, "dataset")

    (folder / "data" / "a.csv").write_text("a\n3\n")
    again = types("put", prefix, folder / "data" / "a.csv", "data/")
    assert f"{prefix}: an edit is open now" in again.errors
    assert types("rm", prefix, "readme.md").out == f"{prefix}: readme.md is staged to go\n"
    assert types("status", prefix).out.splitlines()[-2:] == ["M data/a.csv", "D readme.md"]
    types("commit", prefix, "--message", "The second")
    assert types("ls", prefix).out == "data/\n"

    history = types("versions", prefix).out.splitlines()[1:]
    assert [line.split()[0] for line in history] == ["2", "1"]
    assert history[0].endswith("The second")
    person.types("get", prefix, "--version", "1")
    old = person.home / prefix.rpartition("/")[2]
    assert (old / "data" / "a.csv").read_text() == "a\n1\n"
    assert (old / "readme.md").is_file()
    person.types("get", prefix, "data/a.csv")
    assert (person.home / "a.csv").read_text() == "a\n3\n"
    person.types("get", prefix, "data", "--silent")
    assert (person.home / "data" / "b ä.csv").read_text() == "b\n2\n"
    # Of version 1 two files that weigh a half each, and one of version 2.
    assert downloads_of(person.gateway, prefix) == 1.5

    told = types("rollback", prefix, "1").out
    assert told == f"{prefix}: version 3 is what version 1 was\n"
    table = types("stats", prefix)
    assert table.out.splitlines()[0].split() == [
        "period",
        "downloads",
        "download_count",
        "bytes",
        "file",
    ]
    assert any(line.endswith("data/a.csv") for line in table.out.splitlines())
    assert "download_count 1.5" in table.errors

    types("rm", prefix, "-r", "data")
    assert types("status", prefix).out.splitlines()[-2:] == ["D data/a.csv", "D data/b ä.csv"]
    assert types("discard", prefix).out == f"{prefix}: the stage is gone\n"
    assert "no edit is open" in types("status", prefix).errors
    refused = types("rm", prefix, code=2)
    assert "--yes" in refused.errors
    assert types("rm", prefix, "--yes").out == f"{prefix}: deleted\n"
    assert "NoSuchArtifact" in types("show", prefix, code=3).errors


def test_a_life_in_json(person: Person, prefix: str, folder: Path) -> None:
    def says(*words: str | Path) -> object:
        return person.types(*words, "--json").json()

    made = says("create", prefix, "--type", "dataset", "--description", "In JSON")
    assert isinstance(made, dict)
    assert made["description"] == "In JSON"
    files = ["data/a.csv", "data/b ä.csv", "readme.md"]
    assert says("put", prefix, folder) == {"prefix": prefix, "files": files}
    status = says("status", prefix)
    assert isinstance(status, dict)
    assert set(status) == {
        *("prefix", "open", "manifest", "added", "changed", "removed", "opened_at", "opened_by")
    }
    assert (status["open"], status["manifest"], status["added"]) == (True, True, files)
    commit = says("commit", prefix)
    assert isinstance(commit, dict)
    assert commit["version"] == 1
    listed = says("ls", prefix)
    assert isinstance(listed, dict)
    assert [each["name"] for each in listed["files"]] == ["data", "readme.md"]
    assert (listed["names"], listed["members"]) == ([], [])
    for words in (("show", prefix), ("versions", prefix), ("stats", prefix)):
        assert says(*words)
    got = says("get", prefix, "--to", person.home / "there")
    assert got == {"prefix": prefix, "files": [str(person.home / "there" / f) for f in files]}
    assert says("edit", prefix, "--manifest", _manifest(person, "type: dataset\nid: x\n"))
    assert says("discard", prefix) == {"prefix": prefix}
    assert says("rm", prefix, "readme.md") == {"prefix": prefix, "removed": ["readme.md"]}
    assert says("commit", prefix)
    assert says("rollback", prefix, "1")
    assert says("rm", prefix, "-y") == {"prefix": prefix, "removed": []}


def _manifest(person: Person, text: str) -> Path:
    file = person.home / "manifest.yaml"
    file.write_text(text)
    return file


def test_a_collection_its_members_and_what_leads_to_them(person: Person, prefix: str) -> None:
    person.types("create", f"{prefix}/all", "--type", "collection", "--commit")
    for name, title in (("one", "Green frogs"), ("two", "Red foxes")):
        member = f"{prefix}/all/{name}"
        person.types("create", member, "--type", "dataset", "--name", title, "--commit")
    assert f"{prefix}/" in person.types("ls").out.splitlines()
    assert person.types("ls", prefix).out == "all/\n"
    assert person.types("ls", f"{prefix}/all").out.splitlines() == ["one/", "two/"]
    rows = person.types("ls", "-l", f"{prefix}/all").out.splitlines()[1:]
    assert [row.split() for row in rows] == [["dataset", "one/"], ["dataset", "two/"]]
    (row,) = person.types("search", f"{prefix}/all", "frog").out.splitlines()[1:]
    assert row.split() == [f"{prefix}/all/one", "dataset", "Green", "frogs"]
    words = ("search", f"{prefix}/all", "frog", "--filter", "name=Red foxes", "--any", "--json")
    assert len(person.types(*words).json()) == 2
    refused = person.types("rm", f"{prefix}/all", "--yes", code=1)
    assert refused.errors.startswith("CollectionNotEmpty: ")
    person.types("rm", f"{prefix}/all", "--recursive", "--yes")


def test_another_workspace_is_named_before_a_colon(gateway: Gateway, tmp_path: Path) -> None:
    person, prefix = Person(gateway, tmp_path / "home", "other"), gateway.new_prefix()
    person.types("create", f"{OTHER_WORKSPACE}:{prefix}", "--type", "dataset", "--commit")
    assert f"{prefix}/" in person.types("ls", f"{OTHER_WORKSPACE}:").out.splitlines()
    assert person.types("ls", f"{OTHER_WORKSPACE}:{prefix}").code == 0
    refused = person.types("create", prefix, "--type", "dataset", code=1)
    assert refused.errors.startswith("AccessDenied: ")
    twice = person.types("ls", f"{OTHER_WORKSPACE}:{prefix}", "--workspace", "x-y-z", code=2)
    assert "Say one" in twice.errors


EDITOR = """\
#!/bin/sh
cat >>{log} "$1"
printf '%s\\n' '{typed}' >>"$1"
"""


@pytest.fixture
def artifact(person: Person, prefix: str) -> Iterator[str]:
    """An artifact with one version and a file."""
    person.types("create", prefix, "--type", "dataset", "--name", "Before", "--commit")
    yield prefix
    person.types("rm", prefix, "--yes", code=None)


def editor(person: Person, script: str) -> None:
    """Have the person's $EDITOR be this script."""
    file = person.home / "editor.sh"
    file.write_text(script)
    file.chmod(0o700)
    person.added = {"EDITOR": str(file)}


def test_edit_opens_what_the_author_wrote_and_stages_what_is_typed(
    person: Person, artifact: str
) -> None:
    log = person.home / "seen.yaml"
    editor(person, EDITOR.format(log=log, typed="license: CC0-1.0"))
    told = person.types("edit", artifact).out
    assert told == f"{artifact}: the manifest is staged; commit shows it to readers\n"
    assert yaml.safe_load(log.read_text()) == {"type": "dataset", "name": "Before"}
    staged = person.types("show", artifact, "--stage", "--json").json()
    assert (staged["license"], staged["name"]) == ("CC0-1.0", "Before")
    assert person.types("status", artifact).out == "M manifest.yaml\n"
    person.types("commit", artifact)
    editor(person, "#!/bin/sh\n")
    assert person.types("edit", artifact).out == f"{artifact}: nothing was changed\n"
    assert person.types("status", artifact).out == ""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nprintf 'typed: [' >>\"$1\"\n", ".yaml:"),
        ("#!/bin/sh\nprintf 'typed: once\\ntyped: twice\\n' >>\"$1\"\n", "it is no manifest yet"),
        ("#!/bin/sh\nprintf 'typed: \\377\\n' >>\"$1\"\n", "it is no manifest yet"),
        ("#!/bin/sh\nprintf 'typed: lots\\n' >>\"$1\"; exit 3\n", "ended with 3: nothing was sent"),
    ],
)
def test_what_was_typed_is_kept_where_it_is_not_sent(
    person: Person, artifact: str, script: str, words: str
) -> None:
    editor(person, script)
    ended = person.types("edit", artifact, code=1)
    assert words in ended.errors
    kept = Path(ended.errors.split("what was typed is in ", 1)[1].split(": edit --manifest")[0])
    assert b"typed" in kept.read_bytes()
    assert kept.stat().st_mode & 0o077 == 0 or kept.parent.stat().st_mode & 0o077 == 0
    assert "no edit is open" in person.types("status", artifact).errors
    kept.write_text("type: dataset\nname: Mended\n")
    person.types("edit", artifact, "--manifest", kept)
    assert person.types("show", artifact, "--stage", "--json").json()["name"] == "Mended"


def test_an_edit_beside_somebody_elses_is_not_sent(person: Person, artifact: str) -> None:
    other = person.home / "other.yaml"
    other.write_text("type: dataset\nname: Somebody else's\n")
    command = f"{' '.join(COMMAND)} edit {artifact} --manifest {other}"
    editor(person, f"#!/bin/sh\nprintf 'name2: mine\\n' >>\"$1\"\n{command} >/dev/null\n")
    ended = person.types("edit", artifact, code=1)
    assert "somebody else changed the manifest meanwhile" in ended.errors
    staged = person.types("show", artifact, "--stage", "--json").json()
    assert staged["name"] == "Somebody else's"
