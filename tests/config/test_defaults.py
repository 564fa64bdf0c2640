"""The configuration of a gateway that has none."""

import json
from pathlib import Path

import pytest

from gateway import defaults
from gateway.document import ConfigError
from gateway.identity import Right
from gateway.settings import Overrides, parse


def test_the_first_start_makes_an_administrator_and_the_next_one_keeps_it(tmp_path: Path) -> None:
    first = parse(defaults.document(tmp_path), {}, Overrides(data_dir=tmp_path))
    again = parse(defaults.document(tmp_path), {}, Overrides(data_dir=tmp_path))
    assert first == again
    (key,) = first.keys
    assert key.grants.on("anything") is Right.ADMIN
    (workspace,) = first.workspaces
    assert workspace.name == workspace.area.bucket == "my-workspace"
    assert first.backend is None


def test_two_folders_share_no_secret(tmp_path: Path) -> None:
    one = parse(defaults.document(tmp_path / "one"), {})
    other = parse(defaults.document(tmp_path / "other"), {})
    assert one.secret != other.secret
    assert one.keys[0].access_key_id != other.keys[0].access_key_id
    assert one.keys[0].secret_access_key != other.keys[0].secret_access_key


def test_the_credentials_are_their_users_alone(tmp_path: Path) -> None:
    defaults.document(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"secret": 5})])
def test_credentials_that_are_broken_are_named_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        defaults.document(tmp_path)
    (line,) = caught.value.problems
    assert line.startswith(f"{file}: ")
    assert file.read_text() == content
