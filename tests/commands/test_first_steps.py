"""The README's first steps, run as they stand, in their order, in an empty folder."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import PROGRAMS, clean_environment
from tests.commands.serving import ROOT, Serving

README = (ROOT / "README.md").read_text()
FIRST_STEPS = README.split("\n## First steps\n", 1)[1].split("\n## ", 1)[0]
LINES = re.findall(r"^```(sh|python)\n(.*?)^```$", FIRST_STEPS, re.MULTILINE | re.DOTALL)
PROGRAM = ".venv/bin/artifact-gateway token"


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """What `make run` starts."""
    started = Serving(tmp_path / "artifact-gateway-data", ("--sample",)).start()
    yield started
    started.kill()


def test_the_first_steps_work_one_after_the_other(serving: Serving, tmp_path: Path) -> None:
    script = ["set -euo pipefail", f"cd {shlex.quote(str(tmp_path))}"]
    for language, block in LINES:
        script.append(block if language == "sh" else f"python - <<'END'\n{block}END")
    text = "\n".join(script).replace("http://127.0.0.1:9000", serving.url)
    assert PROGRAM in text
    text = text.replace(PROGRAM, f"{sys.executable} -m gateway token")
    outcome = subprocess.run(
        ["bash"],
        input=text,
        env=clean_environment()
        | {
            "PATH": f"{PROGRAMS}:{clean_environment()['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": serving.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": serving.key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": serving.key.secret_access_key,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert outcome.returncode == 0, f"{text}\n{outcome.stdout}\n{outcome.stderr}"
    gallery = serving.get("my-workspace/artifact/public/gallery").json()
    members = [member["id"] for member in gallery["collection"]]
    assert members == ["example", "other", "seedlings", "tide-pool"]
    example = serving.get("my-workspace/artifact/public/gallery/example").json()
    assert example["_version"] == 3
    data = serving.get("my-workspace/artifact/public/gallery/example/data.csv")
    assert data.text == "x,y\n1,2\n3,4\n5,6\n"
    other = serving.get("my-workspace/artifact/public/gallery/other").json()
    assert other["files"][0]["download_weight"] == 0.5
