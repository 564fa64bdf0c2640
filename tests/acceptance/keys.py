"""The access keys and workspaces of the test configuration: fixed, so that tests can sign."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

WORKSPACE = "my-workspace"
OTHER_WORKSPACE = "other-workspace"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key of the test configuration."""

    access_key_id: str
    secret_access_key: str
    name: str
    grants: Mapping[str, str]


def make_key(name: str, grants: Mapping[str, str]) -> Key:
    """A key whose id and secret follow from its name."""
    return Key(f"AK{name.upper():A<18}", hashlib.sha256(name.encode()).hexdigest(), name, grants)


KEYS: Mapping[str, Key] = {
    "admin": make_key("admin", {"*": "admin"}),
    "write": make_key("writer", {WORKSPACE: "write"}),
    "read": make_key("reader", {WORKSPACE: "read"}),
    "other": make_key("other", {OTHER_WORKSPACE: "admin"}),
    "copier": make_key("copier", {WORKSPACE: "read", OTHER_WORKSPACE: "write"}),
}
