"""Keys of the system area: where records, announcements and weight changes lie.

An artifact's prefix, and a file's path, stand in them as digests: of any length they fit.
"""

import hashlib
import re

WORKSPACES = "workspaces/"
_RECORD_KEY = re.compile(r"(?:.*/)?records/[^/]+/[0-9a-f]{64}/([0-9]{10})", re.DOTALL)


def record_folder(workspace_id: str, prefix: str) -> str:
    """Where the records of one artifact are: `records/<workspace id>/<digest of prefix>/`."""
    return f"{records_folder(workspace_id)}{_digest(prefix)}/"


def record_key(workspace_id: str, prefix: str, number: int) -> str:
    """The key of a record: its folder and its number in ten digits, so that keys sort by it."""
    return f"{record_folder(workspace_id, prefix)}{number:010d}"


def record_number(key: str) -> int | None:
    """The number in a record's key, below whatever prefix; None when `key` is no record's."""
    match = _RECORD_KEY.fullmatch(key)
    return int(match[1]) if match else None


def records_folder(workspace_id: str) -> str:
    """Where all records of a workspace are: `records/<workspace id>/`."""
    return f"records/{workspace_id}/"


def announcements_folder(workspace_id: str) -> str:
    """Where all announcements of a workspace are."""
    return f"announcements/{workspace_id}/"


def announcement_folder(workspace_id: str, prefix: str) -> str:
    """Where the announcements of one artifact are."""
    return f"{announcements_folder(workspace_id)}{_digest(prefix)}/"


def announcement_key(workspace_id: str, prefix: str, path: str) -> str:
    """The key of a file's announcement; the last one wins."""
    return announcement_folder(workspace_id, prefix) + _digest(path)


def weights_folder(workspace_id: str) -> str:
    """Where all weight changes of a workspace are."""
    return f"weights/{workspace_id}/"


def weight_folder(workspace_id: str, prefix: str) -> str:
    """Where the weight changes of one artifact are."""
    return f"{weights_folder(workspace_id)}{_digest(prefix)}/"


def weight_key(workspace_id: str, prefix: str, path: str) -> str:
    """The key of a file's weight change; the last one wins."""
    return weight_folder(workspace_id, prefix) + _digest(path)


def workspace_key(workspace_id: str) -> str:
    """The key of a workspace's record: `workspaces/<id>`."""
    return WORKSPACES + workspace_id


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
