"""Headers with parameters, as browsers and other clients write them.

The specifications: RFC 9110 section 5.6.6 for parameters, RFC 8187 for those in other alphabets,
RFC 7578 for what forms make of them.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's name of a word
_PARAMETER = re.compile(
    rf';[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))[ \t]*', re.DOTALL
)
_ESCAPE = re.compile(r'\\(["\\])')


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    r"""The first word of a header, and its parameters; names in lower case.

    The last of one name counts. In quotes, `\"` and `\\` are escapes; other backslashes are
    none, since some browsers send paths with them. ValueError for what can't be read.
    """
    kind, semicolon, rest = value.partition(";")
    text, position = semicolon + rest, 0
    parameters: dict[str, str] = {}
    while (match := _PARAMETER.match(text, position)) is not None:
        name, quoted, word = match.groups()
        plain = word.strip() if quoted is None else _ESCAPE.sub(r"\1", quoted)
        parameters[name.lower()] = plain
        position = match.end()
    if text[position:].strip("; \t"):
        raise ValueError(value)
    return kind.strip().lower(), parameters


def filename(parameters: Mapping[str, str]) -> str:
    """The name of a file, as it was sent, path and all; "" without one.

    `filename*` goes before `filename` where it is in UTF-8; bytes that are not UTF-8 become
    surrogate escapes.
    """
    charset, _, rest = parameters.get("filename*", "").partition("'")
    if charset.lower() == "utf-8":
        return unquote(rest.partition("'")[2], errors="surrogateescape")
    return parameters.get("filename", "")
