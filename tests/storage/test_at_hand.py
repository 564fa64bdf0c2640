"""A body that is at hand is the whole one, and nothing less."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.storage.wire.answer import Answer
from gateway.storage.wire.connection import Connection
from gateway.storage.wire.head import answer_head
from gateway.storage.wire.incoming import Incoming


def came(*pieces: bytes, ended: bool = True) -> Incoming:
    incoming = Incoming("GET", asyncio.get_running_loop())
    incoming.head = answer_head(b"HTTP/1.1 200 OK\r\nContent-Length: 8", "GET")
    incoming.pieces.extend(pieces)
    incoming.held = sum(map(len, pieces))
    incoming.ended = ended
    return incoming


def answering(incoming: Incoming, sending: asyncio.Task[None] | None = None) -> Answer:
    return Answer(Connection(lambda _: None), incoming, sending)


async def test_body_in_one_piece_is_at_hand_once() -> None:
    incoming = came(b"12345678")
    answer = answering(incoming)
    assert answer.at_hand(8) == b"12345678"
    assert (incoming.held, len(incoming.pieces)) == (0, 0)
    assert answer.at_hand(8) is None


@pytest.mark.parametrize(
    ("pieces", "ended", "limit"),
    [
        ((b"1234",), False, 8),
        ((b"1234", b"5678"), True, 8),
        ((b"12345678",), True, 7),
        ((), True, 8),
    ],
)
async def test_what_is_not_the_whole_body_stays_to_be_read(
    pieces: Sequence[bytes], limit: int, *, ended: bool
) -> None:
    incoming = came(*pieces, ended=ended)
    assert answering(incoming).at_hand(limit) is None
    assert (*incoming.pieces,) == pieces
    assert incoming.held == sum(map(len, pieces))


async def test_answer_before_the_end_of_its_request_is_not_at_hand() -> None:
    sending = asyncio.create_task(asyncio.sleep(10))
    answer = answering(came(b"12345678"), sending)
    assert answer.at_hand(8) is None
    assert await answer.read(8) == b"12345678"
    assert sending.cancelled()
