"""The translator: however a document arrives it says the same, and changes nothing but names."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.s3.naming import Names
from gateway.s3.translation import Translator
from gateway.s3.xml import escape, parse
from tests.s3.framing import split

NAMES = Names("shown", "hidden", "team a/ä/", "http://gateway.test/shown/", "k")
CUTS = st.lists(st.integers(0, 3_000), max_size=15)
TAGS = st.sampled_from(
    [
        *("ListBucketResult", "ListVersionsResult", "Error", "CompleteMultipartUploadResult"),
        *("Contents", "CommonPrefixes", "Version", "Upload", "Deleted", "Key", "Prefix", "Name"),
        *("Bucket", "Location", "Resource", "KeyCount", "NextMarker", "s:Key", "Other"),
    ]
)
TEXTS = st.sampled_from(
    [
        *("team a/ä/x", "team+a/%C3%A4/x", "team%20a%2F%c3%a4%2Fy", "hidden", "elsewhere/z", "7"),
        *("http://10.0.0.1/hidden/team%20a/x", "/hidden/team a/ä/k", "&amp;", "&#228;", "]]&gt;"),
        *("<![CDATA[team a/ä/<k>]]>", "<!-- hidden -->", "<?hidden?>", "\r\n", " ", ""),
    ]
)
NOISE = st.sampled_from(
    [
        *(b"<", b">", b"</Key>", b"&", b"&x;", b"\0", b"\xff", b"<!DOCTYPE a>", b"<!ENTITY a 'b'>"),
        *(b"<?xml version='1.0' encoding='utf-16'?>", b"<![CDATA[", b"]]>", b"\xef\xbb\xbf", b" "),
    ]
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 4) -> str:
    """An element as some backend may write it, and elements in it."""
    tag = draw(TAGS)
    inner = [draw(TEXTS) for _ in range(draw(st.integers(0, 2)))]
    if depth:
        inner += [draw(elements(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    space = draw(st.sampled_from(["", " ", "\n", ' a="b"', " xmlns:s='hidden'"]))
    return f"<{tag}{space}>{''.join(inner)}</{tag.partition(' ')[0]}>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A document, perhaps spoilt somewhere."""
    start = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n', " \n", "\ufeff"]))
    raw = f"{start}{draw(elements())}{draw(st.sampled_from(['', chr(10)]))}".encode()
    if draw(st.booleans()):
        place = draw(st.integers(0, len(raw)))
        raw = raw[:place] + draw(NOISE) + raw[place + draw(st.integers(0, 2)) :]
    return raw


def outcome(pieces: list[bytes], names: Names = NAMES) -> bytes | type[GatewayError]:
    """The document that comes out, or the error that it ends with."""
    translator = Translator(names)
    try:
        out = [translator.feed(piece) for piece in pieces]
        return b"".join([*out, translator.close()])
    except GatewayError as error:
        return type(error)


@settings(max_examples=250, deadline=None)
@given(documents(), CUTS)
def test_any_split_has_the_outcome_of_the_whole(raw: bytes, cuts: list[int]) -> None:
    whole = outcome([raw])
    assert outcome(split(raw, cuts)) == whole
    assert outcome([bytes((byte,)) for byte in raw]) == whole


@settings(max_examples=120, deadline=None)
@given(documents(), CUTS)
def test_names_that_do_not_occur_change_no_byte(raw: bytes, cuts: list[int]) -> None:
    apart = Names("shown", "a-bucket-of-another-name")
    out = outcome(split(raw, cuts), apart)
    assert out == raw or isinstance(out, type)


KEYS = st.lists(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        min_size=1,  # the key that is the prefix itself is not shown
        max_size=9,
    ),
    max_size=5,
)
BETWEEN = st.sampled_from(
    ["", "\n  ", "<!-- hidden/team a/ä/ -->", "<Other>team a/ä/</Other>", "<?x?>"]
)


@settings(max_examples=150, deadline=None)
@given(KEYS, st.lists(BETWEEN, min_size=12, max_size=12), CUTS)
def test_everything_but_the_names_comes_out_as_it_came(
    keys: list[str], between: list[str], cuts: list[int]
) -> None:
    def document(bucket: str, prefix: str) -> bytes:
        spaces = iter(between)
        entries = "".join(
            f"{next(spaces)}<Contents>{next(spaces)}<Key >{escape(prefix + key)}</Key>"
            f"<ETag>&#34;team a/ä/&#x22;</ETag></Contents>"
            for key in keys
        )
        return f"<ListBucketResult><Name>{bucket}</Name>{entries}\r\n</ListBucketResult>\n".encode()

    out = outcome(split(document("hidden", "team a/ä/"), cuts))
    assert out == document("shown", "")
    assert isinstance(out, bytes)
    assert [each.text or "" for each in parse(out).iter("Key")] == keys
