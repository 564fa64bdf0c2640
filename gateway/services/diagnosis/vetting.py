"""Read the configuration as somebody would who means harm: keys, secrets, origins."""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from gateway.config import Config
from gateway.identity import EVERY_WORKSPACE, AccessKey
from gateway.services.diagnosis.verdict import Verdict, ok, warning

SHORT, FEW = 16, 8
"""A secret of fewer characters, or of fewer different ones, can be guessed."""
EXAMPLES = ("EXAMPLE", "CHANGEME", "CHANGE-ME", "PASSWORD")
STRONG = "make another: openssl rand -hex 32"


def secrets(config: Config) -> Sequence[Verdict]:
    """Which of the configuration's secrets are weak, and which are there twice."""
    found = [
        warning("secrets", f"{name} {flaw}", STRONG)
        for name, secret in _named(config)
        if (flaw := _weakness(secret))
    ]
    seen: dict[str, str] = {}
    for name, secret in _named(config):
        if secret in seen:
            told = f"{name} is the same as {seen[secret]}"
            found.append(warning("secrets", told, "give each a secret of its own"))
        seen.setdefault(secret, name)
    return found or [ok("secrets", "none is short, or an example's")]


def keys(
    config: Config, stored: Sequence[AccessKey], workspaces: Collection[str]
) -> Sequence[Verdict]:
    """What keys grant in vain; `stored` are the database's, `workspaces` all that are known."""
    every = [*config.keys, *stored]
    if not every:
        remedy = "make one: artifact-gateway keys create NAME --grant WORKSPACE=RIGHT"
        return [warning("keys", "there is no access key: nobody may write", remedy)]
    found = [verdict for key in every for verdict in _grants(key, workspaces)]
    return found or [ok("keys", f"{len(every)}, whose grants all name workspaces")]


def origins(config: Config) -> Sequence[Verdict]:
    """Which origins of `cors.allow_origins` anybody on the way could speak for."""
    found = [
        warning(
            "cors",
            f"{origin} is not encrypted: who is on its way can use private paths",
            "allow its https address instead",
        )
        for origin in config.allow_origins
        if origin.startswith("http://") and not is_loopback(urlsplit(origin).hostname or "")
    ]
    told = ", ".join(config.allow_origins) or "none: pages of other origins read what is public"
    return found or [ok("cors", told)]


def hidden(config: Config) -> tuple[str, ...]:
    """All that no line may show, the longest first."""
    password = urlsplit(config.database_url).password or ""
    secrets = [*(secret for _, secret in _named(config)), password, unquote(password)]
    return tuple(sorted({each for each in secrets if each}, key=len, reverse=True))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, to itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _named(config: Config) -> Iterator[tuple[str, str]]:
    """Each secret of the configuration, and what it is called there."""
    yield "secret", config.secret.decode()
    for key in config.keys:
        yield f"the secret of key {key.access_key_id}", key.secret_access_key
    if config.backend is not None and config.backend.secret_access_key is not None:
        yield "backend.secret_access_key", config.backend.secret_access_key
    if config.metrics_token is not None:
        yield "metrics_token", config.metrics_token


def _weakness(secret: str) -> str | None:
    if len(secret) < SHORT:
        return f"has fewer than {SHORT} characters"
    if len(set(secret)) < FEW:
        return f"has fewer than {FEW} different characters"
    if any(word in secret.upper() for word in EXAMPLES):
        return "is an example's"
    return None


def _grants(key: AccessKey, workspaces: Collection[str]) -> Iterator[Verdict]:
    named = f"key {key.access_key_id}"
    if not key.grants.rights:
        yield warning(
            "keys", f"{named} has no grants: it may do nothing", "give it some, or end it"
        )
    for name in key.grants.rights:
        if name != EVERY_WORKSPACE and name not in workspaces:
            remedy = f"mend the name, or make the workspace: aws s3 mb s3://{name}"
            yield warning("keys", f"{named} names {name}, which is no workspace", remedy)
