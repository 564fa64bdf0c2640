"""No input takes the tools of the wire more than linear time, however it is meant."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import GatewayError
from gateway.s3.address import (
    SEAWEEDFS_RULES,
    Address,
    Query,
    encode_copy_source,
    parse_copy_source,
    parse_path,
    virtual_host,
)
from gateway.s3.canonical import header_value, normal_path, normal_query, raw_query
from gateway.s3.chunked import ChunkDecoder
from gateway.s3.claim import parse_claim
from gateway.s3.deletion import parse_delete
from gateway.s3.hoisting import lift_headers
from gateway.s3.listing import parse_listing
from gateway.s3.message import Request
from gateway.s3.naming import Names
from gateway.s3.operation import identify
from gateway.s3.payload import content_encoding, parse_payload
from gateway.s3.sigv4 import verify
from gateway.s3.translation import Translator
from gateway.s3.xml import escape, parse
from tests.s3.framing import SIGNING, fed
from tests.s3.growth import Work, is_linear
from tests.s3.oracle import arrived, body_of, claim_of, signed

NAMES = Names("shown", "hidden", "team/")
SIGNATURE = "ab" * 32
SCOPE = "20240229/r/s3/aws4_request"


def each(call: Callable[[str], object], *texts: str) -> Work:
    """The call for each text; what it refuses it refuses."""

    def work() -> None:
        for text in texts:
            with suppress(GatewayError):
                call(text)

    return work


def claiming(authorization: str, date: str = "20240229T123456Z") -> Work:
    headers = CIMultiDict(
        {"Authorization": authorization, "Date": date, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    )
    return each(lambda _: parse_claim(headers, Query()), "")


def header(credential: str = f"K/{SCOPE}", names: str = "host", signature: str = SIGNATURE) -> Work:
    return claiming(
        f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    )


def verifying(request: Request) -> Work:
    claim = claim_of(request)
    late = claim.timestamp + timedelta(seconds=1)
    return each(lambda secret: verify(claim, secret, request, late), "a wrong secret")


def signing(headers: Iterable[tuple[str, str]], query: str = "") -> Work:
    """Verify a request with all these headers signed."""
    fields = CIMultiDict(signed("GET", "/b/k").headers)
    fields.extend(headers)
    names = ";".join(sorted({name.lower() for name in fields} - {"authorization"}))
    fields["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=K/{fields['X-Amz-Date'][:8]}/r/s3/aws4_request,"
        f"SignedHeaders={names},Signature={SIGNATURE}"
    )
    return verifying(Request("GET", "/b/k", query, CIMultiDictProxy(fields), body_of([])))


def presigned(pairs: str) -> Work:
    request = signed("GET", f"/b/k?{pairs}", expires=60)
    return verifying(arrived("GET", f"/b/k?{request.query}&{pairs}", {"Host": "other.test"}))


def decoding(body: bytes, length: int, piece: int = 7, *, signed_too: bool = False) -> Work:
    def work() -> None:
        decoder = ChunkDecoder(length, SIGNING if signed_too else None, (), trailing=True)
        with suppress(GatewayError):
            for place in range(0, len(body), piece):
                fed(decoder, body[place : place + piece])
            decoder.finish()

    return work


def translating(body: str, piece: int = 100) -> Work:
    data = body.encode()

    def work() -> None:
        translator = Translator(NAMES)
        with suppress(GatewayError):
            for place in range(0, len(data), piece):
                translator.feed(data[place : place + piece])
            translator.close()

    return work


def parsing(call: Callable[[bytes], object], body: str) -> Work:
    return each(lambda text: call(text.encode()), body)


def listing(inner: str) -> str:
    return f"<ListBucketResult><Name>hidden</Name>{inner}</ListBucketResult>"


KILO = 1_000
HOSTILE: dict[str, tuple[int, Callable[[int], Work]]] = {
    # Addresses.
    "many pairs": (
        60 * KILO,
        lambda n: each(lambda t: Query.parse(t).encode(), "a=1&" * n, "&" * n),
    ),
    "pairs of one name": (
        60 * KILO,
        lambda n: each(lambda t: Query.parse(t).replacing("a", "2").encode(), "a&" * n),
    ),
    "escapes": (60 * KILO, lambda n: each(Query.parse, "%41" * n, "%C3" * n, "%" * n, "=" * n)),
    "path": (60 * KILO, lambda n: each(parse_path, "/" * n, "/b/" + "%2F" * n, "/" + "%" * n)),
    "path of bytes": (60 * KILO, lambda n: each(parse_path, "/b/" + "\udcff" * n, "/b/" + "ä" * n)),
    "folding": (
        60 * KILO,
        lambda n: each(SEAWEEDFS_RULES.fold, "/" * n, "/\\" * n, "a/" * n, "a//b\\\\" * n),
    ),
    "private keys": (
        60 * KILO,
        lambda n: each(SEAWEEDFS_RULES.is_private, "a/" * n, ".versions" * n),
    ),
    "copy source": (
        60 * KILO,
        lambda n: each(parse_copy_source, "b/" + "?" * n, "b/k?versionId=" + "a" * n, "/" * n),
    ),
    "copy source, written": (
        60 * KILO,
        lambda n: each(lambda t: encode_copy_source(Address("b", t), t), "ä" * n, "?" * n),
    ),
    "host": (60 * KILO, lambda n: each(lambda t: virtual_host(t, "s3.test"), "a." * n, ":" * n)),
    # Canonical forms.
    "normal path": (
        60 * KILO,
        lambda n: each(normal_path, "%zz" * n, "%7e" * n, "//" * n, "%" * n),
    ),
    "normal query": (
        60 * KILO,
        lambda n: each(lambda t: normal_query(t.split("&")), "b=%7e&" * n, "=" * n, "&" * n),
    ),
    "sorted query": (
        60 * KILO,
        lambda n: each(lambda t: raw_query(t.split("&")), "&".join(map(str, range(n))), "a&" * n),
    ),
    "header values": (
        60 * KILO,
        lambda n: each(lambda t: header_value([t]), " " * n + "a", "a \t" * n, "a" + "\t" * n),
    ),
    "many header values": (60 * KILO, lambda n: each(lambda t: header_value([t] * n), " a  b ")),
    # Claims.
    "fields": (60 * KILO, lambda n: claiming("AWS4-HMAC-SHA256 " + "a=b," * n)),
    "equal signs": (60 * KILO, lambda n: claiming("AWS4-HMAC-SHA256 " + "=" * n)),
    "scheme": (60 * KILO, lambda n: claiming(" " * n + "AWS4-HMAC-SHA256")),
    "credential": (60 * KILO, lambda n: header(credential="/" * n)),
    "signed headers": (60 * KILO, lambda n: header(names="host" + ";a" * n + "!")),
    "long signed header": (60 * KILO, lambda n: header(names="a" * n + "!")),
    "signature": (60 * KILO, lambda n: header(signature="a" * n)),
    "date of digits": (
        60 * KILO,
        lambda n: claiming(
            f"AWS4-HMAC-SHA256 Credential=K/{SCOPE},SignedHeaders=host,Signature={SIGNATURE}",
            "1" * n,
        ),
    ),
    "date of words": (
        60 * KILO,
        lambda n: claiming(
            f"AWS4-HMAC-SHA256 Credential=K/{SCOPE},SignedHeaders=host,Signature={SIGNATURE}",
            "Mon, " * n,
        ),
    ),
    "date of comments": (
        60 * KILO,
        lambda n: claiming(
            f"AWS4-HMAC-SHA256 Credential=K/{SCOPE},SignedHeaders=host,Signature={SIGNATURE}",
            "(" * n,
        ),
    ),
    "date of colons": (
        60 * KILO,
        lambda n: claiming(
            f"AWS4-HMAC-SHA256 Credential=K/{SCOPE},SignedHeaders=host,Signature={SIGNATURE}",
            "1 Jan 2024 " + "1:" * n,
        ),
    ),
    # Signatures.
    "many signed headers": (
        8 * KILO,
        lambda n: signing((f"x-amz-meta-{number}", "1") for number in range(n)),
    ),
    "headers of one name": (8 * KILO, lambda n: signing([("x-amz-meta-a", "  1  ")] * n)),
    "many signed pairs": (8 * KILO, lambda n: signing((), "a=%7e&" * n)),
    "many presigned pairs": (
        8 * KILO,
        lambda n: presigned("&".join(f"a{number}=~" for number in range(n))),
    ),
    "parameters": (
        60 * KILO,
        lambda n: each(
            lambda t: identify("GET", Address("b", "k"), Query.parse(t), CIMultiDict()),
            "&".join(f"a{number}" for number in range(n)),
            "acl&" * n,
        ),
    ),
    "lifted headers": (
        8 * KILO,
        lambda n: each(
            lambda t: lift_headers(Query.parse(t), CIMultiDict()),
            "X-Amz-Signature=a&" + "&".join(f"x-amz-meta-{number}=1" for number in range(n)),
        ),
    ),
    "announced trailers": (
        60 * KILO,
        lambda n: each(
            lambda t: parse_payload(CIMultiDict({"x-amz-trailer": t}), "UNSIGNED-PAYLOAD", 0),
            "a," * n,
            " " * n,
        ),
    ),
    "content encodings": (60 * KILO, lambda n: each(content_encoding, "aws-chunked," * n, " " * n)),
    # Chunks.
    "chunks of a byte": (20 * KILO, lambda n: decoding(b"1\r\na\r\n" * n, n)),
    "signed chunks of a byte": (
        4 * KILO,
        lambda n: decoding(
            b"1;chunk-signature=%s\r\na\r\n" % SIGNATURE.encode() * n, n, signed_too=True
        ),
    ),
    "one chunk in many pieces": (
        60 * KILO,
        lambda n: decoding(b"%x\r\n%s\r\n" % (n, b"a" * n), n, 1),
    ),
    "line ends after the end": (60 * KILO, lambda n: decoding(b"0\r\n\r\n" + b"\r\n" * n, 0, 3)),
    "one large piece": (60 * KILO, lambda n: decoding(b"1\r\na\r\n" * n, n, 1 << 30)),
    # Documents.
    "nested elements": (20 * KILO, lambda n: parsing(parse, "<a>" * n + "</a>" * n)),
    "attributes": (
        20 * KILO,
        lambda n: parsing(parse, "<a " + " ".join(f"a{number}=''" for number in range(n)) + "/>"),
    ),
    "references": (60 * KILO, lambda n: parsing(parse, f"<a>{'&amp;' * n}</a>")),
    "namespaces": (20 * KILO, lambda n: parsing(parse, f"<a:b>{'<a:c/>' * n}</a:b>")),
    "escaping": (60 * KILO, lambda n: each(escape, "&" * n, "\0" * n, "a" * n, "\ud800" * n)),
    "deletions": (
        4 * KILO,
        lambda n: parsing(parse_delete, f"<Delete>{'<Object><Key>a</Key></Object>' * n}</Delete>"),
    ),
    "keys of a deletion": (
        8 * KILO,
        lambda n: parsing(parse_delete, f"<Delete><Object>{'<Key>a</Key>' * n}</Object></Delete>"),
    ),
    "entries": (
        4 * KILO,
        lambda n: parsing(parse_listing, listing("<Contents><Key>a</Key></Contents>" * n)),
    ),
    "owners of an entry": (
        8 * KILO,
        lambda n: parsing(parse_listing, listing(f"<Contents>{'<Owner/>' * n}</Contents>")),
    ),
    # Translation.
    "translated entries": (
        4 * KILO,
        lambda n: translating(listing("<Contents><Key>team/a</Key></Contents>" * n)),
    ),
    "hidden entries": (
        4 * KILO,
        lambda n: translating(listing("<Contents><Key>other/a</Key></Contents>" * n)),
    ),
    "entry of many keys": (
        8 * KILO,
        lambda n: translating(listing(f"<Contents>{'<Key>team/a</Key>' * n}</Contents>")),
    ),
    "long name": (60 * KILO, lambda n: translating(listing(f"<Prefix>team/{'a' * n}</Prefix>"))),
    "name of references": (
        60 * KILO,
        lambda n: translating(listing(f"<Prefix>team/{'&#97;' * n}</Prefix>")),
    ),
    "name of sections": (
        20 * KILO,
        lambda n: translating(listing(f"<Prefix>{'<![CDATA[a]]>' * n}</Prefix>")),
    ),
    "long text": (60 * KILO, lambda n: translating(listing(f"<Other>{'a' * n}</Other>"), 10)),
    "long comment": (800 * KILO, lambda n: translating(listing(f"<!--{'a' * n}-->"), 10)),
    "long attribute": (800 * KILO, lambda n: translating(f"<a b='{'a' * n}'/>", 10)),
    "long tag": (800 * KILO, lambda n: translating(f"<{'a' * n}/>", 10)),
    "white space first": (60 * KILO, lambda n: translating(" " * n + "<a/>", 10)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_eight_times_as_much_takes_about_eight_times_as_long(name: str) -> None:
    largest, make = HOSTILE[name]
    assert is_linear(make, largest)
