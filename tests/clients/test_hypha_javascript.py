"""hypha-rpc for JavaScript, in Node.js: the calls of the reference document, and refusals."""

import json
import subprocess

from tests.acceptance.harness import KEYS, WORKSPACE, Gateway
from tests.acceptance.hypha import token
from tests.clients.test_javascript import FOLDER, needs_node

pytestmark = needs_node


def test_the_reference_documents_calls_work(gateway: Gateway) -> None:
    writer = KEYS["write"]
    gallery = gateway.new_prefix()
    said = {
        "url": gateway.url,
        "token": token(gateway, writer.access_key_id, writer.grants),
        "gallery": gallery,
    }
    ended = subprocess.run(
        # Node.js has websockets of its own from 22 on, and earlier where it is asked for them.
        ["node", "--experimental-websocket", FOLDER / "hypha.mjs"],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    prefix = f"{gallery}/example-dataset"
    starts = {
        "exists": f"RemoteError: FileExistsError: Artifact under prefix '{gallery}' already exists",
        "invalid": "RemoteError: ValueError: ValidationError: 'description' is a required property",
        "denied": "RemoteError: PermissionError: This needs the right 'admin'",
        "missing": f"RemoteError: KeyError: Artifact under prefix '{prefix}' does not exist",
        "uncommitted": f"RemoteError: FileNotFoundError: Artifact under prefix '{prefix}'",
        "wrong": "ConnectionAbortedError: PermissionError: This is no token of this gateway.",
    }
    for name, start in starts.items():
        assert told.pop(name).startswith(start), name
    assert told == {
        "workspace": WORKSPACE,
        "put": 200,
        "version": 1,
        "listed": ["example-dataset"],
        "got": "year,height\n",
        "whole": True,
        "downloads": 0.5,
        "files": [],
    }
