"""The configuration, as frozen dataclasses."""

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from gateway.identity import AccessKey, Grants

HOUR = 3_600  # seconds
WEEK = 604_800


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the backend: a bucket, whole or below a prefix, which is empty or ends in "/"."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.prefix}"

    def overlaps(self, other: "Area") -> bool:
        """Whether a key can be in both."""
        return self.bucket == other.bucket and (
            self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        )


@dataclass(frozen=True, slots=True)
class Listen:
    """Where requests are taken. `domain` is that of virtual-host style addresses.

    `X-Forwarded-*` counts from peers in `trusted_proxies` alone. With more than one worker,
    as many processes share the port.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    workers: int = 1
    domain: str | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the port."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Backend:
    """The real S3 service. Credentials that are None come from AWS's default chain.

    `payload_signing` is "unsigned" or "chunks": how bodies go whose hash is not known beforehand.
    """

    endpoint_url: str
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    addressing_style: str = "path"
    payload_signing: str = "unsigned"


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """A workspace of the configuration. `public` is "artifacts", "objects" or "none"."""

    name: str
    area: Area
    public: str = "artifacts"
    backend_settings: bool = False
    versioning: bool = True


@dataclass(frozen=True, slots=True)
class WorkspaceDefaults:
    """What holds for every workspace that is made at run time."""

    public: str = "artifacts"
    backend_settings: bool = False
    versioning: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds: bytes, members in a page, seconds.

    `cache_bytes` is of the small committed files that a worker keeps in memory, 0 for none.
    """

    manifest_bytes: int = 1_048_576
    collection_page: int = 1_000
    validation_seconds: float = 5
    token_seconds: int = WEEK
    cache_bytes: int = 67_108_864


@dataclass(frozen=True, slots=True)
class Stats:
    """How downloads are counted. `durability` is "process" or "machine".

    Series have days for `daily_days`, then months; after `retention_days` they are removed. None
    is for ever. The rest are rules of the COUNTER Code of Practice for Research Data.
    """

    durability: str = "process"
    double_click_seconds: float = 0
    exclude_robots: bool = False
    count_not_modified: bool = False
    daily_days: int | None = None
    retention_days: int | None = None

    @property
    def double_click(self) -> timedelta:
        """How long after a download the same client's next one of a file is the same."""
        return timedelta(seconds=self.double_click_seconds)


@dataclass(frozen=True, slots=True)
class Config:
    """All that a gateway is told. `backend` is None for the embedded server.

    `database_url` names an absolute path when it is SQLite's. `public_url` has no path and no
    trailing slash. `data_dir` holds what belongs to this host: the journals of downloads, and
    what the embedded backend and SQLite store. `hypha_anonymous` is what callers without a token
    hold at the Hypha door, beyond what is public.
    """

    secret: bytes = field(repr=False)
    system: Area
    database_url: str = field(repr=False)
    data_dir: Path
    listen: Listen = field(default_factory=Listen)
    public_url: str | None = None
    backend: Backend | None = None
    workspaces: tuple[WorkspaceSettings, ...] = ()
    workspace_defaults: WorkspaceDefaults = field(default_factory=WorkspaceDefaults)
    keys: tuple[AccessKey, ...] = ()
    allow_origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    stats: Stats = field(default_factory=Stats)
    metrics_token: str | None = field(default=None, repr=False)
    hypha_anonymous: Grants = field(default_factory=Grants)

    @property
    def base_url(self) -> str:
        """The base of the gateway's URLs: `public_url`, or else the address it listens on."""
        host = f"[{self.listen.host}]" if ":" in self.listen.host else self.listen.host
        return self.public_url or f"http://{host}:{self.listen.port}"

    @property
    def journal_dir(self) -> Path:
        """Where each worker appends the downloads that it serves."""
        return self.data_dir / "journal"
