"""Keys for one purpose each, derived from the gateway's one secret (HKDF, RFC 5869)."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derive(secret: bytes, purpose: str) -> bytes:
    """The key of 32 bytes for `purpose`: it tells nothing of the secret, nor of other keys."""
    info = f"artifact-gateway {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)
