"""JSON Web Tokens (RFC 7519), signed with HS256: claims that this gateway knows for its own.

PyJWT is read with the first of them: it brings all that other algorithms need, a tenth of what a
gateway takes to start.
"""

from collections.abc import Mapping
from importlib import import_module

_ALGORITHM = "HS256"
# The time is judged by the clock of who asks.
_OPTIONS = {"require": ["sub", "iat", "exp"], "verify_exp": False, "verify_iat": False}


def sign(claims: Mapping[str, object], key: bytes) -> str:
    """The token that says this, under `key`. It needs "sub", "iat" and "exp"."""
    token: str = import_module("jwt").encode(dict(claims), key, algorithm=_ALGORITHM)
    return token


def verified(token: str, key: bytes) -> Mapping[str, object]:
    """What a token says, whatever the time; nothing where it was not signed under `key`."""
    jwt = import_module("jwt")
    try:
        claims: Mapping[str, object] = jwt.decode(
            token, key, algorithms=[_ALGORITHM], options=_OPTIONS
        )
    except (jwt.InvalidTokenError, ValueError):
        return {}
    return claims
