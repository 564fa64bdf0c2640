"""Manifests that mean harm: what is refused and where, and what is kept and must stay text."""

from dataclasses import dataclass, field

MOST = 1 << 20  # limits.manifest_bytes
HEAD = b"type: dataset\n"


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that are no manifest, where they stop being one, and what the error says of it."""

    data: bytes = field(repr=False)
    says: str
    line: int | None = 2
    column: int | None = 1


def filled(start: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """As many pieces between `start` and `end` as a manifest may have bytes."""
    return start + piece * ((MOST - len(start) - len(end)) // len(piece)) + end


def laughs(open_: bytes, close: bytes) -> bytes:
    """Twenty levels of ten aliases each, in flow style."""
    first = HEAD + b"a: &a %s%s%s\n" % (open_, b",".join([b"lol"] * 10), close)
    levels = [
        b"%c: &%c [%s]\n" % (98 + level, 98 + level, b",".join([b"*%c" % (97 + level)] * 10))
        for level in range(20)
    ]
    return first + b"".join(levels)


REFUSED = {
    # What expands, nests, or refers to itself.
    "a billion laughs": Refused(laughs(b"[", b"]"), "its aliases add more than", 7, None),
    "a merge bomb": Refused(
        HEAD
        + b"a: &a {%s}\n" % b",".join(b"k%d: v" % number for number in range(500))
        + b"".join(b"m%d: {<<: *a}\n" % number for number in range(500)),
        "its aliases add more than",
        None,
        None,
    ),
    "an alias of itself": Refused(HEAD + b"a: &a [*a]", "repeats nothing that is complete", 2, 8),
    "a merge of itself": Refused(HEAD + b"a: &a {<<: *a}", "repeats nothing", 2, 12),
    "an alias of nothing": Refused(HEAD + b"a: *none", "repeats nothing", 2, 4),
    "merged scalars": Refused(HEAD + b"<<: [1, 2]", "takes a mapping", 2, 5),
    "two merges": Refused(HEAD + b"a: {<<: {}, <<: {}}", "'<<' occurs twice", 2, 13),
    "1 MiB of [": Refused(filled(HEAD + b"a: ", b"["), "nest", 2, None),
    "1 MiB of {a: ": Refused(filled(HEAD + b"a: ", b"{a: "), "nests deeper than 100", 2, 400),
    "1 MiB of - ": Refused(filled(HEAD + b"a:\n ", b"- "), "nests deeper than 100", 3, 200),
    "1 MiB of ?": Refused(filled(HEAD, b"? "), "a key is not a string", 2, 3),
    "1 MiB of JSON's [": Refused(filled(b'{"type": "x", "a": ', b"["), "nest", 1, 119),
    'JSON\'s {"a": ': Refused(filled(b'{"type": "x", "a": ', b'{"a":'), "nest", 1, 515),
    "JSON that is whole and deep": Refused(
        b'{"type": "x", "a": %s%s}' % (b"[" * 200_000, b"]" * 200_000), "nests deeper", 1, 119
    ),
    "1 MiB of documents": Refused(filled(HEAD, b"---\n"), "several documents", 2, 1),
    "1 MiB of tags": Refused(filled(b"", b"%TAG ! tag:x,2000:\n"), "directive", 2, 1),
    # Keys that occur twice, however they are spelled.
    "a key twice": Refused(HEAD + b"a: 1\na: 2", "'a' occurs twice", 3, 1),
    "a key twice, deep": Refused(HEAD + b"a:\n  - {b: {c: 1, 'c': 2}}", "'c' occurs twice", 3, 16),
    "a key twice in JSON": Refused(b'{"type": "x", "a": 1, "\\u0061": 2}', "occurs twice", 1, 23),
    "two types": Refused(HEAD + b"type: collection", "'type' occurs twice"),
    "a key by its alias": Refused(HEAD + b"a: &k k\nk: 1\n*k : 2", "'k' occurs twice", 4, 1),
    # What YAML can make of text.
    "a Python object": Refused(
        HEAD + b"a: !!python/object/apply:os.system [id]", "is not for manifests", 2, 4
    ),
    "a Python name": Refused(HEAD + b"a: !!python/name:os.system ''", "not for manifests", 2, 4),
    "a tag of one's own": Refused(HEAD + b"a: !evil b", "not for manifests", 2, 4),
    "binary": Refused(HEAD + b"a: !!binary aGVsbG8=", "not for manifests", 2, 4),
    "a set": Refused(HEAD + b"a: !!set {b}", "not for manifests", 2, 4),
    "a list as key": Refused(HEAD + b"? [a]\n: b", "a key is not a string", 2, 3),
    "a number as key": Refused(HEAD + b"1: a", "put it in quotes"),
    "nothing as key": Refused(HEAD + b"~: a", "put it in quotes"),
    "a long key": Refused(filled(HEAD + b'"', b"a", b'": 1'), "could not find expected", 2, None),
    # Numbers.
    "1 MiB of digits": Refused(filled(HEAD + b"a: ", b"9"), "a number is too long", 2, 4),
    "base 60": Refused(filled(HEAD + b"a: 1", b":59"), "a number is too long", 2, 4),
    "hexadecimal": Refused(HEAD + b"a: 0x" + b"f" * 5000, "a number is too long", 2, 4),
    "infinity": Refused(HEAD + b"a: .inf", "a number that JSON lacks", 2, 4),
    "no number": Refused(HEAD + b"a: .nan", "a number that JSON lacks", 2, 4),
    "1e+999999": Refused(HEAD + b"a: 1.0e+999999", "a number that JSON lacks", 2, 4),
    "JSON's 1e999999": Refused(b'{"type": "x", "a": 1e999999}', "that JSON lacks", 1, 20),
    "JSON's NaN": Refused(b'{"type": "x", "a": NaN}', "that JSON lacks", 1, 20),
    "JSON's digits": Refused(b'{"type": "x", "a": %s}' % (b"9" * 5000), "too long a one", 1, 20),
    # Text.
    "half a pair": Refused(HEAD + b'a: "\\ud800"', "character", 2, 7),
    "half a pair in JSON": Refused(b'{"type": "x", "a": "\\ud800"}', "UTF-8", 1, 20),
    "half a pair, encoded": Refused(HEAD + b"a: \xed\xa0\x80", "not UTF-8", 2, 4),
    "NUL": Refused(HEAD + b"a: b\0c", r"U\+0000", 2, 5),
    "NUL, escaped": Refused(HEAD + b'a: "b\\0c"', "NUL", 2, 4),
    "NUL in JSON": Refused(b'{"type": "x", "a\\u0000": 1}', "NUL", 1, 15),
    "UTF-16": Refused("type: dataset\n".encode("utf-16"), "not UTF-8", 1, 1),
    "UTF-16 without its mark": Refused("type: x\n".encode("utf-16-le"), r"U\+0000", 1, 2),
    "UTF-32": Refused("type: dataset\n".encode("utf-32"), "not UTF-8", 1, 1),
    "Latin-1": Refused(HEAD + "ü: 1".encode("latin-1"), "not UTF-8"),
    "overlong UTF-8": Refused(HEAD + b"a: \xc0\xae\xc0\xae/", "not UTF-8", 2, 4),
    "an escape to the terminal": Refused(HEAD + b"a: \x1b[31m", r"U\+001B", 2, 4),
    # What is no manifest at all.
    "nothing": Refused(b"", "it is empty", 1, 1),
    "a list": Refused(b"- type: dataset", "not a mapping", 1, 1),
    "text": Refused(b"dataset", "not a mapping", 1, 1),
    "null": Refused(b"null", "not a mapping", 1, 1),
    "no type": Refused(b"name: x", "no `type`", 1, 1),
    "a number for a type": Refused(b"type: 5", "not a string", 1, 7),
    "a list for a type": Refused(b'{"type": ["dataset"]}', "not a string", 1, 9),
    "an unfinished string": Refused(filled(HEAD + b'a: "', b'\\"'), "end of stream", 2, None),
    "one byte too many": Refused(HEAD + b"#" * (MOST - len(HEAD) + 1), "1048576", None, None),
}

SQL = "'; DROP TABLE artifact; --"
HTML = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
TEMPLATE = "{{7*7}}${7*7}<%= 7*7 %>#{7*7}"
NASTY = (
    SQL,
    HTML,
    TEMPLATE,
    "../../../../etc/passwd",
    "\\..\\..\\windows",
    "%00%2e%2e%2f",
    "%' OR 1=1 --",
    "\u202egpj.exe\u2066",
    "\U0010ffff \U0001f600\u0301",
    "=cmd|' /C calc'!A0",
    "a\r\nSet-Cookie: a=b",
    "__proto__",
    "x" * 10_000,
)
# Names that programs give a meaning to.
MEANT = (
    *("__proto__", "constructor", "hasOwnProperty", "$ref", "$where", "__class__", "<<", "=", "."),
    *("", "..", "a.b", "a[0]", "a/b", "~", "null", "%s", "{0}", SQL, HTML, TEMPLATE, "k" * 3000),
)
# The gateway's own, which no author can say.
OWN = {
    "_prefix": "somewhere/else",
    "_version": 99,
    "_created_at": "yesterday",
    "_modified_at": "tomorrow",
    "_stats": {"download_count": 10**9, "view_count": 10**9},
    "_child_count": 10**9,
    "_stage": {"id": "forged"},
}
