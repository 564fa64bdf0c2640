"""Hand out URLs of this gateway that carry their own signature."""

from collections.abc import Sequence
from datetime import datetime

from gateway.errors import InvalidArgument
from gateway.identity import Caller, Workspace
from gateway.s3.address import Address, Query, encode_path
from gateway.s3.signer import presign
from gateway.services.keys.access import Access

DEFAULT_SECONDS = 3600
MOST_SECONDS = 7 * 24 * 3600
REGION = "us-east-1"


class Linking:
    """Presigned URLs, signed with keys derived from the gateway's secret."""

    def __init__(self, access: Access, public_url: str) -> None:
        """`public_url` is the base of the URLs: scheme, host and port, without a path."""
        self._access = access
        self._public_url = public_url.rstrip("/")

    def link(
        self,
        caller: Caller,
        method: str,
        workspace: Workspace,
        key: str,
        *,
        now: datetime,
        parameters: Sequence[tuple[str, str]] = (),
        expires_in: int | None = None,
    ) -> str:
        """A URL for one method on one key, valid for `expires_in` seconds (3,600 unless said).

        `parameters` are the gateway's own (`stage`, `version`, `silent`), signed like the rest.
        What the caller may do is asked again when the URL is used. InvalidArgument.
        """
        seconds = max(1, int(min(float(check_seconds(expires_in)), caller.seconds_left(now))))
        host = self._public_url.split("://", 1)[1]
        path = encode_path(Address(workspace.name, key))
        issuer = self._access.signing_key(caller)
        query = presign(
            method,
            host,
            path,
            Query(tuple(parameters)),
            access_key_id=issuer.access_key_id,
            secret=issuer.secret_access_key,
            region=REGION,
            now=now,
            expires=seconds,
        )
        return f"{self._public_url}{path}?{query}"


def check_seconds(expires_in: int | None) -> int:
    """How long a URL is to be valid, 3,600 seconds unless said; InvalidArgument."""
    seconds = DEFAULT_SECONDS if expires_in is None else expires_in
    if not 1 <= seconds <= MOST_SECONDS:
        raise InvalidArgument(
            f"expires_in is a number of seconds from 1 to {MOST_SECONDS}", value=seconds
        )
    return seconds
