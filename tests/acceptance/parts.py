"""Files that go in parts by the URLs of `put_file`, and what the backend holds of them."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from tests.acceptance.harness import Document, Gateway

LEAST = 5 << 20  # what a part has at least, but for the last


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that `put_file` began."""

    gateway: Gateway
    prefix: str
    path: str
    upload_id: str
    urls: Sequence[str]

    def put(self, number: int, body: bytes) -> str:
        """The ETag of a part that was put."""
        answer = self.answer(number, body)
        assert answer.status_code == 200, answer.text
        return answer.headers["ETag"]

    def answer(self, number: int, body: bytes) -> requests.Response:
        """The answer to the PUT of a part."""
        return requests.put(self.urls[number - 1], data=body, timeout=60)

    def put_all(self, bodies: Sequence[bytes], *, at_once: int = 4) -> list[Document]:
        """The parts as `complete_file` takes them, put side by side, the last one first."""
        numbers = range(len(bodies), 0, -1)
        with ThreadPoolExecutor(at_once) as pool:
            etags = list(pool.map(lambda number: self.put(number, bodies[number - 1]), numbers))
        return listed(reversed(etags))

    def complete(self, parts: Sequence[Document]) -> Document:
        """What `complete_file` returns."""
        return self.gateway.rpc(
            "complete_file",
            prefix=self.prefix,
            file_path=self.path,
            upload_id=self.upload_id,
            parts=list(parts),
        )


def listed(etags: Iterable[str]) -> list[Document]:
    """The parts of these ETags, numbered from 1."""
    return [{"part_number": n, "etag": etag} for n, etag in enumerate(etags, 1)]


def begin(
    gateway: Gateway, prefix: str, parts: int, path: str = "big.bin", **options: Document
) -> Upload:
    """An upload in so many parts."""
    told = gateway.rpc(
        "put_file", prefix=prefix, file_path=path, options={"parts": parts, **options}
    )
    assert told.keys() == {"upload_id", "parts"}
    assert [part["part_number"] for part in told["parts"]] == list(range(1, parts + 1))
    urls = [part["url"] for part in told["parts"]]
    return Upload(gateway, prefix, path, told["upload_id"], urls)


def left(gateway: Gateway, prefix: str) -> list[str]:
    """The keys of uploads below the prefix that the backend holds parts of."""
    backend = gateway.backend
    answer = backend.client().list_multipart_uploads(Bucket=backend.bucket, Prefix=f"{prefix}/")
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def body_of(megabytes: int, piece: int) -> list[bytes]:
    """So many MiB in pieces, made of few blocks, no two pieces next to each other equal."""
    blocks = [bytes([n + 1, 7 * n + 3]) * (1 << 19) for n in range(5)]
    count = -(-megabytes // piece)
    pieces = [
        b"".join(blocks[(n + k * k) % 5] for k in range(min(piece, megabytes - n * piece)))
        for n in range(count)
    ]
    assert all(len(each) >= LEAST for each in pieces[:-1])
    return pieces


def sha256_of(chunks: Iterable[bytes]) -> str:
    """The digest of chunks one after the other."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
