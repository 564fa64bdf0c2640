"""What no client sends: each has one clear answer or a closed connection, and no second meaning.

The backend's side is watched. What is refused reaches it not at all; what is odd but means one
thing reaches it once, and the connection is in step afterwards.
"""

import hashlib
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Gateway
from tests.acceptance.oddities import (
    BREAKS,
    CHUNKED,
    GOOD,
    KEY,
    KNOWN,
    LIES,
    NEW,
    ODD,
    REFUSED,
    SMUGGLED,
    chunk,
    framed,
    get,
    put,
)
from tests.acceptance.signer import Signer
from tests.acceptance.sockets import Said, bytewise, head, say
from tests.acceptance.wire import WireTap

LAST = b"GET /_health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ALIVE = b'{"status": "ok"}'


@pytest.fixture(scope="module", autouse=True)
def known(backend: Backend) -> Iterator[None]:
    """Two objects that requests name."""
    client = backend.client()
    for key in ("raw/known", "raw/victim"):
        client.put_object(Bucket=WORKSPACE, Key=key, Body=KNOWN)
    yield
    for key in ("raw/known", "raw/victim"):
        found = client.get_object(Bucket=WORKSPACE, Key=key)["Body"].read()
        assert found == KNOWN, f"{key} was changed"


@pytest.fixture(autouse=True)
def nothing_heard(tap: WireTap, tapped: Gateway) -> Iterator[None]:
    """What the backend heard before is forgotten; afterwards the gateway serves others still."""
    tap.forget()
    yield
    assert tapped.request("GET", "/_health/live").status == 200


def heard(tap: WireTap) -> list[tuple[str, str]]:
    return [(each.method, each.path) for each in tap.requests]


