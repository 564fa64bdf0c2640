"""A gateway on the embedded defaults, as the real process that `serve` makes."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import boto3
import botocore.config
import psutil
import requests

from gateway.identity import AccessKey, Grants

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Serving:
    """A `serve` process, ready, on a port of its own."""

    folder: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] = field(init=False)
    said: str = ""

    def start(self) -> "Serving":
        with tempfile.TemporaryFile("w+") as errors:
            self.process = self._run(errors)
            self._listen(errors)
        return self

    def _run(self, errors: IO[str]) -> subprocess.Popen[str]:
        where = ["--data-dir", str(self.folder), "--port", "0"]
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", *where, *self.options],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if "AWS" not in name},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def _listen(self, errors: IO[str]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if "in a browser" in line or line.startswith("workspaces"):
                return
        code = self.process.wait()
        errors.seek(0)
        raise AssertionError(f"it ended with {code}:\n{self.said}{errors.read()}")

    @property
    def url(self) -> str:
        return next(word for word in self.said.split() if word.startswith("http://127.0.0.1:"))

    @property
    def key(self) -> AccessKey:
        kept = json.loads((self.folder / "credentials.json").read_text())
        return AccessKey(kept["access_key_id"], kept["secret_access_key"], "admin", Grants())

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def s3(self, key: AccessKey | None = None) -> Any:  # noqa: ANN401 - boto3 has no types
        key = key or self.key
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            region_name="us-east-1",
            config=botocore.config.Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
            ),
        )

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}/{path}", timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
