"""The configuration of a gateway that has none: one workspace, and a key made at its start."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from gateway.document import ConfigError

WORKSPACE = "my-workspace"
_NAMES = ("access_key_id", "secret_access_key", "secret")


def document(data_dir: Path) -> str:
    """A configuration in JSON, which is YAML, with the credentials kept in `data_dir`.

    The first call makes them. ConfigError where they can't be read or written.
    """
    kept = _credentials(data_dir / "credentials.json")
    key = {name: kept[name] for name in ("access_key_id", "secret_access_key")}
    return json.dumps(
        {
            "secret": kept["secret"],
            "workspaces": {WORKSPACE: {"bucket": WORKSPACE}},
            "keys": [key | {"name": "admin", "grants": {"*": "admin"}}],
        }
    )


def _credentials(path: Path) -> Mapping[str, str]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
        kept: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path}: {error}"]) from None
    if not isinstance(kept, dict) or not all(isinstance(kept.get(name), str) for name in _NAMES):
        raise ConfigError([f"{path}: must have {', '.join(_NAMES)}: mend it, or remove it"])
    return {name: kept[name] for name in _NAMES}


def _create(path: Path) -> None:
    """Makes the file, whole and nobody else's, unless it is there."""
    if path.exists():
        return
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fresh = {
        "access_key_id": f"AG{secrets.token_hex(9).upper()}",
        "secret_access_key": secrets.token_hex(20),
        "secret": secrets.token_hex(32),
    }
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(fresh, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)  # of two gateways that start at once, one makes it
    except FileExistsError:
        pass
    finally:
        new.unlink()
