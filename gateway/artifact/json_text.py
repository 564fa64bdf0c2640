"""JSON as manifests may use it: no key twice, nothing that JSON itself lacks, places known."""

import json
import re

from gateway.artifact.document import Document, Position, position, refusal
from gateway.artifact.value import DEPTH, INTEGER_DIGITS, JsonValue, brief, is_number, is_text

# The tokens of JSON that can be wrong in a manifest. A string that never ends matches up to the
# end of the text: the scan stays linear in whatever it is given.
_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))(?P<key>\s*:)?|(?P<open>[\[{])|(?P<close>[\]}])'
    r"|(?P<number>-?[0-9][0-9.eE+-]*|-?Infinity|NaN)",
    re.DOTALL,
)


def read_json(text: str) -> Document | None:
    """The mapping of a JSON object; None when `text` is none (YAML, maybe); InvalidManifest."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        return None
    fields: dict[str, JsonValue] = {}
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        return None
    except (RecursionError, ValueError):
        pass  # too deep, or too long an integer: the scan finds it and says where
    return Document(fields, position(text, text.index("{")), _scan(text))


def _scan(text: str) -> Position | None:
    """Where the value of `type` is; InvalidManifest for what `json` lets pass."""
    levels: list[set[str]] = []
    type_at = None
    for token in _TOKEN.finditer(text):
        reason = None
        if token["open"]:
            levels.append(set())
            reason = f"it nests deeper than {DEPTH} levels" if len(levels) > DEPTH else None
        elif token["close"]:
            levels.pop()
        elif token["string"]:
            content = _content(token["string"])
            reason = (
                None if is_text(content) else "it holds text with NUL, or without a form in UTF-8"
            )
            if token["key"] and content in levels[-1]:
                reason = f"the key {brief(content)} occurs twice"
            elif token["key"]:
                levels[-1].add(content)
                if content == "type" and len(levels) == 1:
                    type_at = position(text, token.end())
        elif not _is_json_number(token["number"]):
            reason = "it holds a number that JSON lacks, or too long a one"
        if reason:
            raise refusal(reason, position(text, token.start()))
    return type_at


def _content(literal: str) -> str:
    return str(json.loads(literal)) if "\\" in literal else literal[1:-1]


def _is_json_number(text: str) -> bool:
    return len(text) <= INTEGER_DIGITS and is_number(float(text))
