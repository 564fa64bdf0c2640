"""Which gateway, which workspace, and who asks: from flags, environment, profile, or `make run`.

The file is INI, as the AWS CLI's: `[default]` and `[profile NAME]`. Each value is the first that
is said by a flag, by ARTIFACT_GATEWAY_*, by the profile, by AWS_*, by what `make run` left. A
token, or an access key with its secret, is taken whole from one of these.
"""

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from configparser import Error, RawConfigParser
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from gateway.commands.artifact.exits import Misuse

FIELDS = ("url", "workspace", "token", "access_key_id", "secret_access_key")
LOCAL_URL, LOCAL_WORKSPACE = "http://127.0.0.1:9000", "my-workspace"
LOCAL = Path("artifact-gateway-data") / "credentials.json"
DEFAULT = "default"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
CONFIGURE = "artifact-gateway artifact configure"


@dataclass(frozen=True, slots=True)
class Profile:
    """What one source says of a gateway; None is nothing."""

    url: str | None = None
    workspace: str | None = None
    token: str | None = field(default=None, repr=False)
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)

    @property
    def known(self) -> bool:
        """Whether it says who asks."""
        return self.token is not None or self.access_key_id is not None

    def over(self, other: "Profile") -> "Profile":
        """This, and what the other says where it says nothing; who asks is one's or the other's."""
        return replace(
            self if self.known else other,
            url=self.url or other.url,
            workspace=self.workspace or other.workspace,
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """A gateway, a workspace, and who asks: nobody where there is neither token nor key."""

    url: str
    workspace: str
    token: str | None = field(repr=False)
    access_key_id: str | None
    secret_access_key: str | None = field(repr=False)
    warnings: Sequence[str] = ()


def config_file(environ: Mapping[str, str]) -> Path:
    """Where profiles are kept: ARTIFACT_GATEWAY_CONFIG, or below $XDG_CONFIG_HOME or ~/.config."""
    if named := environ.get("ARTIFACT_GATEWAY_CONFIG"):
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "artifact-gateway" / "config"


def settings(flags: Profile, profile: str | None, environ: Mapping[str, str]) -> Settings:
    """What holds, of all sources; Misuse where nothing says which gateway is meant."""
    name = profile or environ.get("ARTIFACT_GATEWAY_PROFILE")
    path = config_file(environ)
    found = flags.over(_environment(environ, "ARTIFACT_GATEWAY_", "URL"))
    if (kept := _kept(path, name)) is not None:
        found = found.over(kept)
    found = found.over(_environment(environ, "AWS_", "ENDPOINT_URL"))
    if (left := _left_by_make_run()) is not None and _is_local(found.url):
        found = found.over(left)
    if found.url is None:
        raise Misuse(f"which gateway? --url URL, ARTIFACT_GATEWAY_URL, or {CONFIGURE}")
    if found.workspace is None:
        raise Misuse(f"which workspace? --workspace NAME, WORKSPACE:PREFIX, or {CONFIGURE}")
    if (found.access_key_id is None) != (found.secret_access_key is None):
        raise Misuse("an access key is its id and its secret: one of them is missing")
    return Settings(
        found.url,
        found.workspace,
        found.token,
        # A token stands for itself, whatever key stands beside it.
        found.access_key_id if found.token is None else None,
        found.secret_access_key if found.token is None else None,
        _warnings(path) if kept is not None and kept.known else (),
    )


def keep(path: Path, name: str, profile: Profile) -> None:
    """Writes the profile into the file, which is its owner's alone; the others stay as they are."""
    if not NAME.fullmatch(name):
        raise Misuse(f"{name!r} is no profile's name: letters, digits, dots, hyphens, underscores")
    heading = _heading(name)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    others, inside = [], False
    for line in lines:
        if line.strip().startswith("["):
            inside = line.strip() == heading
        if not inside:
            others.append(line)
    while others and not others[-1].strip():
        others.pop()
    values = {each: getattr(profile, each) for each in FIELDS}
    own = [heading, *(f"{each} = {value}" for each, value in values.items() if value)]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join([*others, *([""] if others else []), *own, ""]))
    new.replace(path)


def _heading(name: str) -> str:
    return f"[{DEFAULT}]" if name == DEFAULT else f"[profile {name}]"


def _environment(environ: Mapping[str, str], prefix: str, url: str) -> Profile:
    aws = prefix == "AWS_"
    return Profile(
        url=environ.get(prefix + url) or None,
        workspace=None if aws else environ.get(f"{prefix}WORKSPACE") or None,
        token=None if aws else environ.get(f"{prefix}TOKEN") or None,
        access_key_id=environ.get(f"{prefix}ACCESS_KEY_ID") or None,
        secret_access_key=environ.get(f"{prefix}SECRET_ACCESS_KEY") or None,
    )


def _kept(path: Path, name: str | None) -> Profile | None:
    """The profile of this name, or the default one where there is one; Misuse."""
    parser = RawConfigParser(default_section="", interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8") if path.exists() else "", str(path))
    except (Error, UnicodeDecodeError) as error:
        # Its own words would show the line, which may hold a secret.
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else str(path)
        raise Misuse(
            f"{where}: is no INI file: [profile NAME], then lines of NAME = VALUE"
        ) from None
    section = _heading(name or DEFAULT)[1:-1]
    if not parser.has_section(section):
        if name in (None, DEFAULT):
            return None
        known = ", ".join(each.removeprefix("profile ") for each in parser.sections())
        told = f"only {known}" if known else "and no other"
        raise Misuse(f"{path} has no profile {name!r}, {told}: {CONFIGURE} --profile {name}")
    values = dict(parser.items(section))
    if unknown := sorted(values.keys() - set(FIELDS)):
        raise Misuse(f"{path}: [{section}]: {unknown[0]} is no key: use {', '.join(FIELDS)}")
    return Profile(**{each: values.get(each) or None for each in FIELDS})


def _warnings(path: Path) -> Sequence[str]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [f"{path} can be read by others: chmod 600 {path}"]
    return ()


def _is_local(url: str | None) -> bool:
    """Whether the gateway that `make run` starts may be meant."""
    return url is None or urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _left_by_make_run() -> Profile | None:
    """The gateway that `make run` starts here, with the key that it made."""
    try:
        kept = json.loads(LOCAL.read_text(encoding="utf-8"))
        key = str(kept["access_key_id"]), str(kept["secret_access_key"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Profile(LOCAL_URL, LOCAL_WORKSPACE, None, *key)
