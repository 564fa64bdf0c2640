"""YAML as manifests may use it, read from the parser's events, and written.

The value is built on a stack of its own, so no input recurses; depth, repeated keys and what
aliases expand to are checked while it is read, before anything grows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode
from yaml.reader import Reader
from yaml.resolver import Resolver

from gateway.artifact.document import Document, Position, position, refusal
from gateway.artifact.value import (
    DEPTH,
    INTEGER_DIGITS,
    JsonValue,
    brief,
    fault,
    is_number,
    is_text,
)
from gateway.errors import InvalidManifest

# Deciding between the implementations at run time: libyaml's reads ten times as fast.
_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_Dumper = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_STRINGS = {_TAG + "str", _TAG + "value", _MERGE}
_NUMBERS = {_TAG + "int", _TAG + "float"}
_resolve: Callable[[type, str, tuple[bool, bool]], object] = Resolver().resolve
_CONSTRUCTOR = SafeConstructor()
_CONSTRUCT = {
    _TAG + "null": _CONSTRUCTOR.construct_yaml_null,
    _TAG + "bool": _CONSTRUCTOR.construct_yaml_bool,
    _TAG + "int": _CONSTRUCTOR.construct_yaml_int,
    _TAG + "float": _CONSTRUCTOR.construct_yaml_float,
    _TAG + "timestamp": _CONSTRUCTOR.construct_yaml_timestamp,
}


def read_yaml(text: str, expansion: int) -> Document:
    """The one mapping in `text`; InvalidManifest with line and column.

    Aliases may add about `expansion` bytes to what is written.
    """
    unprintable = Reader.NON_PRINTABLE.search(text)
    if unprintable:
        code = ord(unprintable[0])
        at = position(text, unprintable.start())
        raise refusal(f"the character U+{code:04X} can't be in YAML", at)
    builder = _Builder(expansion)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it can't be parsed"
        raise refusal(reason, (mark.line + 1, mark.column + 1) if mark else (1, 1)) from None
    except yaml.YAMLError:
        raise refusal("it can't be parsed", (1, 1)) from None
    return builder.document()


def write_yaml(fields: Mapping[str, JsonValue]) -> bytes:
    """YAML that `read_yaml` reads as `fields`, in their order; InvalidManifest if none can be."""
    reason = fault(fields)
    if reason:
        raise InvalidManifest(f"The manifest {reason}")
    text: str = yaml.dump(
        fields, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return text.encode()


class _Writer(_Dumper):  # type: ignore[misc, valid-type]
    """Writes a value out wherever it stands: what the gateway renders holds no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


_Writer.add_multi_representer(Mapping, _Dumper.represent_dict)


