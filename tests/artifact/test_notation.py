"""What YAML and JSON may say in a manifest, where errors are, and what hostile text costs."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.artifact.manifest import lacks_type, parse
from gateway.artifact.value import JsonValue
from gateway.errors import InvalidManifest

LIMIT = 1 << 20
SECONDS = 10.0


def refused(text: str | bytes, limit: int = LIMIT) -> InvalidManifest:
    data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    with pytest.raises(InvalidManifest) as refusal:
        parse(data, limit)
    assert len(refusal.value.message) < 300
    return refusal.value


def fields(text: str) -> object:
    return parse(text.encode(), LIMIT).fields


@pytest.fixture
def _promptly() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < SECONDS


def test_the_bytes_are_kept_as_they_came() -> None:
    data = b"# comment\ntype:   dataset   # here\r\nname: 'x'\r\n"
    assert parse(data, LIMIT).data is data
    assert parse(data, LIMIT).fields == {"type": "dataset", "name": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type: x\nd: 2024-01-02", {"type": "x", "d": "2024-01-02"}),
        ("type: x\nd: 2001-12-14t21:59:43.1-05:00", {"d": "2001-12-14T21:59:43.100000-05:00"}),
        ("type: x\nd: '2024-01-02'", {"d": "2024-01-02"}),
        ("type: x\nd: 2024-01-02 03:04:05", {"d": "2024-01-02T03:04:05"}),
        ("type: x\nd: [yes, ~, 0x10, 1_000, 1.5e+3]", {"d": [True, None, 16, 1000, 1500.0]}),
        ("type: x\nd: !!str 5", {"d": "5"}),
        ("type: x\n2024-01-02: a", {"2024-01-02": "a"}),
        ("type: x\nd: !!map {a: !!seq [1]}", {"d": {"a": [1]}}),
        ("type: x\nk: =", {"k": "="}),
        ('type: x\n"1": a', {"1": "a"}),
        ("---\ntype: x\n...\n", {"type": "x"}),
        ("\ufefftype: x", {"type": "x"}),
        ("{type: x, a: [b]}", {"a": ["b"]}),
        ('{"type": "x", "e": "\\ud83d\\ude00"}', {"e": "😀"}),
        ('\n\t{"type":\t"x", "n": [1, -2.5e3, true, null]}', {"n": [1, -2500.0, True, None]}),
        ('{"type": "x", "<<": {"a": 1}}', {"<<": {"a": 1}}),
        ('type: x\n"<<": {a: 1}', {"<<": {"a": 1}}),
    ],
)
def test_what_yaml_and_json_mean(text: str, expected: dict[str, JsonValue]) -> None:
    found = parse(text.encode(), LIMIT).fields
    assert {name: found[name] for name in expected} == expected
    json.dumps(found, allow_nan=False)


def test_aliases_repeat_and_merge_keys_merge() -> None:
    text = """
