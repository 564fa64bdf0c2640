"""What names and addresses look like; each function says what is wrong with a text, or None."""

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
SECRET_BYTES = 32
SECRET_CHARACTERS = 8
LONGEST_PREFIX = 512  # bytes: leaves half of S3's longest key to the workspace

_BUCKET = re.compile(r"(?!xn--|sthree-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9._-]{3,128}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def bucket_name_flaw(name: str) -> str | None:
    """What keeps `name` from being a bucket's, and so a workspace's."""
    if _BUCKET.fullmatch(name) and ".." not in name and not _is_address(name):
        return None
    return (
        f"{name!r} is no bucket name: those have 3 to 63 lower-case letters, digits, dots and "
        "hyphens, a letter or digit first and last, and are no IP address"
    )


def prefix_flaw(prefix: str) -> str | None:
    """What keeps `prefix` from being a folder of a bucket; a trailing slash is none."""
    segments = prefix.removesuffix("/").split("/")
    if prefix and any(segment in ("", ".", "..") for segment in segments):
        return f"{prefix!r} has a segment that is empty, . or .."
    if "\\" in prefix or _CONTROL.search(prefix):
        return f"{prefix!r} has a backslash or a control character"
    if len(prefix.encode()) > LONGEST_PREFIX:
        return f"has more than {LONGEST_PREFIX} bytes"
    return None


def access_key_id_flaw(access_key_id: str) -> str | None:
    """What keeps a text from being an access key id, which stands in headers and URLs."""
    if _ACCESS_KEY_ID.fullmatch(access_key_id):
        return None
    return "must be 3 to 128 letters, digits, dots, hyphens and underscores"


def secret_flaw(secret: str) -> str | None:
    """What keeps a text from being the secret that other keys are derived from."""
    if len(secret.encode()) >= SECRET_BYTES:
        return None
    return f"must have at least {SECRET_BYTES} bytes, for example from `openssl rand -hex 32`"


def secret_access_key_flaw(secret: str) -> str | None:
    """What keeps a text from being an access key's secret."""
    if len(secret) >= SECRET_CHARACTERS:
        return None
    return f"must have at least {SECRET_CHARACTERS} characters"


def token_flaw(token: str) -> str | None:
    """What keeps a text from being a bearer token."""
    return None if _TOKEN.fullmatch(token) else "must be 16 or more letters, digits and ._~+/=-"


def base_url_flaw(url: str) -> str | None:
    """What keeps a text from being the base of URLs: a scheme and a host, and nothing after."""
    if _splits(url) and urlsplit(url).path in ("", "/"):
        return None
    # A password may stand in it: it is not repeated.
    return "must be http:// or https://, a host, perhaps a port, and nothing more"


def origin_flaw(origin: str) -> str | None:
    """What keeps a text from being an origin as browsers send it (RFC 6454, section 6.2)."""
    if _splits(origin) and not urlsplit(origin).path and origin == origin.lower():
        parts = urlsplit(origin)
        if parts.port != DEFAULT_PORTS[parts.scheme]:
            return None
    return "must be an exact origin, such as https://example.org"


def database_url_flaw(url: str) -> str | None:
    """What keeps a text from being a database's URL."""
    if url.startswith("sqlite:///") and url != "sqlite:///":
        return None
    # The URL may hold a password: it is not repeated.
    if not url.startswith("postgresql://"):
        return "must be sqlite:///file.db or postgresql://user:password@host/name"
    try:
        parts = urlsplit(url)
        ambiguous = parts.port == 0 or parts.netloc.count("@") > 1 or "@" in parts.path
    except ValueError:
        ambiguous = True
    if ambiguous:
        return (
            "must be postgresql://user:password@host:port/name, with special characters of "
            "the password percent-encoded"
        )
    return None


def host_flaw(host: str) -> str | None:
    """What keeps a text from being a host name or an IP address."""
    if _is_address(host) or domain_flaw(host.lower()) is None:
        return None
    return f"{host!r} is no host name or IP address"


def domain_flaw(domain: str) -> str | None:
    """What keeps a text from being a domain that workspaces are sub-domains of."""
    if _DOMAIN.fullmatch(domain) and not _is_address(domain):
        return None
    return f"{domain!r} is no lower-case domain"


def network_flaw(network: str) -> str | None:
    """What keeps a text from being an IP address or a network of them."""
    try:
        ip_network(network, strict=False)
    except ValueError:
        return f"{network!r} is no IP address or network, such as 10.0.0.0/8"
    return None


def _splits(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and parts.hostname is not None
        and host_flaw(parts.hostname) is None
        and port != 0
        and not (parts.username or parts.password or "?" in url or "#" in url)
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
