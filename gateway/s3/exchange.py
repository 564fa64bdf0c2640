"""A verified request: what the doors hand down to the services."""

from dataclasses import dataclass, field

from gateway.light import light
from gateway.s3.address import Address, Query
from gateway.s3.message import Request
from gateway.s3.operation import Operation
from gateway.s3.payload import Payload
from gateway.s3.post import Posted
from gateway.s3.sigv4 import VerifiedSignature


@dataclass(frozen=True, slots=True)
class CopySource:
    """The object that a request names as its source, in the workspaces' names.

    `address` is folded; `version_id` is what the client asked for, None for the newest.
    """

    address: Address
    version_id: str | None


@light
@dataclass(frozen=True, slots=True)
class Verified:
    """An S3 request whose signature holds, or that carried none.

    `address` comes from the spelling that verified and is folded as the backend folds; no
    private key or prefix of the backend's gets this far. `query` has no signing parameters.
    `signature` is None on unsigned requests. `source` is there on copies and renames. `own`
    has the signed parameters of a URL that the gateway made itself (stage, silent, version),
    which `query` then has not; it is None on all other requests. `posted` is there on uploads by
    HTML form, of which the rest is the PUT that they ask for: its body and its length come
    from there, once the caller may write.
    """

    request: Request = field(repr=False)
    operation: Operation
    address: Address
    query: Query
    payload: Payload
    signature: VerifiedSignature | None = None
    source: CopySource | None = None
    own: Query | None = None
    posted: Posted | None = field(default=None, repr=False)
