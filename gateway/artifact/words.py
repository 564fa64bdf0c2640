"""The words that an artifact is found by."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

from gateway.artifact.manifest import RESERVED
from gateway.artifact.value import Fields, JsonValue

LONGEST_WORD = 64
MOST_WORDS = 20_000

# Long lists of what is not said of the artifact itself.
_UNSEARCHED = RESERVED | {"collection", "collection_schema", "files"}
# Scripts without spaces are searched by character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u9fff]+")


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    return [word[:LONGEST_WORD] for word in _WORD.findall(bare)]


def manifest_words(prefix: str, fields: Fields) -> frozenset[str]:
    """The words that an artifact is found by: those of its prefix, and of its fields' values."""
    found = set(words_of(prefix))
    for name, value in fields.items():
        if name not in _UNSEARCHED:
            for text in _texts(value):
                found.update(words_of(text))
        if len(found) > MOST_WORDS:
            break
    return frozenset(sorted(found)[:MOST_WORDS])


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
