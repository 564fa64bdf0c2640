"""Bearer tokens: JSON Web Tokens (RFC 7519), signed with HS256."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.derivation import derive
from gateway.errors import AccessDenied
from gateway.identity import Grants, parse_grants
from gateway.services.keys.signed_claims import sign, verified


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
        token = self._verified(text)
        if now >= token.until:
            raise expired(token.until)
        return token

    def _verified(self, text: str) -> Token:
        try:
            match verified(text, self._key):
                case {"sub": str(issuer), "grants": dict(grants), "exp": int(expires)}:
                    until = datetime.fromtimestamp(expires, UTC)
                    return Token(issuer, parse_grants(grants), until)
        except (ValueError, OverflowError, OSError):
            pass
        raise AccessDenied("This is no token of this gateway.")
