"""The lines in docs/python.md, run as they stand but for the address."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import KEYS, ROOT, Gateway
from tests.acceptance.processes import clean_environment
from tests.acceptance.steps import publish, write_folder

PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS = dict(re.findall(r"^## ([^\n]+)\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("title", ["Publishing", "Fetching", "Awaiting"])
def test_the_lines_on_the_page_work(gateway: Gateway, tmp_path: Path, title: str) -> None:
    heights = (ROOT / "gateway/sample/gallery/seedlings/heights.csv").read_bytes()
    publish(gateway, "public/gallery/seedlings", {"heights.csv": heights})
    write_folder(tmp_path / "example", {"data.csv": b"x,y\n1,2\n"})
    key = KEYS["write"]
    environment = clean_environment() | {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }
    block = BLOCKS[title].replace("http://127.0.0.1:9000", gateway.url)
    outcome = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    if title == "Publishing":
        assert outcome.stdout == "1\n"
    else:
        assert (tmp_path / "seedlings/heights.csv").read_bytes() == heights


def test_every_block_is_run() -> None:
    assert set(BLOCKS) == {"Publishing", "Fetching", "Awaiting"}
    assert PAGE.count("```python") == len(BLOCKS)
