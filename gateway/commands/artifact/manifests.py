"""Manifests as authors write them: read from text, and taken out of what a gateway shows."""

from collections.abc import Mapping

import yaml

from gateway.artifact.manifest import COLLECTION, RESERVED, parse
from gateway.errors import InvalidManifest

LONGEST = 1 << 20
PINNED = frozenset({"path", "size", "etag", "last_modified"})

Fields = Mapping[str, object]


class Unreadable(Exception):
    """A text is no manifest: the message says where, and why."""


def read(text: bytes, source: str) -> Fields:
    """The manifest in a text, YAML or JSON; Unreadable with the place in `source`."""
    try:
        return parse(text, LONGEST).fields
    except InvalidManifest as error:
        line, column = error.details.get("line"), error.details.get("column")
        place = f"{source}:{line}:{column}" if line else source
        raise Unreadable(f"{place}: {error.message}") from None


def authored(shown: Fields) -> dict[str, object]:
    """What the author wrote of a manifest that was read: nothing that the gateway merged in."""
    fields = {name: value for name, value in shown.items() if name not in RESERVED}
    if fields.get("type") == COLLECTION:
        fields.pop("collection", None)
    files = fields.get("files")
    if isinstance(files, list) and all(isinstance(e, dict) and e.keys() >= PINNED for e in files):
        del fields["files"]
    return fields


def write(fields: Fields) -> str:
    """The manifest as YAML."""
    return str(yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True, width=100))
