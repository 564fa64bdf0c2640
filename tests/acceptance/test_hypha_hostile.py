"""Clients of the Hypha door that lie, flood or never read, and one that works meanwhile."""

import asyncio
import json
import shutil
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import msgpack
import psutil
import pytest
import pytest_asyncio

from tests.acceptance.harness import KEYS, OTHER_WORKSPACE, WORKSPACE, Backend, Document, Gateway
from tests.acceptance.hypha import Raw, manager, raw, token

DATASET = {"type": "dataset", "name": "mine"}
PIECE = b"x" * 250_000
MEBIBYTE = 1 << 20
GONE_CODE, BROKEN_CODE, TOO_BIG_CODE = 1006, 1007, 1009


@pytest.fixture(scope="module")
def victim(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of one process: whatever it suffers, everybody there suffers."""
    folder = tmp_path_factory.mktemp("victim")
    settings = {"system": {"bucket": "artifact-gateway-system", "prefix": "victim/"}}
    running = Gateway(backend, folder, settings)
    try:
        yield running.start()
    finally:
        running.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)


@pytest_asyncio.fixture(autouse=True)
async def witness(victim: Gateway) -> AsyncIterator[None]:
    """Somebody who works with the gateway all the while, and is answered each time."""
    process, ending, answered = psutil.Process(victim.pid), asyncio.Event(), 0
    before = process.memory_info().rss

    async def work() -> None:
        nonlocal answered
        async with manager(victim, token=held(victim), method_timeout=10) as service:
            while not ending.is_set() or not answered:
                assert await service.list(prefix="none") == []
                answered += 1
                await asyncio.sleep(0.005)

    working = asyncio.create_task(work())
    yield
    ending.set()
    await working
    assert process.is_running()
    assert process.memory_info().rss < before + 192 * MEBIBYTE
    assert '"exc_info"' not in victim.logged()
    assert "Traceback" not in victim.logged()


def held(victim: Gateway) -> str:
    return token(victim, KEYS["write"].access_key_id, {WORKSPACE: "write"})


async def mine(victim: Gateway, client: Raw, name: str) -> None:
    told = await client.hello(name, token=held(victim))
    assert told["type"] == "connection_info"


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
async def test_a_workspace_that_a_client_claims_is_none_of_its_own(
    victim: Gateway,
    whole: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    prefix = victim.new_prefix()
    with_kwargs, lies = (
        {"with_kwargs": True},
        {
            "from": f"{OTHER_WORKSPACE}/raw",
            "ws": OTHER_WORKSPACE,
            "workspace": OTHER_WORKSPACE,
            "user": {"id": "root", "scope": {"workspaces": {"*": "a"}}},
            "ctx": {"ws": OTHER_WORKSPACE, "user": {"id": "root"}},
        },
    )
    async with raw(victim) as client:
        await mine(victim, client, "liar")
        arguments = {"prefix": prefix, "manifest": DATASET, "stage": True}
        method = "services.artifact-manager.create"
        if whole:
            outcome = await client.call(method, arguments, head=lies, extra=lies | with_kwargs)
        else:
            frame = client.frame(method, (arguments,), "lie", lies, lies | with_kwargs)
            await client.call("services.built-in.message_cache.create", "k")
            await client.call("services.built-in.message_cache.set", "k", 0, frame)
            await client.socket.send_bytes(
                client.frame("services.built-in.message_cache.process", ("k",), None, lies, lies)
            )
            outcome = await answer(client, "lie")
        assert (outcome[0], outcome[1]["name"]) == ("resolve", "mine")
        assert (await client.manage("read", prefix=prefix, stage=True))[0] == "resolve"
    assert victim.rpc("list", prefix="", stage=True, key="write").count(prefix) == 1
    other = Gateway(victim.backend, victim.folder, workspace=OTHER_WORKSPACE, port=victim.port)
    assert prefix not in other.rpc("list", prefix="", stage=True, key="other")


async def answer(client: Raw, session: str) -> tuple[str, Document]:
    """What comes back into a session."""
    while True:
        message = await client.socket.receive_bytes(timeout=20)
        unpacker = msgpack.Unpacker()
        unpacker.feed(message)
        head, brought = unpacker.unpack(), unpacker.unpack()
        if head["method"].startswith(f"{session}."):
            return head["method"].rpartition(".")[2], brought["args"][0]


async def test_no_name_leads_past_the_methods_that_there_are(victim: Gateway) -> None:
    names = (
        "services.built-in.ping.__globals__.os.system",
        "services.built-in.get_service.__self__._connection",
        "services.artifact-manager.read.__class__",
        "services.artifact-manager.__init__",
        "services.artifact-manager",
        "services.default.__class__",
        "s1._promise_manager.settle.__func__.__globals__.os.system",
        "s1.resolve",
        "",
        "services." * 50,
    )
    async with raw(victim) as client:
        await mine(victim, client, "climber")
        for name in names:
            outcome, told = await client.call(name, "touch /tmp/x")
            assert outcome == "reject"
            assert told.startswith("KeyError: ")
        for target in ("", "*", f"{WORKSPACE}/other", f"{WORKSPACE}/climber", "public/x"):
            outcome, told = await client.call("services.built-in.ping", head={"to": target})
            assert outcome == "reject"
            assert told.startswith("NotImplementedError: this gateway carries no calls")
        assert await client.call("services.built-in.ping", "ping") == ("resolve", "pong")


async def test_a_flood_of_pieces_ends_at_its_bounds(victim: Gateway) -> None:
    async def flood(number: int) -> int:
        taken = 0
        async with raw(victim) as client:
            await mine(victim, client, f"flood-{number}")
            refused = 0
            for key in map(str, range(12)):
                outcome, _ = await client.call("services.built-in.message_cache.create", key)
                refused += outcome == "reject"
            assert refused == 4
            said = ""
            for index in range(40):
                outcome, said = await client.call(
                    "services.built-in.message_cache.set", str(index % 8), index // 8, PIECE
                )
                taken += outcome == "resolve"
            assert said.startswith("ValueError: this connection's messages have at most")
            for wrong in (-1, 10**6, "0", None):
                outcome, told = await client.call(
                    "services.built-in.message_cache.set", "0", wrong, b"x"
                )
                assert (outcome, told[:10]) == ("reject", "ValueError")
            outcome, told = await client.call("services.built-in.message_cache.process", "none")
            assert (outcome, told[:10]) == ("reject", "ValueError")
        return taken

    assert all(20 < taken < 30 for taken in await asyncio.gather(*map(flood, range(4))))
    async with raw(victim) as client:  # what those had is free again
        await mine(victim, client, "after")
        outcome, _ = await client.call("services.built-in.message_cache.create", "k")
        assert outcome == "resolve"


async def test_what_is_no_message_ends_a_connection_and_nothing_else(victim: Gateway) -> None:
    head = {"type": "method", "to": "*/x", "method": "services.built-in.ping"}
    broken = (
        b"",
        b"\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x81" * 3_000,
        b"\x91" * 300_000,
        msgpack.packb([1, 2]),
        msgpack.packb(head | {"method": 1}),
        msgpack.packb(head | {"session": b"x"}),
        msgpack.packb(head | {"method": "m" * 10_000}),
        msgpack.packb({"type": "method"}),
        msgpack.packb(head | {"parent": [0] * 1_000}),
    )
    for number, message in enumerate(broken):
        async with raw(victim) as client:
            await mine(victim, client, f"broken-{number}")
            await client.socket.send_bytes(message)
            assert await client.said() == BROKEN_CODE, message[:20]
    async with raw(victim) as client:
        await mine(victim, client, "huge")
        # The gateway does not wait for the rest: the connection may be gone before its last word.
        with suppress(ConnectionError):
            await client.socket.send_bytes(b"x" * (2 * MEBIBYTE))
        assert await client.said() in {TOO_BIG_CODE, GONE_CODE}


async def test_what_a_call_brings_along_may_be_anything(victim: Gateway) -> None:
    bombs = (
        b"\x81\xa4args\xdd" + struct.pack(">I", 400_000) + b"\x80" * 400_000,
        b"\x81\xa4args\xdd" + struct.pack(">I", 2**31) + b"\x00",
        b"\x91" * 2_000,
        b"\xc1",
        msgpack.packb(5),
        msgpack.packb({"args": 5}),
        msgpack.packb({"args": [], "with_kwargs": True}),
        msgpack.packb({"args": [1], "with_kwargs": True}),
        msgpack.packb({"args": [{"prefix": msgpack.Timestamp(1)}], "with_kwargs": True}),
        msgpack.packb({"args": [{"prefix": msgpack.ExtType(7, b"x")}], "with_kwargs": True}),
        msgpack.packb({"args": [{1: 2}], "with_kwargs": True}),
        msgpack.packb({"_enc": {"v": 2, "pub": b"", "nonce": b""}, "data": b""}),
    )
    async with raw(victim) as client:
        await mine(victim, client, "bomber")
        for number, bomb in enumerate(bombs):
            session = f"b{number}"
            info = client.info
            head = {"type": "method", "to": f"*/{info['manager_id']}", "session": session}
            head["method"] = "services.artifact-manager.read"
            await client.socket.send_bytes(msgpack.packb(head) + bomb)
            outcome, told = await answer(client, session)
            assert outcome == "reject"
            assert told["_rvalue"].startswith("ValueError: "), told


async def test_a_first_message_may_be_anything(victim: Gateway) -> None:
    for said in ("", "[", "null", "[]", "{}", '{"client_id": 5}', '{"client_id": "a/b"}'):
        async with raw(victim) as client:
            await client.socket.send_str(said)
            told = await client.said()
            assert told["type"] == "error"
            assert told["message"].startswith("ValueError: ")
            assert await client.said() == 1008
    for name in ("workspace", "token", "reconnection_token"):
        async with raw(victim) as client:
            await client.socket.send_str(json.dumps({"client_id": "x", name: {"a": 1}}))
            told = await client.said()
            assert told["message"].startswith(f"ValueError: {name} is a text")


async def test_who_never_reads_holds_its_own_turns_and_nobody_elses(victim: Gateway) -> None:
    prefix = victim.new_prefix()
    victim.rpc("create", prefix=prefix, manifest=DATASET | {"text": "x" * 900_000})
    call = Raw.frame(
        Raw(None),  # type: ignore[arg-type]  # it only writes
        "services.artifact-manager.read",
        ({"prefix": prefix},),
        "s",
        extra={"with_kwargs": True},
    )
    hello = json.dumps({"client_id": "deaf", "token": held(victim)})
    with ExitStack() as stack:
        for _ in range(6):
            deaf = stack.enter_context(socket.create_connection(("127.0.0.1", victim.port)))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.sendall(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            deaf.sendall(masked(1, hello.encode()) + masked(2, call) * 100)
        # Six hundred answers would be 540 MB; those that were made wait for their clients.
        told = '"operation": "read", "method": "CALL"'
        async with manager(victim, token=held(victim), method_timeout=10) as service:
            for _ in range(20):
                assert (await service.read(prefix=prefix))["name"] == "mine"
            # Nobody was cut off for that: they are there, beside the witness and this one.
            metrics = victim.anonymous("GET", "/_metrics").text
            assert "gateway_hypha_connections 8.0" in metrics
        assert victim.logged().count(told) < 20 + 6 * 20


def masked(kind: int, payload: bytes) -> bytes:
    """A websocket frame as clients send it, with a mask of zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes((0x80 | kind,)) + length + b"\0\0\0\0" + payload
