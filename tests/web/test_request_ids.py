"""Ids that no two requests have, whichever process answers them."""

import os
import re

from gateway.web import request_ids


def test_ids_are_sixteen_digits_and_each_another() -> None:
    drawn = [request_ids.draw() for _ in range(3 * request_ids.AT_ONCE)]
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch("[0-9A-F]{16}", each) for each in drawn)


def test_a_forked_process_draws_ids_of_its_own() -> None:
    request_ids.draw()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, request_ids.draw().encode())
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        os.close(writer)
        theirs = told.read()
    ours = [request_ids.draw() for _ in range(request_ids.AT_ONCE)]
    assert len(theirs) == request_ids.DIGITS
    assert theirs not in ours
