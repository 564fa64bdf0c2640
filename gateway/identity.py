"""Who calls, and what they may do: rights, grants, callers, workspaces' names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from math import inf
from types import MappingProxyType

from gateway.light import light

EVERY_WORKSPACE = "*"


class Right(IntEnum):
    """What a grant gives on a workspace: each right holds those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3

    @classmethod
    def parse(cls, text: str) -> "Right":
        """The right called `text` ("read", "write" or "admin"); ValueError otherwise."""
        if text not in ("read", "write", "admin"):
            raise ValueError(f"{text!r} is no right: use read, write or admin")
        return cls[text.upper()]


@dataclass(frozen=True, slots=True)
class Grants:
    """Workspace name, or `*`, to right."""

    rights: Mapping[str, Right] = field(default_factory=lambda: MappingProxyType({}))

    def on(self, workspace: str) -> Right:
        """The right held on `workspace`: the higher of its own grant and that of `*`."""
        none = Right.NONE
        return max(self.rights.get(workspace, none), self.rights.get(EVERY_WORKSPACE, none))

    def within(self, other: "Grants") -> "Grants":
        """These grants, each lowered to what `other` holds on the same workspace."""
        names = {*self.rights, *other.rights} if EVERY_WORKSPACE in self.rights else {*self.rights}
        lowered = {
            name: min(
                self.on(name) if name != EVERY_WORKSPACE else self.rights[name],
                other.on(name) if name != EVERY_WORKSPACE else other.rights.get(name, Right.NONE),
            )
            for name in names
        }
        return Grants(MappingProxyType({name: right for name, right in lowered.items() if right}))

    def as_text(self) -> dict[str, str]:
        """The grants as configuration and tokens write them."""
        return {name: right.name.lower() for name, right in self.rights.items()}


def parse_grants(document: Mapping[str, str]) -> Grants:
    """Grants from a mapping of workspace (or `*`) to "read", "write" or "admin"; ValueError."""
    return Grants(MappingProxyType({name: Right.parse(text) for name, text in document.items()}))


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One identity: an access key with its secret and grants."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    name: str
    grants: Grants


@light
@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, after verification. `access_key_id` is None for anonymous callers.

    `until` is when the credentials end by themselves (UTC): what they make ends no later. It
    is None for those that don't.
    """

    access_key_id: str | None
    name: str
    grants: Grants
    until: datetime | None = None

    def seconds_left(self, now: datetime) -> float:
        """How long the credentials still last, in seconds; infinite when nothing ends them."""
        return inf if self.until is None else (self.until - now).total_seconds()

    @property
    def anonymous(self) -> bool:
        """Whether the request carried no credentials."""
        return self.access_key_id is None


ANONYMOUS = Caller(None, "anonymous", Grants())


@dataclass(frozen=True, slots=True)
class Workspace:
    """What S3 clients see as a bucket: a backend bucket, whole or below a key prefix.

    `id` names its records in the system area and is never used again. `prefix` is empty or
    ends in "/". `public` is "artifacts", "objects" or "none". `versioning` says whether the
    gateway may turn the backend bucket's versioning on.
    """

    id: str
    name: str
    bucket: str
    prefix: str = ""
    public: str = "artifacts"
    backend_settings: bool = False
    versioning: bool = True

    @property
    def renamed(self) -> bool:
        """Whether names of it, or in it, are others at the backend."""
        return self.name != self.bucket or bool(self.prefix)

    def backend_key(self, key: str) -> str:
        """The key in the backend bucket of the workspace's `key`."""
        return self.prefix + key
