"""Marks: where the bucket is not what readers see."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.artifact.layout import KEY_BYTES, ancestors
from gateway.artifact.lifecycle import Artifact
from gateway.storage.rows import LAST


@dataclass(frozen=True, slots=True)
class Mark:
    """A prefix below which the bucket is not what readers see.

    `deep` is False for collections, whose own keys lie directly below them; `plain` marks an
    artifact below an arrival, which is as the bucket holds it.
    """

    prefix: str
    deep: bool
    plain: bool = False

    @property
    def folder(self) -> str:
        """What the keys below it begin with."""
        return f"{self.prefix}/" if self.prefix else ""


class Marks:
    """The marks that a listing meets."""

    def __init__(
        self, artifacts: Sequence[Artifact], arrivals: Sequence[str], members: Sequence[Artifact]
    ) -> None:
        """`artifacts` are marked; `members` unmarked ones below `arrivals`."""
        marks = [Mark(prefix, deep=True) for prefix in arrivals]
        marks += [Mark(a.prefix, deep=not a.collection, plain=True) for a in members]
        marks += [Mark(a.prefix, deep=not a.collection) for a in artifacts]
        self._by_prefix = {mark.prefix: mark for mark in marks}
        self.artifact_ids = [artifact.id for artifact in artifacts if artifact.version]
        self.hidden = tuple(sorted(artifact.id for artifact in artifacts))
        self.hiding = frozenset(mark for mark in marks if not mark.plain)

    def __bool__(self) -> bool:
        return bool(self._by_prefix)

    def hides(self, key: str) -> bool:
        """Whether what readers see at `key` is for the pins to say, not for the bucket."""
        for prefix in ancestors(key):
            mark = self._by_prefix.get(prefix)
            if mark is not None:
                own = mark.deep or "/" not in key[len(mark.folder) :]
                return own and not mark.plain
        return False

    def touches(self, common_prefix: str) -> bool:
        """Whether a key that `hides` tells of could begin with `common_prefix`."""
        if any(mark.folder.startswith(common_prefix) for mark in self._by_prefix.values()):
            return True
        for prefix in ancestors(common_prefix + "-"):
            mark = self._by_prefix.get(prefix)
            if mark is not None:
                own = mark.deep or "/" not in common_prefix[len(mark.folder) :]
                return own and not mark.plain
        return False

    def common_prefixes(self, prefix: str, delimiter: str) -> list[str]:
        """The common prefixes of a listing that the marks themselves lie in, sorted."""
        found = {
            group(mark.folder, prefix, delimiter)
            for mark in self._by_prefix.values()
            if mark.folder.startswith(prefix)
        }
        return sorted(name for name in found if name)


UNMARKED = Marks((), (), ())
"""No marks: the bucket as it is."""


def group(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that `key` falls into, "" when it stands for itself."""
    if not delimiter:
        return ""
    at = key.find(delimiter, len(prefix))
    return "" if at < 0 else key[: at + len(delimiter)]


def past(name: str, *, common: bool) -> str:
    """A string after `name`, and after every key in it if it is a common prefix."""
    if not common:
        return name
    # A key can go on with the last character itself, for as long as keys are.
    return name + LAST * ((KEY_BYTES - len(name.encode())) // len(LAST.encode()) + 1)
