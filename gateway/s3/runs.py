"""Runs: entries of a listing that are written one like the other, each beginning with its name.

That they are is proved of the whole run, by what is in it and how often. So it takes a tenth of a
look at each tag, and whatever can't be proved so is left to who looks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.s3.naming import outside
from gateway.s3.omission import holds


@dataclass(frozen=True, slots=True)
class Run:
    """Entries of one kind: what each is called, and the element that names it."""

    entry: bytes
    name: bytes

    @property
    def beginning(self) -> bytes:
        """How each entry begins: with its name."""
        return b"<%b><%b>" % (self.entry, self.name)

    @property
    def closing(self) -> bytes:
        """How each entry ends."""
        return b"</%b>" % self.entry


KINDS: Mapping[bytes, Run] = {
    run.beginning: run
    for run in (
        Run(b"Contents", b"Key"),
        Run(b"Version", b"Key"),
        Run(b"CommonPrefixes", b"Prefix"),
    )
}
"""By how it begins, what a run is of."""

# What no document holds: it stands between what is joined.
_BETWEEN = b"\0"
# Elements that name something, in whatever namespace, or with attributes.
_NAMING = (b"Key", b"Prefix")
# Characters by their numbers. Quotes alone are written so by who means well.
_ODD_REFERENCE = re.compile(rb"&#(?!3[49];)")
# Unreserved characters, which nobody escapes who means well: a name could hide in them.
_ODD_ESCAPE = re.compile(rb"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.IGNORECASE)


def cut(entries: bytes, run: Run, prefix: str, texts: tuple[str, ...]) -> bytes | None:
    """Entries without the prefix of their names.

    None where they are not all of the run's kind, one behind the other, each with a name below the
    prefix; and where one of `texts`, which are of unreserved characters, may be in a name, however
    it is spelled.
    """
    if _BETWEEN in entries:
        return None
    pieces = entries.split(run.name + b">")
    names, rest = pieces[1::2], pieces[2::2]
    if not names or len(names) != len(rest) or pieces[0] != b"<%b><" % run.entry:
        return None
    spelled = _spelled(names[0], prefix)
    if spelled is None or not _are_names(names, spelled, texts) or not _are_alike(rest, run):
        return None
    if not spelled:
        return entries
    size = len(spelled)
    pieces[1::2] = [name[size:] for name in names]
    return (run.name + b">").join(pieces)


def _spelled(name: bytes, prefix: str) -> bytes | None:
    """How a name spells `prefix`; None where it is not below it."""
    text = name.partition(b"<")[0].decode(errors="replace")
    length = outside(text, prefix)
    return text[:length].encode() if length < len(text) or not prefix else None


def _are_names(names: list[bytes], spelled: bytes, texts: tuple[str, ...]) -> bool:
    """Whether these are names below what is spelled so, up to their end tags, without any text."""
    between = _BETWEEN.join([b"", *names, b""])
    number = len(names)
    if not between.count(b"</" + _BETWEEN) == number == between.count(b"<"):
        return False
    if spelled and between.count(_BETWEEN + spelled) != number:
        return False
    if spelled and _BETWEEN + spelled + b"<" in between:
        return False  # the workspace's own folder, which has no name in it
    return not _may_hold(between, texts)


def _may_hold(names: bytes, texts: tuple[str, ...]) -> bool:
    """Whether one of `texts`, of unreserved characters, may be in a name, however it is spelled."""
    return bool(texts) and (
        holds(names, [text.encode() for text in texts])
        or (b"&#" in names and _ODD_REFERENCE.search(names) is not None)
        or (b"%" in names and _ODD_ESCAPE.search(names) is not None)
    )


def _are_alike(rest: list[bytes], run: Run) -> bool:
    """Whether what is behind each name is the rest of its entry, and all but the last go on."""
    between = _BETWEEN.join(rest)
    others = len(rest) - 1
    joint = b"%b<%b><%b" % (run.closing, run.entry, _BETWEEN)
    if not between.endswith(run.closing) or between.count(joint) != others:
        return False
    tags = between.count(run.entry)
    if tags != 2 * others + 1:
        # A version has an id, too.
        tags -= between.count(run.entry + b"Id")
    return tags == 2 * others + 1 and not _may_name(between)


def _may_name(between: bytes) -> bool:
    """Whether there may be an element that names something, or what only looks like a tag."""
    words = [word for word in _NAMING if holds(between, (word,))]
    marks = [mark for mark in (b"!", b"?") if mark in between]
    return holds(between, [b"<" + each for each in words + marks] + [b":" + each for each in words])
