"""Archives on their way, out of backends that misbehave."""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from gateway.artifact.archive import Archive, Entry
from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin
from gateway.errors import ServiceUnavailable
from gateway.identity import Workspace
from gateway.services.registry import packing as module
from gateway.services.registry.packing import Contents, Packing
from gateway.storage.bucket import Bucket
from tests.storage.faulty import Faulty, Seen, faulty, response
from tests.waiting import wait_until

THEN = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
MANIFEST_DATA = b"type: dataset\n"
MIB = 1 << 20
LARGE = bytes(3 * MIB)

OPEN = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"  # as long as the connection lasts


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


@asynccontextmanager
async def answering(answers: Mapping[str, Sequence[bytes]]) -> AsyncIterator[Faulty]:
    """A backend with answers by file name, one a request; it closes where a client can't tell."""
    left = {name: [*given] for name, given in answers.items()}

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen) -> None:
        found = left[seen.line.split("?")[0].split()[1].rsplit("/", 1)[1]]
        answer = found.pop(0) if len(found) > 1 else found[0]
        writer.write(answer)
        await writer.drain()
        head, __, body = answer.partition(b"\r\n\r\n")
        if f"Content-Length: {len(body)}".encode() not in head:
            raise ConnectionResetError

    async with faulty(behave) as there:
        yield there


def packing(bucket: Bucket, sizes: Mapping[str, int], version_id: str | None = "v1") -> Packing:
    pins = [
        Pin(path, size, '"etag"', version_id, THEN, "text/plain") for path, size in sizes.items()
    ]
    entries = [Entry(f"n/{pin.path}", pin.size, THEN) for pin in pins]
    contents = Contents(
        Workspace("id", "ws", "bucket", "below/"),
        Artifact(1, "id", "a/n", version=1),
        pins,
        MANIFEST_DATA,
        Archive(entries),
    )
    return Packing(bucket, contents, None)


async def whole(pieces: AsyncIterator[bytes]) -> dict[str, bytes]:
    data = b"".join([piece async for piece in pieces])
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return {each.filename: found.read(each) for each in found.infolist()}


def asked(there: Faulty) -> list[str]:
    return [each.line.split()[1] for each in there.seen]


async def refused(pieces: AsyncIterator[bytes], reason: str) -> bytes:
    """What was sent before the archive was broken off for this reason."""
    sent = bytearray()

    async def send() -> None:
        async for piece in pieces:
            sent.extend(piece)

    with pytest.raises(ServiceUnavailable, match=reason):
        await send()
    return bytes(sent)


async def test_each_pinned_version_is_read_and_the_manifest_is_at_hand() -> None:
    answers = {"a": [response("200 OK", b"aaa")], "e": [response("200 OK")]}
    sizes = {"a": 3, "dir/e": 0, MANIFEST: len(MANIFEST_DATA)}
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        found = await whole(packing(bucket, sizes).pieces())
    assert found == {"n/a": b"aaa", "n/dir/e": b"", f"n/{MANIFEST}": MANIFEST_DATA}
    assert asked(there) == [
        "/bucket/below/a/n/a?versionId=v1",
        "/bucket/below/a/n/dir/e?versionId=v1",
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(response("200 OK", b"bb", length=4), "broke", id="broken off"),
        pytest.param(response("200 OK", b"bbb"), "'b'", id="shorter"),
        pytest.param(response("200 OK", b"bbbbb"), "'b'", id="longer"),
        pytest.param(OPEN + b"bbb", "'b' is shorter", id="shorter, its length not told"),
        pytest.param(OPEN + b"bbbbb", "'b' is longer", id="longer, its length not told"),
        pytest.param(response("206 Partial Content", b"bbbb"), "206", id="a part"),
        pytest.param(response("404 Not Found"), "404", id="gone"),
        pytest.param(response("503 Slow Down"), "503", id="out of order"),
    ],
)
async def test_a_file_that_is_not_as_pinned_breaks_the_archive_off(
    answer: bytes, reason: str
) -> None:
    answers = {
        "a": [response("200 OK", b"aaa")],
        "b": [answer],
        "c": [response("200 OK", b"c")],
    }
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        sent = await refused(packing(bucket, {"a": 3, "b": 4, "c": 1}).pieces(), reason)
    assert b"aaa" in sent
    assert b"bbbbb" not in sent
    assert b"PK\1\2" not in sent
    assert b"PK\5\6" not in sent


async def test_what_passes_by_itself_is_waited_for() -> None:
    answers = {"a": [response("503 Slow Down"), response("200 OK", b"aaa")]}
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        assert await whole(packing(bucket, {"a": 3}).pieces()) == {"n/a": b"aaa"}
    assert len(there.seen) == 2


@pytest.mark.parametrize("etag", ['"etag"', "etag"])
async def test_without_versions_a_file_with_the_pinned_etag_is_taken(etag: str) -> None:
    answers = {"a": [named(etag, b"aaa")]}
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        assert await whole(packing(bucket, {"a": 3}, None).pieces()) == {"n/a": b"aaa"}
    assert asked(there) == ["/bucket/below/a/n/a"]


async def test_without_versions_a_file_with_another_etag_is_not_sent() -> None:
    answers = {"a": [named('"another"', b"aaa")]}
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        assert await refused(packing(bucket, {"a": 3}, None).pieces(), "'a'") == b""


def named(etag: str, data: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


async def test_one_file_is_opened_ahead_and_only_at_the_end_of_the_one_before() -> None:
    answers = {name: [response("200 OK", LARGE)] for name in "abc"}
    opened: dict[str, int] = {}  # after so many bytes
    taken = 0
    async with answering(answers) as there, Bucket(there.backend) as bucket:
        async for piece in packing(bucket, dict.fromkeys("abc", len(LARGE))).pieces():
            taken += len(piece)
            await asyncio.sleep(0.002)
            for target in asked(there):
                opened.setdefault(target.rsplit("/", 1)[1][0], taken)
    assert list(opened) == ["a", "b", "c"]
    for name, before in (("b", 1), ("c", 2)):
        assert before * len(LARGE) - MIB <= opened[name] <= before * len(LARGE) + MIB


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
async def test_closing_early_closes_what_is_open_at_the_backend(share: float) -> None:
    closed = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Seen) -> None:
        nonlocal closed
        writer.write(response("200 OK", LARGE[:-1], length=len(LARGE)))
        with suppress(ConnectionResetError):  # what had come was not read to its end
            assert await reader.read() == b""
        closed += 1

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        pieces = packing(bucket, {"a": len(LARGE), "b": len(LARGE)}).pieces()
        assert isinstance(pieces, AsyncGenerator)
        taken = 0
        while taken < share * len(LARGE):
            taken += len(await anext(pieces))
        if share > 0.9:
            assert await asyncio.to_thread(wait_until, lambda: len(there.seen) == 2)
        await pieces.aclose()
        assert len(there.seen) == (0 if share == 0 else 2 if share > 0.9 else 1)
        assert await asyncio.to_thread(wait_until, lambda: closed == len(there.seen))


async def test_a_client_that_leaves_while_a_file_is_opened_leaves_nothing_open() -> None:
    closed = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: Seen) -> None:
        assert await reader.read() == b""
        closed.set()

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        sending = asyncio.create_task(whole(packing(bucket, {"a": 3}).pieces()))
        assert await asyncio.to_thread(wait_until, lambda: len(there.seen) == 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        async with asyncio.timeout(5):
            await closed.wait()
