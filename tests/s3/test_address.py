"""Paths, keys, queries and copy sources: one meaning for every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, InvalidArgument, InvalidURI, KeyTooLong
from gateway.s3.address import (
    SEAWEEDFS_RULES,
    Address,
    KeyRules,
    Query,
    encode_copy_source,
    encode_key,
    encode_path,
    parse_copy_source,
    parse_path,
    valid_bucket_name,
    virtual_host,
)
from gateway.s3.canonical import normal_path, normal_query
from tests.s3.oracle import refusals

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
WIRE = st.binary(max_size=60).map(lambda data: "/" + data.decode("utf-8", "surrogateescape"))
SPELLED = st.lists(
    st.sampled_from(
        [
            "a",
            "B",
            "~",
            "/",
            "//",
            "..",
            ".",
            "+",
            "%20",
            "%2F",
            "%2f",
            "%7E",
            "%7e",
            "%41",
            "%25",
            "%C3%A4",
            "%c3%a4",
            "%00",
            "%zz",
            "%",
            " ",
            "ä",
            "\\",
            "?",
            "&",
            "=",
        ]
    ),
    max_size=12,
).map(lambda parts: "/" + "".join(parts))


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/", Address("", "")),
        ("/bucket", Address("bucket", "")),
        ("/bucket/", Address("bucket", "")),
        ("/bucket/key", Address("bucket", "key")),
        ("/bucket//key", Address("bucket", "/key")),
        ("/bucket/a%2Fb%20c+d%2B", Address("bucket", "a/b c+d+")),
        ("/bucket/%252F", Address("bucket", "%2F")),
        ("/bucket/a/../b", Address("bucket", "a/../b")),
        ("/bucket/%C3%A4/~%7E", Address("bucket", "ä/~~")),
        ("/bucket/ä", Address("bucket", "ä")),
        ("/bu%63ket/key", Address("bucket", "key")),
        ("/bucket%2Fkey", Address("bucket/key", "")),
        ("/bucket/caf\udcc3\udca9", Address("bucket", "café")),
    ],
)
def test_path_is_split_on_the_wire_and_decoded_once(path: str, address: Address) -> None:
    assert parse_path(path) == address


def test_path_below_a_virtual_host_is_all_key() -> None:
    assert parse_path("/a/b", "bucket") == Address("bucket", "a/b")
    assert parse_path("/", "bucket") == Address("bucket", "")


@pytest.mark.parametrize(
    "path", ["/b/%", "/b/%4", "/b/%zz", "/b/%ff", "/b/%c3", "/b/a%00", "b/k", ""]
)
def test_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(InvalidURI):
        parse_path(path)


def test_key_has_at_most_1024_bytes() -> None:
    assert parse_path("/b/" + "ä" * 512).key == "ä" * 512
    with pytest.raises(KeyTooLong) as caught:
        parse_path("/b/" + "ä" * 512 + "a")
    assert caught.value.details == {"Size": 1025, "MaxSizeAllowed": 1024}


@given(TEXT)
def test_encoded_key_parses_back_to_itself(key: str) -> None:
    try:
        assert parse_path(encode_path(Address("bucket", key))) == Address("bucket", key)
    except KeyTooLong:
        assert len(key.encode()) > 1024


def test_encoded_key_keeps_unreserved_characters_and_slashes() -> None:
    assert encode_key("aZ9-._~/ä b+%") == "aZ9-._~/%C3%A4%20b%2B%25"
    assert encode_path(Address()) == "/"
    assert encode_path(Address("bucket")) == "/bucket"
    with pytest.raises(InvalidURI):
        encode_key("\ud800")


@given(st.one_of(WIRE, SPELLED))
def test_normal_spelling_names_the_same_key(path: str) -> None:
    normal = normal_path(path)
    try:
        address = parse_path(path)
    except GatewayError as error:
        if normal is not None:
            with pytest.raises(type(error)):
                parse_path(normal)
        return
    assert normal is not None
    assert parse_path(normal) == address
    assert normal_path(normal) == normal
    assert normal.count("/") == path.count("/")


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a%7eb%7E~", "/a~b~~"),
        ("/%2f%2F", "/%2F%2F"),
        ("/a+b", "/a%2Bb"),
        ("/a%2520", "/a%2520"),
        ("/x/../y//z/./", "/x/../y//z/./"),
        ("/a b\udcff", "/a%20b%FF"),
        ("/%zz", None),
    ],
)
def test_normal_path_changes_only_the_spelling_of_escapes(path: str, normal: str | None) -> None:
    assert normal_path(path) == normal


def test_normal_query_escapes_slashes_and_keeps_duplicates_and_plus() -> None:
    assert normal_query(["b=2/", "a", "b=1+", "b=1%2b"]) == "a=&b=1%2B&b=1%2B&b=2%2F"
    assert normal_query(["a=%"]) is None


@pytest.mark.parametrize("key", ["a//b", "/a/b", "a\\b", "//a\\/b", "\\a/b", "a/b"])
def test_seaweedfs_folds_these_onto_one_key(key: str) -> None:
    assert SEAWEEDFS_RULES.fold(key) == "a/b"
    assert KeyRules().fold(key) == key


def test_folding_keeps_a_trailing_slash_and_dots() -> None:
    assert SEAWEEDFS_RULES.fold("a//") == "a/"
    assert SEAWEEDFS_RULES.fold("a/./../b") == "a/./../b"
    assert SEAWEEDFS_RULES.fold("/") == ""


@given(st.text(st.sampled_from("a/\\."), max_size=12))
def test_folding_twice_changes_nothing_more(key: str) -> None:
    folded = SEAWEEDFS_RULES.fold(key)
    assert SEAWEEDFS_RULES.fold(folded) == folded
    assert "//" not in folded
    assert "\\" not in folded
    assert not folded.startswith("/")


@pytest.mark.parametrize(
    "key",
    [
        "x/a.csv.versions/v_1",
        "a.versions",
        "x\\a.versions\\v",
        ".versions/",
        "/x.versions//",
        ".uploads/1/part",
        "a/.uploads",
    ],
)
def test_what_seaweedfs_keeps_for_itself_is_private_in_every_spelling(key: str) -> None:
    assert SEAWEEDFS_RULES.is_private(key)
    assert not KeyRules().is_private(key)


@pytest.mark.parametrize("key", ["a.versions.csv", "versions/a", "a/.uploads2", "", "a.version"])
def test_ordinary_keys_are_not_private(key: str) -> None:
    assert not SEAWEEDFS_RULES.is_private(key)


def test_query_keeps_order_duplicates_flags_and_plus() -> None:
    query = Query.parse("b=2&acl&b=1&a+c=x%20y%2B+&&=v")
    assert query.pairs == (("b", "2"), ("acl", ""), ("b", "1"), ("a+c", "x y++"), ("", "v"))
    assert query.first("b") == "2"
    assert query.first("nothing") is None
    assert query.has("acl")
    assert not query.has("b=2")


def test_query_is_changed_by_making_another() -> None:
    query = Query.parse("a=1&b=2&a=3")
    assert query.without({"a"}) == Query((("b", "2"),))
    assert query.adding("c", "").encode() == "a=1&a=3&b=2&c="
    assert query.replacing("a", "9").pairs == (("b", "2"), ("a", "9"))


def test_query_sorts_by_encoded_name_then_value() -> None:
    query = Query((("a-", "1"), ("a", "2"), ("ä", ""), ("a", "/1"), ("Z", "+")))
    assert query.encode() == "%C3%A4=&Z=%2B&a=%2F1&a=2&a-=1"


@pytest.mark.parametrize("raw", ["a=%", "%zz", "a=%ff"])
def test_query_that_cannot_be_read_is_refused(raw: str) -> None:
    with pytest.raises(InvalidURI):
        Query.parse(raw)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_query_comes_back_from_its_encoding(pairs: list[tuple[str, str]]) -> None:
    query = Query(tuple(pairs))
    read = Query.parse(query.encode())
    assert sorted(read.pairs) == sorted(query.pairs)
    assert read.encode() == query.encode()
    assert normal_query(query.encode().split("&") if pairs else []) == query.encode()


@given(st.text(max_size=60))
def test_query_of_any_text_is_read_or_refused(raw: str) -> None:
    with refusals(400):
        Query.parse(raw)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("data.s3.example.org", "data"),
        ("data.s3.example.org:9000", "data"),
        ("Data.S3.Example.Org.", "data"),
        ("a.b.s3.example.org", "a.b"),
        ("s3.example.org", None),
        (".s3.example.org", None),
        ("datas3.example.org", None),
        ("[::1]:9000", None),
    ],
)
def test_virtual_host_names_a_bucket(host: str, bucket: str | None) -> None:
    assert virtual_host(host, "s3.example.org") == bucket
    assert virtual_host(host, None) is None


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("abc", True),
        ("my-bucket.1", True),
        ("a" * 63, True),
        ("ab", False),
        ("a" * 64, False),
        ("-abc", False),
        ("abc-", False),
        ("Abc", False),
        ("a_b", False),
        ("_ui", False),
        ("a..b", False),
        ("192.168.0.1", False),
        ("a/b", False),
        ("abc\n", False),
    ],
)
def test_bucket_names_are_those_of_s3(name: str, *, valid: bool) -> None:
    assert valid_bucket_name(name) is valid


@pytest.mark.parametrize(
    ("value", "address", "version"),
    [
        ("bucket/key", Address("bucket", "key"), None),
        ("/bucket/key", Address("bucket", "key"), None),
        ("bucket/a%20b%3Fc", Address("bucket", "a b?c"), None),
        ("bucket/key?versionId=a%2Bb", Address("bucket", "key"), "a+b"),
        ("/bkt2//secret.txt", Address("bkt2", "/secret.txt"), None),
        ("bucket/a+b", Address("bucket", "a+b"), None),
        ("bucket%2Fa%2Fb%2525", Address("bucket", "a/b%25"), None),
        ("%2Fbucket%2Fkey?versionId=1", Address("bucket", "key"), "1"),
    ],
)
def test_copy_source_is_read(value: str, address: Address, version: str | None) -> None:
    assert parse_copy_source(value) == (address, version)
    assert parse_copy_source(encode_copy_source(address, version)) == (address, version)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/",
        "bucket",
        "bucket/",
        "//bucket/key",
        "%2F/bucket/key",
        "bucket%3FversionId=1",
        "bucket/key?",
        "bucket/key?versionId=",
        "bucket/key?versionid=1",
        "bucket/key?versionId=1&x=2",
        "bucket/key?x",
        "bucket/key?versionId=a%0Ab",
        "bucket/%ff",
        "bucket/%",
    ],
)
def test_anything_else_is_no_copy_source(value: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_copy_source(value)
