"""The OpenAPI document, and what the RPC door answers to whatever it allows."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.processes import PROGRAMS, clean_environment
from tests.acceptance.steps import make_gallery, publish, stage

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "response_schema_conformance",
    "content_type_conformance",
)
# It would end the keys that the others are called with.
LEFT_OUT = "keys.revoke"


@pytest.fixture
def narrowed(gateway: Gateway, prefix: str) -> Document:
    """The document, with names in it of what is there."""
    make_gallery(gateway, prefix)
    publish(gateway, f"{prefix}/committed", {"data.csv": b"1,2"}, name="Committed")
    publish(gateway, f"{prefix}/edited", {"data.csv": b"1,2"}, name="Edited")
    stage(gateway, f"{prefix}/edited", {"more.csv": b"3"})
    stage(gateway, f"{prefix}/new", {"data.csv": b"1"})
    members = [f"{prefix}/{name}" for name in ("committed", "edited", "new", "none")]
    names = {
        "prefix": [prefix, *members],
        "path": ["data.csv", "more.csv"],
        "file_path": ["data.csv"],
    }
    document: Document = gateway.anonymous("GET", "/_rpc/openapi.json").json()
    for path, item in list(document["paths"].items()):
        if path.endswith(LEFT_OUT):
            del document["paths"][path]
        operation = item["post"]
        operation["parameters"][0]["schema"] = {"enum": [WORKSPACE]}
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for name in names.keys() & schema["properties"].keys():
            schema["properties"][name] = {"enum": names[name]}
    return document


def test_the_document_is_for_everybody(gateway: Gateway) -> None:
    answer = gateway.anonymous("GET", "/_rpc/openapi.json", headers={"Origin": "https://a.test"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": gateway.url}]
    assert gateway.anonymous("POST", "/_rpc/openapi.json").status_code == 405
    assert gateway.anonymous("HEAD", "/_rpc/openapi.json").status_code == 200


def test_whatever_the_document_allows_is_answered_as_it_says(
    gateway: Gateway, narrowed: Document, tmp_path: Path
) -> None:
    page = tmp_path / "openapi.json"
    page.write_text(json.dumps(narrowed))
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: "admin"})
    outcome = subprocess.run(
        [
            str(PROGRAMS / "schemathesis"), "run", str(page), "--url", gateway.url,
            "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing", "--max-examples", "6", "--seed", "1",
            "--generation-database", "none", "--workers", "1",
        ],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