type: x
base: &base {a: 1, b: 1}
more: &more {b: 2, c: 2}
one: {<<: *base, b: 3}
two: {b: 3, <<: [*base, *more]}
again: *base
name: &n text
key: {*n : 1}
"""
    found = parse(text.encode(), LIMIT).fields
    assert found["one"] == {"a": 1, "b": 3}
    assert found["two"] == {"a": 1, "b": 3, "c": 2}
    assert found["again"] == {"a": 1, "b": 1}
    assert found["key"] == {"text": 1}


def test_a_name_used_again_means_the_later_value() -> None:
    found = parse(b"type: x\na: &n 1\nb: *n\nc: &n 2\nd: *n\n", LIMIT).fields
    assert (found["b"], found["d"]) == (1, 2)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "empty"),
        ("# nothing\n", 1, 1, "empty"),
        ("\n- a", 2, 1, "not a mapping"),
        ("just text", 1, 1, "not a mapping"),
        ("null", 1, 1, "not a mapping"),
        ("[{}]", 1, 1, "not a mapping"),
        ("a: [1\nb: 2", 2, 2, "expected"),
        ("a: 'x", 1, 6, "end of stream"),
        ("a: b: c", 1, 5, "mapping values"),
        ("a: %x", 1, 4, "cannot start"),
        ("type: x\n---\ntype: y", 2, 1, "several documents"),
        ("type: x\na: 1\na: 2", 3, 1, "'a' occurs twice"),
        ("type: x\nb:\n  - {c: 1, d: {e: 1, e: 2}}", 3, 22, "'e' occurs twice"),
        ("type: x\nb: {<<: {a: 1}, <<: {}}", 2, 17, "'<<' occurs twice"),
        ("type: x\n1: a", 2, 1, "quotes"),
        ("type: x\n~: a", 2, 1, "quotes"),
        ("type: x\nyes: a", 2, 1, "quotes"),
        ("type: x\n? [a]\n: b", 2, 3, "not a string"),
        ("type: x\na: *b", 2, 4, "repeats nothing"),
        ("type: x\na: &a [*a]", 2, 8, "repeats nothing"),
        ("type: x\na: &a 1\nb: {c: &a {d: *a}}", 3, 15, "repeats nothing"),
        ("type: x\n<<: 5", 2, 5, "takes a mapping"),
        ("type: x\n<<: [{}, 5]", 2, 5, "takes a mapping"),
        ("type: x\na: .nan", 2, 4, "JSON lacks"),
        ("type: x\na: [-.inf]", 2, 5, "JSON lacks"),
        ("type: x\na: 2024-02-30", 2, 4, "no timestamp"),
        ("type: x\na: !!binary aGk=", 2, 4, "not for manifests"),
        ("type: x\na: !!set {b}", 2, 4, "not for manifests"),
        ("type: x\na: !!omap [b: 1]", 2, 4, "not for manifests"),
        ("type: x\na: !!python/object/apply:os.system [id]", 2, 4, "not for manifests"),
        ("type: x\na: !!seq {b: 1}", 2, 4, "not for manifests"),
        ("type: x\na: !own b", 2, 4, "not for manifests"),
        ("type: x\na: !!int b", 2, 4, "no int"),
        ("type: x\na: !!bool b", 2, 4, "no bool"),
        ("type: x\na: !!timestamp b", 2, 4, "no timestamp"),
        ("type: x\nab\x01", 2, 3, r"U\+0001"),
        ('type: "\\ud800"', 1, 10, "character"),
        ("a: 1", 1, 1, "no `type`"),
        ("\n\na: 1", 3, 1, "no `type`"),
        ("a: 1\ntype: 5", 2, 7, "not a string"),
        ("a: 1\ntype: [x]", 2, 7, "not a string"),
        ("type:\na: 1", 1, 6, "not a string"),
        ('{"a": 1}', 1, 1, "no `type`"),
        ('{"a": {"type": "x"},\n "type": null}', 2, 9, "not a string"),
        ('{"type": "x",\n "a": 1,\n "a": 2}', 3, 2, "'a' occurs twice"),
        ('{"type": "x", "a": 1, "\\u0061": 2}', 1, 23, "'a' occurs twice"),
        ('{"type": "x", "b": [{"a": 1},\n {"a": 1, "a": 2}]}', 2, 11, "'a' occurs twice"),
        ('{"type": "x", "n": NaN}', 1, 20, "JSON lacks"),
        ('{"type": "x", "n": [1,\n-Infinity]}', 2, 1, "JSON lacks"),
        ('{"type": "x", "n": 1e999}', 1, 20, "JSON lacks"),
        ('{"type": "x", "s": "\\ud800"}', 1, 20, "without a form in UTF-8"),
        ('{"type": "x", "s": "\\u0000"}', 1, 20, "with NUL"),
        ('type: x\ns: "a\\0b"', 2, 4, "with NUL"),
        ('{"type": "x", "a": }, ]', 1, 21, "expected"),
    ],
)
def test_errors_say_line_and_column(text: str, line: int, column: int, said: str) -> None:
    error = refused(text)
    assert (error.details["line"], error.details["column"]) == (line, column)
    assert f"line {line}, column {column}: " in error.message
    assert re.search(said, error.message)


def test_text_that_is_not_utf8_is_refused_where_it_is_not() -> None:
    error = refused(b"type: x\nb\xc3\xa9: \xff")
    assert (error.details["line"], error.details["column"]) == (2, 5)
    assert refused("type: x".encode("utf-16")).details["line"] == 1


def test_only_a_missing_type_is_a_missing_type() -> None:
    assert lacks_type(refused("name: chart\nversion: 1"))
    assert lacks_type(refused('{"name": "chart"}'))
    assert not lacks_type(refused("type: 5"))
    assert not lacks_type(refused("type: ~"))
    assert not lacks_type(refused("[]"))
    assert not lacks_type(refused("a: 1\na: 1"))


def test_the_limit_is_in_bytes_and_inclusive() -> None:
    data = b"type: " + "é".encode() * 10
    assert parse(data, 26).type == "é" * 10
    assert "25" in refused(data, 25).message


def bomb(levels: int) -> str:
    lines = ["type: x", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.usefixtures("_promptly")
def test_aliases_that_explode_are_refused() -> None:
    assert "aliases add more than" in refused(bomb(9)).message
    assert "aliases add more than" in refused(bomb(9), 2000).message
    fields(bomb(3))


@pytest.mark.usefixtures("_promptly")
def test_aliases_of_long_text_are_counted_by_their_length() -> None:
    text = "type: x\na: &a " + "y" * 100_000 + "\nb: [" + "*a," * 1000 + "]"
    assert "aliases add" in refused(text).message


@pytest.mark.usefixtures("_promptly")
def test_aliases_of_merged_mappings_are_counted() -> None:
    lines = ["type: x", "a0: &a0 {k0: " + "y" * 1000 + "}"]
    lines += [f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40)]
    assert "aliases add" in refused("\n".join(lines)).message


def test_aliases_that_nest_too_deep_are_refused() -> None:
    lines = ["type: x", "a0: &a0 []"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 120)]
    assert "deeper" in refused("\n".join(lines)).message


@pytest.mark.usefixtures("_promptly")
@pytest.mark.parametrize(
    "unit", ["[", "{", "[{", "- ", "? ", "&a [", "!!seq [", '{"a":', '{"a":[', "{a: ", "{? {"]
)
@pytest.mark.parametrize("head", ["", "type: x\na:\n  ", '{"type": "x", "a": '])
def test_a_mebibyte_of_nesting_is_refused(unit: str, head: str) -> None:
    text = head + unit * ((LIMIT - len(head)) // len(unit))
    refused(text)
    refused(text[: LIMIT // 2])


@pytest.mark.parametrize("style", ["[%s]", '{"a":%s}'])
def test_a_hundred_levels_are_deep_enough(style: str) -> None:
    opening, closing = style.split("%s")
    for document in ('{"type": "x", "v": %s}', "type: x\nv: %s"):
        fields(document % (opening * 98 + "1" + closing * 98))
        error = refused(document % (opening * 100 + "1" + closing * 100))
        assert "deeper than 100 levels" in error.message


@pytest.mark.usefixtures("_promptly")
@pytest.mark.parametrize(
    "text",
    [
        "a: " + "9" * 1_000_000,
        "a: 0x" + "f" * 1_000_000,
        "a: " + "1:" * 500_000 + "1",
        "a: 1" + "_" * 1_000_000 + ".",
        '{"a": ' + "9" * 1_000_000 + "}",
        '{"a": ' + "9" * 1_000_000,
        '{"' + '\\"' * 500_000,
        '{"a": "' + "\\" * 1_000_000,
        "".join(f"%TAG !{i}! x\n" for i in range(15_000)) + "--- [",
        "type: x\n" + "".join(f"k{i}: &a{i} {{}}\n" for i in range(50_000)) + "k: *zz",
        "\x00" * 1_000_000,
        "\t" * 1_000_000,
        "<script>alert(1)</script>",
        "'; DROP TABLE artifact; --",
    ],
    ids=lambda text: text[:12].strip() or "blank",
)
def test_hostile_text_is_refused_promptly(text: str) -> None:
    refused(text)


@pytest.mark.usefixtures("_promptly")
@pytest.mark.parametrize(
    "text",
    [
        "type: x\na: 2001-01-01" + " " * 1_000_000 + "y",
        "type: x\na: [" + "~," * 400_000 + "]",
        "type: x\n" + "".join(f"k{i}: 1\n" for i in range(80_000)),
        "type: x\nbig: &g {" + ",".join(f"k{i}: 1" for i in range(20_000)) + "}\n"
        "e: &e {}\na: {<<: [*g," + "*e," * 200_000 + "]}",
    ],
    ids=lambda text: text[8:14].strip(),
)
def test_large_but_honest_text_is_read_promptly(text: str) -> None:
    fields(text)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_gives_fields_or_a_place(text: str) -> None:
    found: object = None
    place: object = None
    try:
        found = parse(("type: x\n" + text).encode(errors="replace"), LIMIT).fields
    except InvalidManifest as error:
        place = error.details["line"], error.details["column"]
    assert (found is None) != (place is None)
    json.dumps(found, allow_nan=False).encode()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(st.dictionaries(texts, json_values, max_size=5), st.booleans())
@settings(deadline=None)
def test_json_is_read_as_json(value: dict[str, JsonValue], ascii_only: bool) -> None:  # noqa: FBT001
    value["type"] = "x"
    data = json.dumps(value, ensure_ascii=ascii_only, indent=1 if ascii_only else None).encode()
    assert parse(data, LIMIT).fields == value