@dataclass(slots=True)
class _Level:
    """A sequence or mapping that is being read; `items` grows."""

    items: list[JsonValue] | dict[str, JsonValue]
    start: Position
    anchor: str | None
    key: str | None = None
    merging: bool = False
    merges: list[Mapping[str, JsonValue]] = field(default_factory=list)
    weight: int = 2
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value that aliases may repeat: its weight in bytes, roughly, and the levels within."""

    value: JsonValue
    weight: int
    height: int


@dataclass(slots=True)
class _Builder:
    """Makes one mapping out of YAML's events."""

    expansion: int
    levels: list[_Level] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    root: _Level | None = None
    type_at: Position | None = None
    expanded: int = 0

    def document(self) -> Document:
        """What was read; InvalidManifest when that was nothing."""
        if self.root is None or not isinstance(self.root.items, dict):
            raise refusal("it is empty", (1, 1))
        return Document(self.root.items, self.root.start, self.type_at)

    def take(self, event: yaml.Event) -> None:
        """Go on by one event."""
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                raise refusal("it holds several documents", _at(event))
            case yaml.AliasEvent():
                self._repeat(event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case _:
                pass

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        at = _at(event)
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
            raise refusal(f"the tag {brief(event.tag)} is not for manifests", at)
        if not self.levels and not mapping:
            raise refusal("it is not a mapping of names to values", at)
        if len(self.levels) >= DEPTH:
            raise refusal(f"it nests deeper than {DEPTH} levels", at)
        if self.levels and self._expects_key():
            raise refusal("a key is not a string", at)
        self._note_type(at)
        # A name used again means this value from here on; within itself it means nothing.
        self.anchors.pop(event.anchor or "", None)
        self.levels.append(_Level({} if mapping else [], at, event.anchor))

    def _close(self) -> None:
        level = self.levels.pop()
        if isinstance(level.items, dict) and level.merges:
            # What a mapping says itself counts more than what it merges; earlier merges more
            # than later ones.
            merged: dict[str, JsonValue] = {}
            for other in level.merges:
                for key, value in other.items():
                    merged.setdefault(key, value)
            level.items = {**merged, **level.items}
        anchored = _Anchored(level.items, level.weight, level.height)
        if level.anchor:
            self.anchors[level.anchor] = anchored
        if self.levels:
            self._add(anchored, level.start)
        else:
            self.root = level

    def _repeat(self, event: yaml.AliasEvent) -> None:
        at = _at(event)
        anchored = self.anchors.get(event.anchor or "")
        if anchored is None:
            raise refusal(f"the alias {brief(event.anchor)} repeats nothing that is complete", at)
        self.expanded += anchored.weight
        if self.expanded > self.expansion:
            raise refusal(f"its aliases add more than {self.expansion} bytes", at)
        if len(self.levels) + anchored.height > DEPTH:
            raise refusal(f"it nests deeper than {DEPTH} levels", at)
        if self._expects_key():
            self._take_key(anchored.value, at)
        else:
            self._note_type(at)
            self._add(anchored, at)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        at = _at(event)
        if not self.levels:
            raise refusal("it is not a mapping of names to values", at)
        tag = event.tag
        if tag is None or tag == "!":
            tag = str(_resolve(ScalarNode, event.value, event.implicit))
        value = _construct(tag, event.value, at)
        anchored = _Anchored(value, 2 + len(event.value), 0)
        if event.anchor:
            self.anchors[event.anchor] = anchored
        if not self._expects_key():
            self._note_type(at)
            self._add(anchored, at)
        elif tag == _MERGE:
            self._take_merge(at)
        else:
            self._take_key(value, at)

    def _expects_key(self) -> bool:
        level = self.levels[-1]
        return isinstance(level.items, dict) and level.key is None and not level.merging

    def _take_key(self, key: JsonValue, at: Position) -> None:
        level = self.levels[-1]
        if not isinstance(key, str):
            raise refusal(f"the key {brief(key)} is not a string: put it in quotes", at)
        if key in level.items:
            raise refusal(f"the key {brief(key)} occurs twice", at)
        level.key = key
        level.weight += len(key)

    def _take_merge(self, at: Position) -> None:
        level = self.levels[-1]
        if level.merges:
            raise refusal("the key '<<' occurs twice", at)
        level.merging = True

    def _add(self, anchored: _Anchored, at: Position) -> None:
        """Put a value where it belongs in the innermost level."""
        level, value = self.levels[-1], anchored.value
        level.weight += anchored.weight
        level.height = max(level.height, anchored.height + 1)
        if isinstance(level.items, list):
            level.items.append(value)
        elif level.merging:
            level.merges = _mappings(value, at)
            level.merging = False
        elif level.key is not None:
            level.items[level.key] = value
            level.key = None

    def _note_type(self, at: Position) -> None:
        if len(self.levels) == 1 and self.levels[0].key == "type":
            self.type_at = at


def _mappings(value: JsonValue, at: Position) -> list[Mapping[str, JsonValue]]:
    """What `<<` merges: a mapping, or several."""
    given = value if isinstance(value, list) else [value]
    found = [item for item in given if isinstance(item, Mapping)]
    if len(found) != len(given):
        raise refusal("'<<' takes a mapping or a list of mappings", at)
    return found


def _construct(tag: str, text: str, at: Position) -> JsonValue:
    """The value of a scalar; dates as ISO 8601."""
    if tag in _STRINGS:
        if not is_text(text):
            raise refusal("it holds text with NUL, or without a form in UTF-8", at)
        return text
    if tag not in _CONSTRUCT:
        raise refusal(f"the tag {brief(tag)} is not for manifests", at)
    if tag in _NUMBERS and len(text) > INTEGER_DIGITS:
        raise refusal("a number is too long", at)
    try:
        value: object = _CONSTRUCT[tag](ScalarNode(tag, text))
    except (ValueError, KeyError, AttributeError, OverflowError):
        raise refusal(f"{brief(text)} is no {tag.removeprefix(_TAG)}: quote text", at) from None
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, (int, float)) or not is_number(value):
        raise refusal(f"{brief(text)} is a number that JSON lacks", at)
    return value


def _at(event: yaml.Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
