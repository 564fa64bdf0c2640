"""A YAML document read key by key: every problem is collected, and none is the last one said."""

import difflib
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import yaml

T = TypeVar("T")
Number = TypeVar("Number", int, float)
Check = Callable[[str], str | None]

_NAMING = re.compile(r"\b(alias|anchor|tag)\b")
_VARIABLE = re.compile(r"\$(\$?)\{([^{}]*)\}")
_UNKNOWN: Final = object()  # a value that could not be made: its problem has been said


class ConfigError(Exception):
    """What is wrong with a configuration: `problems`, one line each, naming the key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class FromEnvironment(str):
    """A text that a variable is part of: it may stand for a number or a flag too."""

    __slots__ = ()


class Section:
    """One mapping of a document, whose keys are taken by name and type.

    A key that is missing gives its default. One with a problem does too, and the problem goes
    to the list that all sections of the document share; `finish` adds the keys that nobody
    took. A default of None makes a key mandatory where the method says so.
    """

    def __init__(self, where: str, values: Mapping[str, object], problems: list[str]) -> None:
        self._where = where
        self._values = dict(values)
        self._problems = problems
        self._known: list[str] = []

    def problem(self, name: str, what: str) -> None:
        """Notes what is wrong with the key `name`, or with this mapping where it is empty."""
        self._problems.append(f"{self._path(name)}: {what}")

    def has(self, name: str) -> bool:
        """Whether the key is there, with a value."""
        return self._values.get(name) is not None

    def text(self, name: str, default: str | None = None, check: Check | None = None) -> str:
        """A text that `check` finds nothing wrong with; mandatory without a default."""
        if default is None and not self.has(name):
            self.problem(name, "is missing")
        value = self._take(name, str, "a text: put it in quotes")
        return default or "" if value is None else self._checked(name, value, check)

    def optional(self, name: str, check: Check | None = None) -> str | None:
        """A text that `check` finds nothing wrong with, or None."""
        value = self._take(name, str, "a text: put it in quotes")
        return None if value is None else self._checked(name, value, check)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of `choices`."""

        def check(value: str) -> str | None:
            return None if value in choices else f"{value!r} is none of {', '.join(choices)}"

        return self.text(name, default, check)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(name, bool, "true or false")
        return default if value is None else value

    def integer(self, name: str, default: int, least: int = 0, most: int | None = None) -> int:
        """A whole number from `least` to `most`."""
        value = self._take(name, int, "a whole number")
        return default if value is None else self._within(name, value, least, most)

    def integer_or_none(self, name: str, least: int = 0) -> int | None:
        """A whole number of at least `least`; None where the key is missing or null."""
        value = self._take(name, int, "a whole number")
        return None if value is None else self._within(name, value, least, None)

    def number(
        self, name: str, default: float, least: float = 0, most: float | None = None
    ) -> float:
        """A number of at least `least` and, where that is said, at most `most`."""
        value = self._take(name, (int, float), "a number")
        return default if value is None else self._within(name, value, least, most)

    def texts(self, name: str, check: Check | None = None) -> tuple[str, ...]:
        """A list of texts; none when the key is missing."""
        values = self._take(name, list, "a list of texts") or []
        for index, value in enumerate(values):
            flaw = check and check(value) if isinstance(value, str) else "must be a text"
            if flaw and value is not _UNKNOWN:
                self.problem(f"{name}[{index}]", flaw)
        return tuple(str(value) for value in values)

    def section(self, name: str) -> "Section":
        """The mapping below the key, empty when it is missing."""
        return self._below(name, self._take(name, dict, "a mapping"))

    def sections(self, name: str) -> Iterator["tuple[str, Section]"]:
        """The key of each entry of a mapping of mappings, with the entry."""
        for key in (entries := self.section(name)).names():
            yield key, entries.section(key)

    def items(self, name: str) -> Iterator["Section"]:
        """The entries of a list of mappings."""
        for index, value in enumerate(self._take(name, list, "a list of mappings") or []):
            if isinstance(value, dict):
                yield self._below(f"{name}[{index}]", value)
            elif value is not _UNKNOWN:
                self.problem(f"{name}[{index}]", "must be a mapping")

    def names(self) -> tuple[str, ...]:
        """Every key of this mapping."""
        return tuple(self._values)

    def finish(self) -> None:
        """Notes each key that nobody asked for."""
        for name in self._values:
            if name not in self._known:
                near = difflib.get_close_matches(name, self._known, 1)
                self.problem(name, f"is no key here{f': did you mean {near[0]}?' if near else ''}")

    def _below(self, name: str, values: Mapping[str, object] | None) -> "Section":
        return Section(self._path(name), values or {}, self._problems)

    def _take(self, name: str, kind: type[T] | tuple[type[T], ...], what: str) -> T | None:
        self._known.append(name)
        value = self._values.get(name)
        if value is None or value is _UNKNOWN:
            return None
        if isinstance(value, FromEnvironment) and kind is not str:
            value = _scalar(value)
        # In Python a flag is a number; in a configuration it is a slip.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.problem(name, f"must be {what}")
        return None

    def _checked(self, name: str, value: str, check: Check | None) -> str:
        flaw = check(value) if check else None
        if flaw:
            self.problem(name, flaw)
        return str(value)

    def _within(self, name: str, value: Number, least: Number, most: Number | None) -> Number:
        if value < least:
            self.problem(name, f"must be at least {least}")
        elif most is not None and value > most:
            self.problem(name, f"must be at most {most}")
        return value

    def _path(self, name: str) -> str:
        return ".".join(part for part in (self._where, name) if part)


def parse(text: str, environ: Mapping[str, str], problems: list[str]) -> Section:
    """The document's outermost mapping, each `${NAME}` in a text taken from `environ`.

    `$${NAME}` stands for itself. Variables that are missing go to `problems`; a text that is
    no YAML mapping, or that has a key twice, raises ConfigError.
    """
    try:
        document: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([f"{place}{_told(error)}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([str(error).replace("\n", " ")]) from None
    filled = _fill("", {} if document is None else document, environ, problems)
    if not isinstance(filled, dict):
        raise ConfigError(["the configuration must be a mapping"])
    return Section("", filled, problems)


class _Loader(yaml.SafeLoader):
    """YAML as it is meant: a mapping's keys are texts, each there once."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - as PyYAML calls it
    ) -> dict[Hashable, object]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError([f"{key}: must be a text, in line {line}: put it in quotes"])
            if key in seen:
                raise ConfigError([f"{key}: is there twice, the second time in line {line}"])
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _told(error: yaml.MarkedYAMLError) -> str:
    """What a YAML error says, without what it quotes of the text: that may be a secret."""
    problem = error.problem or "no YAML"
    if _NAMING.search(problem) is None:
        return problem
    said = problem.partition("'")[0].partition('"')[0].rstrip()
    return f"{said}: a text that begins with *, & or ! is put in quotes"


def _fill(where: str, value: object, environ: Mapping[str, str], problems: list[str]) -> object:
    if isinstance(value, dict):
        return {
            key: _fill(f"{where}.{key}" if where else key, below, environ, problems)
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_fill(f"{where}[{i}]", below, environ, problems) for i, below in enumerate(value)]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value
    variables = [match[2] for match in _VARIABLE.finditer(value) if not match[1]]
    missing = [name for name in variables if name not in environ]
    problems.extend(
        f"{where}: the environment has no {name or 'variable without a name'}" for name in missing
    )
    if missing:
        return _UNKNOWN
    return FromEnvironment(
        _VARIABLE.sub(lambda match: match[0][1:] if match[1] else environ[match[2]], value)
    )


def _scalar(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
