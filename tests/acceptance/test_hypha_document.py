"""The reference document's own code, taken from it, against this gateway: not a line is changed.

Only the server's URL and the local file's path are put in.
"""

import ast
import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import FunctionType

import pytest
import requests

from tests.acceptance.harness import KEYS, Document, Gateway
from tests.acceptance.hypha import MANAGER, connected, manager, token
from tests.acceptance.processes import clean_environment
from tests.acceptance.reference import Block, below, blocks, needs_document, references

pytestmark = needs_document

DATA = b"year,height\n2023,11\n2024,17\n"
GALLERY = "collections/dataset-gallery"
DATASET = f"{GALLERY}/example-dataset"
SCHEMA_GALLERY = "collections/schema-dataset-gallery"


@pytest.fixture
def document(hypha: Gateway, tmp_path: Path) -> list[Block]:
    file = tmp_path / "data.csv"
    file.write_bytes(DATA)
    return blocks(hypha.url, file)


@pytest.fixture(autouse=True)
async def emptied(hypha: Gateway) -> AsyncIterator[None]:
    """Takes away what the document makes: its examples use the same names again and again."""
    yield
    async with manager(hypha) as artifact_manager:
        for prefix in (GALLERY, SCHEMA_GALLERY, f"public/{GALLERY}"):
            try:
                await artifact_manager.delete(prefix=prefix, recursive=True)
            except Exception as error:  # noqa: BLE001 - the package has one exception for all
                assert "KeyError" in str(error) or "FileNotFoundError" in str(error)  # noqa: PT017


class Notebook:
    """Runs blocks one after the other, each with what those before it have left."""

    def __init__(self) -> None:
        self.names: dict[str, Document] = {"requests": requests}

    async def run(self, code: str) -> None:
        """The block, whose top level may await."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(code, "reference document", "exec", flags)
        result = FunctionType(compiled, self.names)()
        if inspect.isawaitable(result):
            await result


def test_the_full_example_runs_as_it_stands(
    hypha: Gateway, document: list[Block], tmp_path: Path
) -> None:
    script = tmp_path / "example.py"
    script.write_text(below(document, "Full Example"))
    ended = subprocess.run(
        [sys.executable, script],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-5:] == [
        "Dataset Gallery created.",
        "Dataset added to the gallery.",
        "File uploaded to the dataset.",
        "Dataset committed.",
        "Datasets in the gallery: ['example-dataset']",
    ]
    (file,) = hypha.rpc("list_files", prefix=DATASET)
    assert (file["path"], file["size"], file["download_weight"]) == ("data.csv", len(DATA), 0.5)


async def test_the_steps_and_every_example_of_the_api_reference_run(
    hypha: Gateway, document: list[Block], capsys: pytest.CaptureFixture[str]
) -> None:
    book, examples = Notebook(), references(document)
    for number in range(1, 7):
        steps = [block.code for block in document if block.heading.startswith(f"Step {number}:")]
        await book.run(steps[0])
    assert "Datasets in the gallery: ['example-dataset']" in capsys.readouterr().out
    book.names["updated_manifest"] = book.names["dataset_manifest"] | {"name": "Updated"}
    # The reference is sorted by name; after `delete` nothing of it would be there.
    for name in ("edit", "put_file"):
        await book.run(examples[name])
    await book.run("assert requests.put(put_url, data=b'new').ok")
    for name in ("commit", "get_file", "list"):
        await book.run(examples[name])
    await book.run("assert requests.get(get_url).content == b'new'")
    for name in ("read", "index"):
        await book.run(examples[name])
    assert book.names["datasets"] == ["example-dataset"]
    assert book.names["manifest"]["name"] == "Updated"
    assert book.names["manifest"]["_stats"]["download_count"] == 1.0
    await reset(hypha, book, document)
    for name in ("edit", "remove_file", "commit", "read"):
        await book.run(examples[name])
    assert book.names["manifest"]["files"] == []
    assert book.names["manifest"]["_stats"]["download_count"] == 0
    await book.run(examples["delete"])
    with pytest.raises(Exception, match=r"RemoteError:KeyError: Artifact under prefix"):
        await book.run(examples["read"])
    await book.names["server"].disconnect()
    ran = {"edit", "commit", "delete", "put_file", "remove_file", "get_file", "list", "read"}
    assert examples.keys() == ran | {"index"}


async def reset(hypha: Gateway, book: Notebook, document: list[Block]) -> None:
    """Runs the example that resets the counters: it needs `admin`, so a token."""
    code = below(document, "Resetting Download Statistics")
    with pytest.raises(Exception, match=r"RemoteError:PermissionError: "):
        await book.run(code)
    admin = KEYS["admin"]
    held = token(hypha, admin.access_key_id, admin.grants)
    async with connected(hypha, token=held, workspace=hypha.workspace) as server:
        before = book.names["artifact_manager"]
        book.names["artifact_manager"] = await server.get_service(MANAGER)
        await book.run(code)
        book.names["artifact_manager"] = before


async def test_the_schema_examples_run(document: list[Block]) -> None:
    book = Notebook()
    await book.run(below(document, "Step 1: Connecting"))
    for heading in ("Step 1: Create a Collection with a Schema", "Step 2: Validate"):
        await book.run(below(document, heading))
    artifact_manager = book.names["artifact_manager"]
    prefix = f"{SCHEMA_GALLERY}/invalid-dataset"
    manifest = dict(book.names["valid_dataset_manifest"])
    del manifest["description"]
    await artifact_manager.create(prefix=prefix, manifest=manifest, stage=True)
    expected = r"RemoteError:ValueError: ValidationError: 'description' is a required property"
    with pytest.raises(Exception, match=expected):
        await artifact_manager.commit(prefix=prefix)
    assert await artifact_manager.list(prefix=SCHEMA_GALLERY) == ["valid-dataset"]
    await book.names["server"].disconnect()


async def test_the_sequence_of_calls_and_the_http_example_run(
    document: list[Block], capsys: pytest.CaptureFixture[str]
) -> None:
    book = Notebook()
    await book.run("from hypha_rpc import connect_to_server")
    await book.run(below(document, "Example Usage of API Functions"))
    assert "Datasets in the gallery: ['example-dataset']" in capsys.readouterr().out
    artifact_manager = book.names["artifact_manager"]
    manifests: Mapping[str, Document] = {
        GALLERY: book.names["gallery_manifest"],
        DATASET: book.names["dataset_manifest"],
    }
    for prefix, manifest in manifests.items():
        await artifact_manager.create(prefix=f"public/{prefix}", manifest=manifest)
    await book.names["server"].disconnect()
    await asyncio.to_thread(exec, below(document, "Example: Fetching a public artifact"), {})
    assert capsys.readouterr().out == "Example Dataset\n0\n"
