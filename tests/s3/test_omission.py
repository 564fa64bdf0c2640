import pytest

from gateway.s3.omission import holds

KEYS = b"<Key>a/b.csv</Key><Key>c%2Fd/</Key>"


@pytest.mark.parametrize(
    "texts",
    [
        [b"<Key>a"],
        [b".csv"],
        [b"/</Key>"],
        [KEYS],
        [b".versions", b"%2Fd"],
        [b".versions", b"d/</Key>", b".uploads"],
    ],
)
def test_a_document_holds_what_is_in_it_at_whatever_place(texts: list[bytes]) -> None:
    assert holds(KEYS, texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [b".versions", b".uploads"],  # begins with what is there
        [b"%2F</Key>"],
        [b"~"],
        [KEYS + b"<"],
    ],
)
def test_a_document_holds_nothing_that_is_not_in_it(texts: list[bytes]) -> None:
    assert not holds(KEYS, texts)
