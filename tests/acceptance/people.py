"""What people type: `artifact-gateway artifact …`, each a process of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.harness import KEYS, ROOT, Document, Gateway
from tests.acceptance.processes import clean_environment
from tests.acceptance.warm import gateway as program

COMMAND = [sys.executable, "-m", "gateway", "artifact"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    errors: str

    def json(self) -> Document:
        """Its document."""
        return json.loads(self.out)


@dataclass(slots=True)
class Person:
    """Somebody with a home of their own, whose environment points at a gateway."""

    gateway: Gateway
    home: Path
    key: str | None = "write"
    added: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What their shell exports."""
        self.home.mkdir(parents=True, exist_ok=True)
        found = clean_environment() | {"HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        found.pop("XDG_CONFIG_HOME", None)
        found.pop("XDG_CACHE_HOME", None)
        if self.key is not None:
            key = KEYS[self.key]
            found |= {
                "ARTIFACT_GATEWAY_URL": self.gateway.url,
                "ARTIFACT_GATEWAY_WORKSPACE": self.gateway.workspace,
                "ARTIFACT_GATEWAY_ACCESS_KEY_ID": key.access_key_id,
                "ARTIFACT_GATEWAY_SECRET_ACCESS_KEY": key.secret_access_key,
            }
        return found | dict(self.added)

    def types(self, *words: str | Path, code: int | None = 0) -> Ended:
        """What comes of a command line; AssertionError on another exit code, or a traceback."""
        told = ["artifact", *map(str, words)]
        # The tests' own limits are shorter.
        ended = program().run(told, self.environment(), self.home, seconds=1200)
        seen = Ended(ended.returncode, ended.stdout, ended.stderr)
        assert "Traceback" not in seen.errors, seen.errors
        assert code is None or seen.code == code, (words, seen)
        return seen
