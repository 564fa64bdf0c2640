"""Real S3 services for gateways to stand in front of, and boto3 clients of them."""

import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import boto3
from botocore.config import Config

from tests.acceptance.keys import OTHER_WORKSPACE, WORKSPACE, Key, make_key
from tests.acceptance.processes import (
    clean_environment,
    free_port,
    seaweed_command,
    spawn,
    wait_until,
)
from tests.acceptance.warm import Run, moto

REGION = "us-east-1"

S3Client: TypeAlias = Any  # boto3 makes its clients at run time: they have no type

SESSION = boto3.session.Session()  # reads the API's description once
_making = threading.Lock()  # a session, unlike its clients, is for one thread at a time


def s3_client(endpoint_url: str, key: Key, **settings: object) -> S3Client:
    """A boto3 S3 client, path style, that tries each request once.

    `settings` go into botocore's Config.
    """
    chosen: dict[str, Any] = {
        "signature_version": "s3v4",  # of presigned URLs too, which boto3 signs the old way
        "s3": {"addressing_style": "path"},
        "retries": {"total_max_attempts": 1},
        "connect_timeout": 10,
        "read_timeout": 60,
        "max_pool_connections": 20,
    } | settings
    with _making:
        return SESSION.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(**chosen),
        )


@dataclass(slots=True)
class Backend:
    """A real S3 service for gateways to stand in front of: SeaweedFS, or moto's server.

    Once it is started, the buckets of both workspaces are there: `bucket` and OTHER_WORKSPACE.
    """

    folder: Path
    kind: str = "seaweedfs"
    bucket: str = WORKSPACE
    port: int = field(default_factory=free_port)
    key: Key = field(default_factory=lambda: make_key("backend", {}))
    process: subprocess.Popen[bytes] | Run | None = None

    @property
    def endpoint_url(self) -> str:
        """The URL of the S3 service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def access_key_id(self) -> str:
        """The id of the account that the gateway uses."""
        return self.key.access_key_id

    @property
    def secret_access_key(self) -> str:
        """The secret of the account that the gateway uses."""
        return self.key.secret_access_key

    def start(self) -> "Backend":
        """This backend, running, with its bucket."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "backend.log"
        if self.kind == "moto":
            with log.open("ab") as out:
                told = [str(self.port)]
                self.process = moto().start(told, clean_environment(), self.folder, out, out)
        else:
            command = seaweed_command(self.folder, self.port, self.key)
            self.process = spawn(command, self.folder, log, clean_environment())
        wait_until(self.endpoint_url, self.process, log, seconds=30)
        client = self.client()
        there = {each["Name"] for each in client.list_buckets()["Buckets"]}
        for name in {self.bucket, OTHER_WORKSPACE} - there:
            client.create_bucket(Bucket=name)
        return self

    def client(self) -> S3Client:
        """A boto3 client that speaks with the backend itself."""
        return s3_client(self.endpoint_url, self.key)

    def pause(self) -> None:
        """Freeze the backend: connections open, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused backend go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the backend; its data stays for another `start`."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End the backend at once: where its data is not wanted any more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None
