"""The AWS SDK for JavaScript v3, in Node.js: `javascript/client.mjs` does what is asked here."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Document, Gateway, S3Client
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, make_target
from tests.clients.terminator import Terminator

FOLDER = Path(__file__).parent / "javascript"
INSTALLED = shutil.which("node") is not None and (FOLDER / "node_modules").is_dir()

needs_node = pytest.mark.skipif(
    not INSTALLED and "CI" not in os.environ,
    reason="needs Node.js, and `make javascript`: .ci/run sees to both",
)
pytestmark = needs_node

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")

Run: TypeAlias = Callable[..., list[Document]]


@dataclass(frozen=True, slots=True)
class Job:
    """What the script shall do: as whom, where, and by which way to the gateway."""

    action: str
    caller: str
    prefix: str
    url: str = ""
    paths: tuple[str, ...] = ()


@pytest.fixture
def node(gateway: Gateway, secure: Terminator, tmp_path: Path) -> Run:
    """Does jobs in one process of Node.js; returns what came of each."""
    (tmp_path / "small").write_bytes(SMALL)
    (tmp_path / "big").write_bytes(BIG)

    def document(job: Job) -> Document:
        return {
            "action": job.action,
            "Bucket": WORKSPACE,
            "prefix": job.prefix,
            "paths": job.paths,
            "small": str(tmp_path / "small"),
            "big": str(tmp_path / "big"),
            "part": PART,
            "range": f"bytes={PART - 7}-{PART + 12}",
            "client": {
                "endpoint": job.url or gateway.url,
                "region": REGION,
                "forcePathStyle": "localhost" not in job.url,
                "credentials": {
                    "accessKeyId": KEYS[job.caller].access_key_id,
                    "secretAccessKey": KEYS[job.caller].secret_access_key,
                },
            },
        }

    def run(*jobs: Job) -> list[Document]:
        outcome = subprocess.run(
            ["node", FOLDER / "client.mjs"],
            input=json.dumps([document(job) for job in jobs]),
            env=gateway.env() | {"NODE_EXTRA_CA_CERTS": str(secure.certificate)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stderr
        told: list[Document] = json.loads(outcome.stdout)
        return told

    return run


def test_it_reads_what_its_caller_may_see(node: Run, places: Mapping[str, Place]) -> None:
    asked = list(product(("read", "write"), places.values()))
    answers = node(*(Job("read", caller, place.prefix) for caller, place in asked))
    for (caller, place), told in zip(asked, answers, strict=True):
        expected = place.seen_by(caller)
        assert told["files"] == {
            path: {"size": len(data), "told": len(data), "digest": digest(data)}
            for path, data in expected.items()
        }
        assert told["ranged"] == digest(expected["big.bin"][PART - 7 : PART + 13])


def test_it_writes_copies_and_deletes(
    node: Run, gateway: Gateway, direct: S3Client, secure: Terminator
) -> None:
    urls = {
        gateway.url: "artifact",
        secure.url: "folder",
        f"http://localhost:{gateway.port}": "artifact",  # the workspace is a sub-domain
    }
    targets = [make_target(gateway, direct, kind) for kind in urls.values()]
    jobs = [
        Job("write", "write", target.prefix, url) for url, target in zip(urls, targets, strict=True)
    ]
    for target, told in zip(targets, node(*jobs), strict=True):
        assert told["big"]["digest"] == digest(BIG)
        assert told["big"]["ETag"].endswith('-3"')
        assert told["gone"] == [target.key("one"), target.key("two")]
        assert told["again"] == {"name": "PreconditionFailed", "status": 412}
        assert told["told"] == {"type": "text/x", "colour": "blue"}
        small = ("sub/a b+c%20d ünï", "streamed", "copy", "once", *ALGORITHMS)
        target.holds(dict.fromkeys(small, SMALL) | {"big.bin": BIG})


def test_presigned_urls_work(node: Run, artifact: Target) -> None:
    (told,) = node(Job("presign", "write", artifact.prefix))
    assert told == {"put": 200, "got": "by url", "type": "text/x"}
    artifact.holds({"by url +%": b"by url"})


def test_refusals_are_its_own_exceptions(node: Run, places: Mapping[str, Place]) -> None:
    paths = ("new.csv", "no/such", "_manifest.yaml")
    (told,) = node(Job("refused", "read", places["edited"].prefix, paths=paths))
    assert told == {
        "get": [{"name": "NoSuchKey", "status": 404}] * len(paths),
        "head": {"name": "NotFound", "status": 404},
        "put": {"name": "AccessDenied", "status": 403},
        "list": {"name": "NoSuchBucket", "status": 404},
    }
