"""Which answers are given again in the words of one before."""

from dataclasses import replace

from aiohttp.helpers import rfc822_formatted_time

from gateway.s3.message import Reply
from gateway.web.reply import Before, _Framing
from gateway.web.telling import Telling, telling

FIRST, SECOND = "0" * 16, "F" * 16


def told(reply: Reply) -> Telling:
    head = f"X: {FIRST}\r\nY: {FIRST}\r\nDate: {rfc822_formatted_time()}\r\n\r\n".encode()
    framing = _Framing(bodiless=False, chunked=False, length=0, lasting=True)
    known = telling(reply, Before(framing, 200, head), FIRST)
    assert known is not None
    return known


def test_an_answer_to_the_same_is_told_with_another_id() -> None:
    reply = Reply(200, public=True, of=("a version",))
    again = told(reply).again(replace(reply), SECOND)
    assert again is not None
    assert again.head.count(SECOND.encode()) == 2
    assert FIRST.encode() not in again.head


def test_what_tells_of_another_thing_or_is_for_others_has_a_head_of_its_own() -> None:
    reply = Reply(200, public=True, of=("a version",))
    assert told(reply).again(replace(reply, of=("another",)), SECOND) is None
    assert told(reply).again(replace(reply, public=False), SECOND) is None
