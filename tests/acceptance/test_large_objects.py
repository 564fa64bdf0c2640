"""Large objects pass through a gateway that holds none of them."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.signer import Signer

MEBIBYTE = 1_048_576
# Eight times what the gateway may grow by. `make large` asks for more than 32 bits can count.
SIZE = int(os.environ.get("LARGE_OBJECT_MEBIBYTES", "512")) * MEBIBYTE
GROWTH = 64 * MEBIBYTE
PATTERN = os.urandom(MEBIBYTE - 8)


def blocks(size: int = SIZE) -> Iterator[bytes]:
    """The object's bytes, a mebibyte at a time; each block starts with its own number."""
    for number in range(size // MEBIBYTE):
        yield number.to_bytes(8, "big") + PATTERN


@dataclass(slots=True)
class Memory:
    """Resident memory of a process and its children, in bytes: at first and at most."""

    first: int
    peak: int

    @property
    def growth(self) -> int:
        """By how much it grew."""
        return self.peak - self.first


def resident(process: psutil.Process) -> int:
    """What the process and its children hold in memory now."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])


@contextmanager
def measured(pid: int) -> Iterator[Memory]:
    """The memory of the process `pid`, sampled every 20 ms until the block is left."""
    process, over = psutil.Process(pid), threading.Event()
    memory = Memory(*[resident(process)] * 2)

    def sample() -> None:
        while not over.wait(0.02):
            memory.peak = max(memory.peak, resident(process))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def matches(response: http.client.HTTPResponse) -> bool:
    """Whether the body is `blocks`, whole and no longer."""
    return all(response.read(MEBIBYTE) == block for block in blocks()) and not response.read(1)


def test_a_large_object_goes_up_and_comes_down_in_little_memory(
    gateway: Gateway, public_prefix: str
) -> None:
    signer = Signer(f"127.0.0.1:{gateway.port}")
    gateway.rpc("create", prefix=public_prefix, manifest={"type": "dataset"}, stage=True)
    target = f"/{WORKSPACE}/{public_prefix}/large.bin"
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=120)
    with measured(gateway.pid) as memory:
        headers = signer.headers("PUT", target) | {"Content-Length": str(SIZE)}
        connection.request("PUT", target, blocks(), headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        gateway.rpc("commit", prefix=public_prefix)
        connection.request("GET", f"/{WORKSPACE}/artifact/{public_prefix}/large.bin")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Length")) == (200, str(SIZE))
        assert matches(answer)
    assert memory.growth < GROWTH, f"{memory.growth / MEBIBYTE:.0f} MiB more"


def test_a_large_multipart_upload_takes_little_memory(gateway: Gateway, prefix: str) -> None:
    client, part = gateway.s3(), 32 * MEBIBYTE
    address = {"Bucket": WORKSPACE, "Key": f"{prefix}/large.bin"}
    with measured(gateway.pid) as memory:
        upload = client.create_multipart_upload(**address)["UploadId"]
        told = []
        body = b"".join(blocks(part))
        for number in range(1, 5):
            done = client.upload_part(**address, UploadId=upload, PartNumber=number, Body=body)
            told.append({"PartNumber": number, "ETag": done["ETag"]})
        client.complete_multipart_upload(
            **address, UploadId=upload, MultipartUpload={"Parts": told}
        )
        got = client.get_object(**address)
        assert got["ContentLength"] == 4 * part
        for _ in told:
            assert got["Body"].read(part) == body
    assert memory.growth < GROWTH, f"{memory.growth / MEBIBYTE:.0f} MiB more"


def test_a_reader_that_stops_reading_fills_no_memory(gateway: Gateway, prefix: str) -> None:
    size = 64 * MEBIBYTE
    client, key = gateway.s3(), f"{prefix}/stalled.bin"
    client.put_object(Bucket=WORKSPACE, Key=key, Body=b"".join(blocks(size)))
    signer = Signer(f"127.0.0.1:{gateway.port}")
    target = f"/{WORKSPACE}/{key}"
    with measured(gateway.pid) as memory:
        stalled = []
        for _ in range(4):
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
            connection.request("GET", target, headers=signer.headers("GET", target))
            answer = connection.getresponse()
            assert answer.read(MEBIBYTE)
            stalled.append((connection, answer))
        threading.Event().wait(1)
        for connection, _ in stalled:
            connection.close()
    assert memory.growth < GROWTH / 2, f"{memory.growth / MEBIBYTE:.0f} MiB more"
