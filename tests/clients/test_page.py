"""The lines in docs/clients.md, run as they stand but for the address."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.harness import KEYS, REGION, Gateway
from tests.acceptance.processes import PROGRAMS, clean_environment
from tests.acceptance.steps import publish, write_folder
from tests.clients.test_duckdb import EXTENSION
from tests.clients.test_javascript import FOLDER, needs_node

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text()
BLOCKS: Mapping[str, tuple[str, str]] = {
    title: (language, block)
    for title, language, block in re.findall(
        r"^## ([^\n]+)\n\n```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
}
RUNNERS: Mapping[str, list[str]] = {
    "sh": ["bash", "-euo", "pipefail"],
    "python": [sys.executable],
    "js": ["node"],
}
INSTALLING = """\
connection.install_extension("httpfs")
connection.load_extension("httpfs")
"""


@pytest.fixture(scope="module")
def _sample(gateway: Gateway) -> None:
    """The artifact that the page reads, as `make run` loads it."""
    heights = (ROOT / "gateway/sample/gallery/seedlings/heights.csv").read_bytes()
    publish(gateway, "public/gallery/seedlings", {"heights.csv": heights})


@pytest.mark.usefixtures("_sample")
@pytest.mark.parametrize(
    "client",
    [
        pytest.param(title, marks=needs_node if language == "js" else ())
        for title, (language, _) in BLOCKS.items()
    ],
)
def test_the_lines_for_each_client_work(gateway: Gateway, tmp_path: Path, client: str) -> None:
    language, block = BLOCKS[client]
    write_folder(tmp_path / "example", {"data.csv": b"x,y\n1,2\n"})
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    block = block.replace("127.0.0.1:9000", f"127.0.0.1:{gateway.port}")
    block = block.replace(INSTALLING, f"connection.load_extension({str(EXTENSION)!r})\n")
    script = tmp_path / ("script.mjs" if language == "js" else "script")
    script.write_text(block)
    key = KEYS["write"]
    environment = clean_environment()
    environment |= {
        "PATH": f"{PROGRAMS}:{environment['PATH']}",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": gateway.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
    }
    outcome = subprocess.run(
        [*RUNNERS[language], str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, f"{block}\n{outcome.stdout}\n{outcome.stderr}"


def test_each_client_that_is_tested_is_on_the_page() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    modules -= {"test_page", "test_boto3_checksums", "test_hypha_javascript"}  # docs/hypha.md
    titles = " ".join(BLOCKS).lower().replace("-", "_")
    for module in modules:
        assert module.removeprefix("test_").removesuffix("_py") in titles, module
    assert len(modules) == len(BLOCKS)
