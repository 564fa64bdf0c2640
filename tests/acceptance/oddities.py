"""Requests that no client sends: what has to be refused, and what is odd but means one thing."""

from collections.abc import Callable

from tests.acceptance.harness import WORKSPACE
from tests.acceptance.signer import Signer
from tests.acceptance.sockets import head

KEY = f"/{WORKSPACE}/raw/known"
NEW = f"/{WORKSPACE}/raw/new"
VICTIM = f"/{WORKSPACE}/raw/victim"
KNOWN = b"what is known"
CHUNKED = "Transfer-Encoding: chunked"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

Make = Callable[[Signer], bytes]


def put(signer: Signer, *lines: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """A PUT of NEW."""
    return head(signer, "PUT", NEW, *lines, version=version) + body


def framed(
    signer: Signer, *lines: str, body: bytes = b"", length: int = 3, target: str = NEW
) -> bytes:
    """A PUT whose body is aws-chunked, of `length` decoded bytes."""
    headers = {"x-amz-decoded-content-length": str(length), "content-encoding": "aws-chunked"}
    return head(signer, "PUT", target, *lines, headers=headers, payload=TRAILER) + body


def chunk(data: bytes) -> bytes:
    """One of HTTP\'s chunks."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def get(signer: Signer, *lines: str, target: str = KEY, version: str = "HTTP/1.1") -> bytes:
    """A GET of KEY, which is known."""
    return head(signer, "GET", target, *lines, version=version)


SMUGGLED = f"DELETE {VICTIM} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
GOOD = chunk(b"3\r\nabc\r\n0\r\n\r\n") + b"0\r\n\r\n"

REFUSED: dict[str, Make] = {
    # One length, and only one.
    "two equal lengths": lambda s: put(s, "Content-Length: 3", "Content-Length: 3", body=b"abc"),
    "two lengths": lambda s: put(s, "Content-Length: 3", "Content-Length: 40", body=SMUGGLED),
    "two lengths in one": lambda s: put(s, "Content-Length: 3, 3", body=b"abc"),
    "length with a sign": lambda s: put(s, "Content-Length: +3", body=b"abc"),
    "negative length": lambda s: put(s, "Content-Length: -3", body=b"abc"),
    "length in hex": lambda s: put(s, "Content-Length: 0x3", body=b"abc"),
    "length with an underscore": lambda s: put(s, "Content-Length: 1_0", body=b"abcdefghij"),
    "length in other digits": lambda s: put(s, "Content-Length: \uff13", body=b"abc"),
    "no length at all": lambda s: put(s, "Content-Length:", body=b"abc"),
    "length beyond 64 bits": lambda s: put(s, f"Content-Length: {2**64 + 3}", body=b"abc"),
    "length and chunks": lambda s: put(
        s, "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED
    ),
    "chunks and length": lambda s: put(
        s, CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "length before a colon": lambda s: put(s, "Content-Length : 3", body=b"abc"),
    # Transfer codings that others read otherwise.
    "unknown coding": lambda s: put(s, "Transfer-Encoding: xchunked", body=GOOD + SMUGGLED),
    "identity": lambda s: put(s, "Transfer-Encoding: identity", body=GOOD),
    "identity and length": lambda s: put(
        s, "Transfer-Encoding: identity", "Content-Length: 3", body=b"abc"
    ),
    "chunked, then identity": lambda s: put(s, "Transfer-Encoding: chunked, identity", body=GOOD),
    "chunked twice": lambda s: put(s, "Transfer-Encoding: chunked, chunked", body=GOOD),
    "two coding headers": lambda s: put(s, CHUNKED, "Transfer-Encoding: cow", body=GOOD),
    "coding with a tab before": lambda s: put(s, "Transfer-Encoding:\x0bchunked", body=GOOD),
    "coding before a colon": lambda s: put(s, "Transfer-Encoding : chunked", body=GOOD),
    "quoted coding": lambda s: put(s, 'Transfer-Encoding: "chunked"', body=GOOD),
    "coding with a parameter": lambda s: put(s, "Transfer-Encoding: chunked;q=1", body=GOOD),
    "compressed for the way": lambda s: framed(s, "Transfer-Encoding: gzip, chunked", body=GOOD),
    "chunks without a length": lambda s: put(s, CHUNKED, body=chunk(b"abc") + b"0\r\n\r\n"),
    # Lines.
    "bare LF": lambda s: get(s).replace(b"\r\n", b"\n"),
    "bare LF in a header": lambda s: get(s, "X-A: 1\nX-B: 2"),
    "bare LF that hides a length": lambda s: put(s, "X-A: 1\nContent-Length: 3", body=b"abc"),
    "bare CR in a header": lambda s: get(s, "X-A: 1\rX-B: 2"),
    "folded header": lambda s: get(s, "X-A: 1\r\n two"),
    "folded signed header": lambda s: head(
        s, "GET", KEY, headers={"x-amz-meta-a": "one two"}
    ).replace(b"one two", b"one\r\n two"),
    "folded first header": lambda s: get(s).replace(b"\r\nhost", b"\r\n host"),
    "NUL in a value": lambda s: get(s, "X-A: a\0b"),
    "NUL in a name": lambda s: get(s, "X-\0A: b"),
    "control character in a value": lambda s: get(s, "X-A: a\x01b"),
    "delete in a value": lambda s: get(s, "X-A: a\x7fb"),
    "space before the colon": lambda s: get(s, "X-A : 1"),
    "no name": lambda s: get(s, ": 1"),
    "no colon": lambda s: get(s, "X-A"),
    "name of other letters": lambda s: get(s, "X-Ä: 1"),
    "no host": lambda s: get(s).replace(b"host: ", b"x-host: "),
    "two hosts": lambda s: get(s, "Host: elsewhere.example"),
    "CR LF in the target": lambda s: get(s).replace(b"known", b"known\r\nX-A: 1"),
    # Request lines.
    "no version": lambda _: f"GET {KEY}\r\n\r\n".encode(),
    "HTTP/2.0": lambda s: get(s, version="HTTP/2.0"),
    "HTTP/0.9": lambda s: get(s, version="HTTP/0.9"),
    "HTTP/1.2": lambda s: get(s, version="HTTP/1.2"),
    "HTTP/1.10": lambda s: get(s, version="HTTP/1.10"),
    "the preface of HTTP/2": lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "method in lower case": lambda s: get(s).replace(b"GET", b"get"),
    "unknown method": lambda s: get(s).replace(b"GET", b"FETCH"),
    "method of other letters": lambda s: get(s).replace(b"GET", "GËT".encode()),
    "space in the target": lambda s: get(s).replace(b"known", b"kno wn"),
    "tab in the target": lambda s: get(s).replace(b"known", b"kno\twn"),
    "NUL in the target": lambda s: get(s).replace(b"known", b"kno\0wn"),
    "raw bytes in the target": lambda s: get(s).replace(b"known", b"kno\xffwn"),
    "target without a slash": lambda s: get(s).replace(b" /", b" ", 1),
    "authority as target": lambda s: get(s).replace(KEY.encode(), b"127.0.0.1:80"),
    "asterisk to GET": lambda s: get(s).replace(KEY.encode(), b"*"),
    "tunnel": lambda s: get(s).replace(f"GET {KEY}".encode(), b"CONNECT 127.0.0.1:80"),
    "another host's URL": lambda s: get(s).replace(b" /", b" http://elsewhere.example/", 1),
    "another host's URL, empty": lambda s: get(s).replace(b" /", b" http://elsewhere.example?", 1),
    "URL with a user": lambda s: get(s).replace(b" /", f" http://a@{s.host}/".encode(), 1),
    "URL of another scheme": lambda s: get(s).replace(b" /", f" ftp://{s.host}/".encode(), 1),
    "TLS": lambda _: bytes.fromhex("16030100c8010000c40303") + bytes(189),
    "any bytes": lambda _: bytes(range(256)),
    "old websocket": lambda s: get(s, "Sec-WebSocket-Key1: 1"),
    # Chunks.
    "chunk size that is none": lambda s: framed(s, CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "chunk size with a sign": lambda s: framed(s, CHUNKED, body=b"-3\r\nabc\r\n0\r\n\r\n"),
    "chunk size in 0x": lambda s: framed(s, CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": lambda s: framed(s, CHUNKED, body=b"f" * 17 + b"\r\nabc"),
    "chunk size with a space before": lambda s: framed(s, CHUNKED, body=b" 3\r\nabc\r\n0\r\n\r\n"),
    "chunk of another length": lambda s: framed(s, CHUNKED, body=b"3\r\nabcd\r\n0\r\n\r\n"),
    "chunk line with a bare LF": lambda s: framed(s, CHUNKED, body=b"3\nabc\n0\n\n"),
    "chunk end with a bare LF": lambda s: framed(s, CHUNKED, body=b"3\r\nabc\n0\r\n\r\n"),
    "bare LF in an extension": lambda s: framed(s, CHUNKED, body=b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "endless trailers": lambda s: framed(
        s, CHUNKED, body=GOOD[:-2] + b"X-A: 1\r\n" * 5_000 + b"\r\n"
    ),
    "length in a trailer": lambda s: framed(
        s, CHUNKED, body=GOOD[:-2] + b"Content-Length: 9\r\n\r\n"
    ),
    "chunked body of a GET": lambda s: get(s, CHUNKED) + chunk(SMUGGLED) + b"0\r\n\r\n",
    # Heads that are too large: a line, a header, their number.
    "long target": lambda s: get(s, target=f"{KEY}?{'a' * 70_000}"),
    "long header": lambda s: get(s, f"X-A: {'a' * 70_000}"),
    "long name of a header": lambda s: get(s, f"X-{'a' * 70_000}: 1"),
    "many headers": lambda s: get(s, *[f"X-{number}: 1" for number in range(1_500)]),
}


ODD: dict[str, Make] = {
    "empty lines before": lambda s: b"\r\n\r\n" + get(s),
    "URL as target": lambda s: get(s).replace(b" /", f" http://{s.host}/".encode(), 1),
    "URL in upper case": lambda s: get(s).replace(b" /", f" HTTP://{s.host}/".encode(), 1),
    "names in upper case": lambda s: get(s).replace(b"host:", b"HOST:"),
    "no space after a colon": lambda s: get(s).replace(b": ", b":"),
    "much space after a colon": lambda s: get(s).replace(b": ", b": \t \t"),
    "space at a line's end": lambda s: get(s).replace(b"\r\nx-amz-date", b" \t\r\nx-amz-date"),
    "empty value": lambda s: get(s, "X-A:"),
    "200 headers": lambda s: head(
        s, "GET", KEY, headers={f"x-amz-meta-{number}": "1" for number in range(200)}
    ),
    "long header": lambda s: head(s, "GET", KEY, headers={"x-amz-meta-a": "a" * 60_000}),
    "long target": lambda s: get(s, target=f"{KEY}?x-id={'a' * 60_000}"),
    "unknown expectation": lambda s: get(s, "Expect: the-unexpected"),
    "signed headers named by Connection": lambda s: get(s, "Connection: host, authorization"),
    "body of a GET": lambda s: get(s, f"Content-Length: {len(SMUGGLED)}") + SMUGGLED,
    "HTTP/1.0 that stays": lambda s: get(s, "Connection: keep-alive", version="HTTP/1.0"),
}


BREAKS: dict[str, tuple[bytes, ...]] = {
    "size that is none": (b"zz\r\n",),
    "size with a bare LF": (b"3\nabc\n",),
    "more than was said": (b"3\r\nabcd\r\n0\r\n\r\n",),
    "no line end after the data": (b"3\r\nabc", b"0\r\n\r\n"),
    "a request in its place": (SMUGGLED,),
    "garbage after a trailer": (b"0\r\n", b"\x01\x02\r\n\r\n"),
}


LIES: dict[str, bytes] = {
    "chunk longer than the body": b"fff\r\nabc\r\n0\r\n\r\n",
    "chunk shorter than its data": b"2\r\nabc\r\n0\r\n\r\n",
    "chunk beyond 64 bits": b"1" + b"0" * 16 + b"\r\nabc\r\n0\r\n\r\n",
    "negative chunk": b"-3\r\nabc\r\n0\r\n\r\n",
    "chunk of nothing, then more": b"0\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "no last chunk": b"3\r\nabc\r\n",
    "a request in the last chunk's place": b"3\r\nabc\r\n" + SMUGGLED,
    "a request after the last chunk": b"3\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "long chunk line": b"3;" + b"a" * 5_000 + b"\r\nabc\r\n0\r\n\r\n",
}
