"""Bearer tokens: JSON Web Tokens (RFC 7519), signed with HS256.

Whoever has one sends it with each call. What a good one says is kept, known by its digest: it says
the same for ever. Whether its time has come, and what its issuer holds, is asked with each call.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from gateway.derivation import derive
from gateway.errors import AccessDenied
from gateway.identity import Grants, parse_grants
from gateway.services.keys.signed_claims import sign, verified

MOST = 2_048
"""Of how many tokens is kept what they say."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: the access key id of its issuer, grants, and when it ends (UTC)."""

    issuer: str
    grants: Grants
    until: datetime


def expired(until: datetime) -> AccessDenied:
    """The refusal of a token whose time is over."""
    return AccessDenied(f"This token expired at {until:%Y-%m-%dT%H:%M:%SZ}; get a new one.")


class Tokens:
    """Writes and reads tokens, under a key derived from the gateway's `secret`."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive(secret, "tokens")
        self._known: dict[bytes, Token] = {}

    def write(self, token: Token, now: datetime) -> str:
        """The token as it goes into an `Authorization` header."""
        claims = {
            "sub": token.issuer,
            "grants": token.grants.as_text(),
            "iat": int(now.timestamp()),
            "exp": int(token.until.timestamp()),
        }
        return sign(claims, self._key)

    def read(self, text: str, now: datetime) -> Token:
        """What a token says; AccessDenied where it is not of this gateway, or has expired."""
        digest = sha256(text.encode(errors="surrogatepass")).digest()
        token = self._known.get(digest)
        if token is None:
            token = self._verified(text)
            self._keep(digest, token)
        if now >= token.until:
            raise expired(token.until)
        return token

    def _keep(self, digest: bytes, token: Token) -> None:
        """Keep what a token says, instead of what was kept longest ago."""
        self._known[digest] = token
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def _verified(self, text: str) -> Token:
        try:
            match verified(text, self._key):
                case {"sub": str(issuer), "grants": dict(grants), "exp": int(expires)}:
                    until = datetime.fromtimestamp(expires, UTC)
                    return Token(issuer, parse_grants(grants), until)
        except (ValueError, OverflowError, OSError):
            pass
        raise AccessDenied("This is no token of this gateway.")
