"""What people call an artifact: PREFIX, or WORKSPACE:PREFIX."""

import re
from dataclasses import dataclass

from gateway.commands.artifact.exits import Misuse

_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Place:
    """An artifact's prefix, or what leads to some; `workspace` is None for the configured one."""

    prefix: str
    workspace: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that a text names; Misuse. A prefix with a colon of its own comes after one."""
        if text.startswith("s3://"):
            raise Misuse(f"{text!r} is S3's way to write it: write WORKSPACE:PREFIX")
        before, colon, after = text.partition(":")
        if not colon:
            return cls(text.strip("/"))
        if before and not _WORKSPACE.fullmatch(before):
            raise Misuse(f"{before!r} is no workspace's name: write WORKSPACE:PREFIX, or :PREFIX")
        return cls(after.strip("/"), before or None)

    @property
    def name(self) -> str:
        """The last part of the prefix."""
        return self.prefix.rpartition("/")[2]