def in_step(said: Said, count: int) -> None:
    """The last of so many answers is the one that LAST asked for."""
    assert len(said.answers) == count, said
    assert said.answers[-1].status == 200, said
    assert said.answers[-1].body == ALIVE, said
    assert said.closed


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_once_and_the_backend_hears_nothing(
    name: str, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    said = say(tapped, REFUSED[name](signer), then=LAST)
    first = said.answers[0]
    assert first.status in (400, 411, 501), said
    assert first.whole
    assert first.headers["server"] == "ArtifactGateway", said
    if len(said.answers) > 1:
        in_step(said, 2)
    assert not said.rest
    assert heard(tap) == []


@pytest.mark.parametrize("name", ODD)
def test_it_means_one_thing_and_the_connection_stays_in_step(
    name: str, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    said = say(tapped, ODD[name](signer) + LAST)
    in_step(said, 2)
    assert said.statuses == [200, 200]
    assert said.answers[0].body == KNOWN
    assert heard(tap) == [("GET", KEY)]
    assert not tap.requests[0].body
    for header in ("connection", "expect", "te"):
        assert tap.requests[0].header(header) in (None, "keep-alive")


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0", "websocket, h2c"])
def test_upgrade_is_declined_and_ends_the_connection(
    protocol: str, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    lines = [
        "Connection: Upgrade, HTTP2-Settings",
        f"Upgrade: {protocol}",
        "HTTP2-Settings: AAMAAABkAAQ",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    said = say(tapped, get(signer, *lines) + SMUGGLED[:9], SMUGGLED[9:] + get(signer))
    assert (said.one.status, said.one.body) == (200, KNOWN)
    assert said.closed
    assert heard(tap) == [("GET", KEY)]
    assert tap.requests[0].header("upgrade") is None


def test_long_presigned_url_is_served(tapped: Gateway, tap: WireTap, signer: Signer) -> None:
    target = signer.presigned("GET", f"{KEY}?x-id={'a' * 9_000}")
    assert len(target) > 9_000
    said = say(tapped, f"GET {target} HTTP/1.1\r\nHost: {signer.host}\r\n\r\n".encode() + LAST)
    in_step(said, 2)
    assert said.answers[0].body == KNOWN
    assert heard(tap) == [("GET", KEY)]


def test_old_http_is_answered_and_over(tapped: Gateway, tap: WireTap, signer: Signer) -> None:
    said = say(tapped, get(signer, version="HTTP/1.0"))
    assert (said.one.status, said.one.body) == (200, KNOWN)
    assert said.closed
    assert heard(tap) == [("GET", KEY)]


def test_request_may_come_byte_by_byte(
    tapped: Gateway, tap: WireTap, signer: Signer, backend: Backend
) -> None:
    sha = hashlib.sha256(b"in pieces").hexdigest()
    whole = head(signer, "PUT", NEW, "Content-Length: 9", payload=sha) + b"in pieces"
    said = say(tapped, *bytewise(whole + LAST), pause=0.0005)
    in_step(said, 2)
    assert heard(tap) == [("PUT", NEW)]
    assert (
        backend.client().get_object(Bucket=WORKSPACE, Key="raw/new")["Body"].read() == b"in pieces"
    )


def test_pipelined_requests_are_answered_in_order(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    requests: list[bytes] = []
    expected: list[tuple[int, bytes | None]] = []
    for number in range(40):  # more than aiohttp holds at once
        target, body = f"/{WORKSPACE}/raw/piped-{number}", b"%d" % number * 1_000
        requests += [
            head(signer, "PUT", target, f"Content-Length: {len(body)}") + body,
            get(signer, target=target),
            get(signer, target=f"{target}-absent"),
            head(signer, "HEAD", target),
        ]
        expected += [(200, b""), (200, body), (404, None), (200, b"")]
    methods = ["PUT", "GET", "GET", "HEAD"] * 40
    said = say(tapped, b"".join(requests) + LAST, methods=methods)
    in_step(said, len(expected) + 1)
    for answer, (status, wanted) in zip(said.answers, expected, strict=False):
        assert answer.status == status
        assert wanted is None or answer.body == wanted
    assert [method for method, _ in heard(tap)] == methods


@pytest.mark.parametrize("bad", [b"GARBAGE\r\n\r\n", b"\0" * 100, b"GET / HTTP/1.1\r\nA b\r\n\r\n"])
def test_garbage_after_a_request_is_refused_once_and_ends_it(
    bad: bytes, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    said = say(tapped, get(signer), bad, LAST, pause=0.2)
    assert said.statuses == [200, 400]
    assert said.answers[0].body == KNOWN
    assert said.closed
    assert heard(tap) == [("GET", KEY)]


def test_requests_follow_errors_in_step(tapped: Gateway, tap: WireTap, signer: Signer) -> None:
    refused = f"PUT {NEW} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".encode()
    absent = get(signer, target=f"/{WORKSPACE}/raw/absent")
    said = say(tapped, absent + refused + absent + get(signer) + LAST)
    in_step(said, 5)
    assert said.statuses == [404, 403, 404, 200, 200]
    assert said.answers[3].body == KNOWN
    assert [path for _, path in heard(tap)] == [absent.split()[1].decode()] * 2 + [KEY]


def test_body_refused_early_is_no_next_request(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    start = f"PUT {NEW} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    said = say(tapped, start, get(signer), answers=1)
    assert said.one.status == 403
    assert said.one.headers["connection"] == "close"
    waiting = start.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    said = say(tapped, waiting, get(signer))
    assert said.one.status == 403
    assert said.closed
    assert heard(tap) == []


def test_what_follows_a_body_is_the_next_request(
    tapped: Gateway, tap: WireTap, signer: Signer, backend: Backend
) -> None:
    said = say(tapped, put(signer, "Content-Length: 3", body=b"abc") + get(signer) + LAST)
    in_step(said, 3)
    assert said.answers[1].body == KNOWN
    said = say(tapped, framed(signer, CHUNKED, body=GOOD) + get(signer) + LAST)
    in_step(said, 3)
    assert said.answers[1].body == KNOWN
    assert heard(tap) == [("PUT", NEW), ("GET", KEY)] * 2
    stored = backend.client().get_object(Bucket=WORKSPACE, Key="raw/new")["Body"].read()
    assert stored == b"abc"


@pytest.mark.parametrize(
    "extension", [b"a=b", b'a="b\\"c"', b"x" * 1_000, b"a=b" + b";c=d" * 500], ids=len
)
def test_chunk_extensions_mean_nothing(
    extension: bytes, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    body = GOOD.replace(b"\r\n", b";" + extension + b"\r\n", 1)
    said = say(tapped, framed(signer, CHUNKED, body=body) + LAST)
    in_step(said, 2)
    assert heard(tap) == [("PUT", NEW)]


def test_trailers_of_chunks_mean_nothing(tapped: Gateway, tap: WireTap, signer: Signer) -> None:
    trailers = b"X-A: 1\r\nx-amz-acl: public-read\r\n"
    said = say(tapped, framed(signer, CHUNKED, body=GOOD[:-2] + trailers + b"\r\n") + LAST)
    in_step(said, 2)
    assert heard(tap) == [("PUT", NEW)]
    assert tap.requests[0].header("x-amz-acl") is None


@pytest.mark.parametrize("name", BREAKS)
def test_chunks_that_break_off_while_they_are_read_have_one_answer_and_make_no_object(
    name: str, tapped: Gateway, tap: WireTap, signer: Signer, backend: Backend
) -> None:
    target = NEW.replace("new", "broken")
    start = framed(signer, CHUNKED, length=100_000, target=target)
    begun = chunk(b"186a0\r\n" + b"a" * 50_000)
    said = say(tapped, start, begun, *BREAKS[name], SMUGGLED)
    assert said.one.status == 400
    assert said.closed
    assert set(heard(tap)) <= {("PUT", target)}
    assert len(heard(tap)) <= 1
    assert (
        not backend.client().list_objects_v2(Bucket=WORKSPACE, Prefix="raw/broken").get("Contents")
    )


@pytest.mark.parametrize("name", LIES)
def test_aws_chunks_that_lie_make_no_object_and_no_second_request(
    name: str, tapped: Gateway, tap: WireTap, signer: Signer, backend: Backend
) -> None:
    target, body = NEW.replace("new", "lying"), LIES[name]
    start = framed(signer, f"Content-Length: {len(body)}", target=target)
    said = say(tapped, start, body, then=LAST)
    assert said.answers[0].status == 400, said
    assert len(said.answers) == 1 or said.answers[1].body == ALIVE
    assert set(heard(tap)) <= {("PUT", target)}
    assert (
        not backend.client().list_objects_v2(Bucket=WORKSPACE, Prefix="raw/lying").get("Contents")
    )


@pytest.mark.parametrize("sent", [0, 1, 70_000, 199_999])
def test_body_that_stops_is_answered_or_closed_and_makes_no_object(
    sent: int, tapped: Gateway, tap: WireTap, signer: Signer, backend: Backend
) -> None:
    target = NEW.replace("new", "stopping")
    start = head(signer, "PUT", target, "Content-Length: 200000")
    said = say(tapped, start, b"a" * sent, shut=True)
    assert said.statuses in ([], [400])
    assert said.closed
    assert set(heard(tap)) <= {("PUT", target)}
    found = backend.client().list_objects_v2(Bucket=WORKSPACE, Prefix="raw/stopping")
    assert not found.get("Contents")


def test_expectation_is_met_when_the_request_is_believed(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    start = head(signer, "PUT", NEW, "Content-Length: 3", "Expect: 100-continue")
    said = say(tapped, start, b"abc" + LAST, pause=0.3)
    in_step(said, 2)
    assert said.statuses == [200, 200]
    assert heard(tap) == [("PUT", NEW)]


def test_asterisk_and_root_are_no_bucket(tapped: Gateway, tap: WireTap) -> None:
    said = say(tapped, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", then=LAST)
    assert said.answers[0].status < 500 or said.answers[0].status == 501
    assert said.answers[0].headers["server"] == "ArtifactGateway"
    in_step(said, 2)
    assert heard(tap) == []


def test_refusals_of_what_is_no_request_are_s3_s_and_repeat_nothing(
    tapped: Gateway, signer: Signer
) -> None:
    answer = say(tapped, get(signer, "X-A : 1")).one
    assert b"<Code>InvalidRequest</Code>" in answer.body
    assert answer.headers["content-type"] == "application/xml"
    answer = say(tapped, get(signer, f"X-A: {'a' * 70_000}")).one
    assert b"<Code>RequestHeaderSectionTooLarge</Code>" in answer.body
    bare = get(signer).replace(b"\r\n", b"\n")
    say(tapped, bare)
    say(tapped, get(signer, "X-Token: hush\x01hush"))
    log = tapped.logged()
    assert "hush" not in log
    assert bare.partition(b"Signature=")[2].strip().decode() not in log
    assert "Traceback" not in log
    assert '"error": "InvalidRequest"' in log
