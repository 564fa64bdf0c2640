"""Where measurements are taken: a backend and a gateway as processes, artifacts of many files."""

import http.client
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.acceptance.backends import REGION, Backend, S3Client
from tests.acceptance.harness import Document, Gateway
from tests.postgresql import postgresql

UPLOADS_AT_ONCE = 8
PAGE = 1000
MANIFEST = b"type: dataset\nname: Many files\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """A backend, a gateway in front of it, and a boto3 client of the backend itself."""

    backend: Backend
    gateway: Gateway
    direct: S3Client

    def new_artifact(self, files: int, told: Callable[[int], None] = lambda _: None) -> str:
        """The prefix of a staged artifact whose files all came through the gateway.

        `told` hears of every thousandth file.
        """
        prefix = f"bench-{secrets.token_hex(5)}"
        client = self.gateway.s3()
        bucket = self.gateway.workspace
        client.put_object(Bucket=bucket, Key=f"{prefix}/_manifest.yaml", Body=MANIFEST)

        def put(number: int) -> None:
            key = f"{prefix}/{path_of(number)}"
            client.put_object(Bucket=bucket, Key=key, Body=b"%d" % number, ContentType="text/csv")
            if (number + 1) % PAGE == 0:
                told(number + 1)

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as threads:
            for _ in threads.map(put, range(files)):
                pass
        return prefix

    def list_directly(self, prefix: str, files: int) -> None:
        """Return when boto3 has listed all files from the backend itself, 1,000 a page."""
        self.list_by(self.direct, self.backend.bucket, prefix, files)

    def list_by(self, client: S3Client, bucket: str, prefix: str, files: int) -> None:
        """Return when a client has listed all files, and the manifest."""
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{prefix}/", PaginationConfig={"PageSize": PAGE}
        )
        _check(sum(len(page.get("Contents", ())) for page in pages), files + 1)

    def list_raw(self, prefix: str, files: int) -> None:
        """As `list_directly`, over one connection, with nothing read but the tokens."""
        connection = http.client.HTTPConnection(f"127.0.0.1:{self.backend.port}", timeout=60)
        token, found = "", 0
        while True:
            query = {"list-type": "2", "max-keys": str(PAGE), "prefix": f"{prefix}/"}
            if token:
                query["continuation-token"] = token
            target = f"/{self.backend.bucket}?{_spelled(query)}"
            connection.request("GET", target, headers=self._signed(target))
            body = connection.getresponse().read()
            found += body.count(b"<Contents>")
            following = re.search(rb"<NextContinuationToken>([^<]+)<", body)
            if b"<IsTruncated>true" not in body or following is None:
                break
            token = following[1].decode()
        connection.close()
        _check(found, files + 1)  # and the manifest

    def _signed(self, target: str) -> dict[str, str]:
        request = AWSRequest("GET", self.backend.endpoint_url + target)
        keys = Credentials(self.backend.access_key_id, self.backend.secret_access_key)
        S3SigV4Auth(keys, "s3", REGION).add_auth(request)
        return dict(request.headers.items())

    def copy_manifest(self, prefix: str) -> None:
        """Commit as S3 clients do: a COPY of `_manifest.yaml`."""
        bucket = self.gateway.workspace
        self.gateway.s3().copy_object(
            Bucket=bucket,
            Key=f"{prefix}/manifest.yaml",
            CopySource={"Bucket": bucket, "Key": f"{prefix}/_manifest.yaml"},
        )


@contextmanager
def scene(
    settings: Mapping[str, Document] | None = None,
    *,
    under: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Scene]:
    """A new backend and a new gateway, gone in the end with all they hold.

    `under` is a command that runs the gateway's own; `env` is added to its environment.
    """
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, ExitStack() as up:
        folder = Path(name)
        backend = Backend(folder / "backend")
        up.callback(backend.kill)
        backend.start()
        gateway = Gateway(backend, folder / "gateway", settings or {}, under=under)
        up.callback(gateway.stop)
        gateway.start(env)
        yield Scene(backend, gateway, backend.client())


@contextmanager
def database_settings(name: str) -> Iterator[dict[str, Document]]:
    """What a gateway's configuration says of a new database of this kind."""
    if name == "sqlite":
        yield {}
        return
    with postgresql() as url:
        yield {"database_url": url}


def path_of(number: int) -> str:
    """The path of a file: some hundred of them in a folder."""
    return f"part-{number // 100:03d}/file-{number:06d}.csv"


def _spelled(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} keys were listed, of {wanted}")
