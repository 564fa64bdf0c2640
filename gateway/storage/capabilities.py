"""What a backend was seen to do, and how that is remembered."""

import json
from dataclasses import asdict, dataclass

from gateway.s3.address import KeyRules
from gateway.s3.checks import BackendChecks

FORMAT = 3


class BackendUnfit(Exception):
    """The backend lacks what artifacts need; the message says what."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend was seen to do.

    `keys` says which keys it folds and which it keeps for itself, and in which order it lists
    them. `checks` says which declarations about a body it refuses when they are wrong, and
    `takes_trailers` that it decodes a body that is followed by its checksum. `conditional_put`:
    of two `If-None-Match: *` one loses. `versioning`: overwritten bytes stay readable by version
    id. `delete_by_version`: deleting the newest version makes the one before the newest again.
    `passed_over` names the operations of the table whose subresource it does not know: it would
    take them for a plain GET, PUT or DELETE. `payload_signing` is how bodies went when all this
    was seen, as the configuration has it.
    """

    keys: KeyRules
    checks: BackendChecks
    takes_trailers: bool
    conditional_put: bool
    versioning: bool
    delete_by_version: bool
    passed_over: tuple[str, ...] = ()
    payload_signing: str = "unsigned"

    @property
    def missing(self) -> tuple[str, ...]:
        """What artifacts need and this backend lacks, in words; empty when it is fit.

        Versioning is no need: without it committed files just can't change. But where
        versions are kept, a discard leans on them.
        """
        words = []
        if not self.conditional_put:
            words.append("PUT with If-None-Match: * (two commits at once could both succeed)")
        if self.versioning and not self.delete_by_version:
            words.append("DELETE of a version by its id (a discard could not bring back a file)")
        return tuple(words)


def demand(capabilities: Capabilities) -> None:
    """Nothing; BackendUnfit when the backend lacks what artifacts need."""
    if capabilities.missing:
        raise BackendUnfit("this backend can't hold artifacts: " + "; ".join(capabilities.missing))


def encode(capabilities: Capabilities) -> bytes:
    """The JSON under which the answers are remembered."""
    return json.dumps({"format": FORMAT} | asdict(capabilities), indent=2).encode()


def decode(data: bytes) -> Capabilities | None:
    """The answers that `encode` wrote; None where they can't be read and must be asked again."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            return None
        keys, checks = document["keys"], document["checks"]
        return Capabilities(
            keys=KeyRules(
                bool(keys["folds"]),
                tuple(map(str, keys["private_suffixes"])),
                tuple(map(str, keys["private_segments"])),
                bool(keys["bytewise_listing"]),
            ),
            checks=BackendChecks(
                bool(checks["payload_hash"]),
                bool(checks["content_md5"]),
                tuple(map(str, checks["headers"])),
                tuple(map(str, checks["trailers"])),
            ),
            takes_trailers=bool(document["takes_trailers"]),
            conditional_put=bool(document["conditional_put"]),
            versioning=bool(document["versioning"]),
            delete_by_version=bool(document["delete_by_version"]),
            passed_over=tuple(map(str, document["passed_over"])),
            payload_signing=str(document["payload_signing"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
