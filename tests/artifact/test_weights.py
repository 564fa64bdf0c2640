"""Download weights: what is taken, what is refused, and which of several counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.weights import parse_weight, resolve, to_number
from gateway.errors import InvalidWeight


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (0, 0),
        (1, 1_000_000),
        (0.5, 500_000),
        (0.1, 100_000),
        (0.000001, 1),
        (1_000_000, 10**12),
        (1e6, 10**12),
        ("0.5", 500_000),
        (".5", 500_000),
        ("007", 7_000_000),
        ("1.500000000", 1_500_000),
        ("1000000.000000", 10**12),
    ],
)
def test_weights_are_exact_millionths(value: object, micros: int) -> None:
    assert parse_weight(value) == micros


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.1,
        1_000_001,
        1_000_000.000001,
        0.0000001,
        0.1 + 0.2,
        float("nan"),
        float("inf"),
        float("-inf"),
        1e300,
        5e-324,
        10**4000,
        True,
        False,
        None,
        [],
        {},
        b"1",
        "",
        " 1",
        "1 ",
        "+1",
        "-1",
        "-0",
        "1e3",
        "NaN",
        "Infinity",
        "1_000",
        "1,5",
        "0x1",
        "\u0661",
        "1.0000001",
        "1000000.1",
        "9" * 100_000,
        "0." + "0" * 100_000,
        "'; DROP TABLE daily; --",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_whatever_else_is_refused_briefly(value: object) -> None:
    with pytest.raises(InvalidWeight) as refusal:
        parse_weight(value)
    assert len(refusal.value.message) < 200


@given(st.integers(0, 10**12))
def test_millionths_survive_numbers_and_text(micros: int) -> None:
    assert parse_weight(to_number(micros)) == micros
    assert parse_weight(f"{micros // 10**6}.{micros % 10**6:06d}") == micros


def test_a_negative_zero_is_a_zero() -> None:
    assert parse_weight(-0.0) == 0


def test_whole_weights_are_whole_numbers() -> None:
    assert repr(to_number(2_000_000)) == "2"
    assert repr(to_number(500_000)) == "0.5"
    assert repr(to_number(0)) == "0"


def test_the_first_weight_given_counts_also_when_it_is_zero() -> None:
    assert resolve(1, 2, 3, 4) == 1
    assert resolve(None, 2, 3, 4) == 2
    assert resolve(None, None, 3, 4) == 3
    assert resolve(None, None, None, 4) == 4
    assert resolve(None, None, None, None) == 0
    assert resolve(0, 2, 3, 4) == 0
