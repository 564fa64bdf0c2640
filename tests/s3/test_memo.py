"""What is remembered of texts: bounded, and never what was raised."""

import pytest

from gateway.s3 import memo as module
from gateway.s3.memo import memo


def test_a_text_is_read_once_and_what_it_raises_is_raised_each_time() -> None:
    seen: list[tuple[str, int]] = []

    @memo
    def read(text: str, base: int) -> int:
        seen.append((text, base))
        return int(text, base)

    assert [read("11", 2), read("11", 2), read("11", 8)] == [3, 3, 9]
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            read("x", 10)
    assert seen == [("11", 2), ("11", 8), ("x", 10), ("x", 10)]


@pytest.mark.parametrize(
    "text", ["X-Amz-Date=x&X-Amz-Signature=0a", "Credential=k/s3, Signature=0a, SignedHeaders=host"]
)
def test_what_a_signature_is_in_is_not_kept(text: str) -> None:
    seen: list[str] = []

    @memo
    def read(text: str) -> str:
        seen.append(text)
        return text

    assert [read(text), read(text)] == [text, text] == seen


def test_long_texts_and_many_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 2)
    seen: list[str] = []

    @memo
    def read(text: str) -> str:
        seen.append(text)
        return text

    long = "x" * (module.LONGEST + 1)
    for text in (long, long, "a", "b", "c", "a"):
        assert read(text) == text
    assert seen == [long, long, "a", "b", "c", "a"]
