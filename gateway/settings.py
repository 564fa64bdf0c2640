"""From YAML to `Config`: every key is taken, checked, and named when it is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from gateway import document, syntax
from gateway.config import (
    HOUR,
    WEEK,
    Area,
    Backend,
    Config,
    Limits,
    Listen,
    Stats,
    WorkspaceDefaults,
    WorkspaceSettings,
)
from gateway.document import ConfigError, Section
from gateway.identity import EVERY_WORKSPACE, AccessKey, Grants, Right


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says instead of the file; None leaves it to the file."""

    host: str | None = None
    port: int | None = None
    public_url: str | None = None
    data_dir: Path | None = None


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`; ConfigError with one line for each problem."""
    return parse(read(path), environ)


def read(path: Path) -> str:
    """The text of a configuration file; ConfigError where it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from None


def parse(text: str, environ: Mapping[str, str], overrides: Overrides | None = None) -> Config:
    """The configuration that a YAML text is, its variables taken from `environ`.

    Raises ConfigError with everything that is wrong, one line for each problem.
    """
    overrides = overrides or Overrides()
    problems: list[str] = []
    root = document.parse(text, environ, problems)
    data_dir = Path(root.text("data_dir", "artifact-gateway-data"))
    data_dir = (overrides.data_dir or data_dir).absolute()
    listen = _listen(root.section("listen"), overrides)
    config = Config(
        secret=root.text("secret", check=syntax.secret_flaw).encode(),
        system=_system(root.section("system")),
        database_url=_database_url(root, data_dir),
        data_dir=data_dir,
        listen=listen,
        public_url=_public_url(root, listen, overrides.public_url),
        backend=_backend(root.section("backend")) if root.has("backend") else None,
        workspaces=tuple(_workspace(*entry) for entry in root.sections("workspaces")),
        workspace_defaults=_workspace_defaults(root.section("workspace_defaults")),
        keys=_keys(root),
        allow_origins=_allow_origins(root.section("cors")),
        limits=_limits(root.section("limits")),
        stats=_stats(root.section("stats")),
        metrics_token=root.optional("metrics_token", syntax.token_flaw),
        hypha_anonymous=_hypha(root.section("hypha")),
    )
    root.finish()
    problems.extend(_overlaps(config))
    problems.extend(_hosts(config))
    if problems:
        raise ConfigError(problems)
    return config


def _listen(section: Section, overrides: Overrides) -> Listen:
    host = section.text("host", "127.0.0.1", syntax.host_flaw)
    port = section.integer("port", 9000, 0, 65_535)
    listen = Listen(
        host=overrides.host or host,
        port=port if overrides.port is None else overrides.port,
        workers=section.integer("workers", 1, 1, 1_024),
        domain=section.optional("domain", syntax.domain_flaw),
        trusted_proxies=tuple(
            ip_network(proxy, strict=False)
            for proxy in section.texts("trusted_proxies", syntax.network_flaw)
            if syntax.network_flaw(proxy) is None
        ),
    )
    section.finish()
    return listen


def _public_url(root: Section, listen: Listen, override: str | None) -> str | None:
    url = root.optional("public_url", syntax.base_url_flaw)
    if override is not None and (flaw := syntax.base_url_flaw(override)):
        root.problem("public_url", flaw)
    if url is None and override is None and not listen.loopback:
        root.problem("public_url", f"is missing: listen.host {listen.host} is not loopback")
    chosen = override or url
    return chosen and chosen.rstrip("/")


def _backend(section: Section) -> Backend:
    backend = Backend(
        endpoint_url=section.text("endpoint_url", check=syntax.base_url_flaw).rstrip("/"),
        region=section.text("region", "us-east-1"),
        access_key_id=section.optional("access_key_id"),
        secret_access_key=section.optional("secret_access_key"),
        addressing_style=section.choice("addressing_style", "path", ("path", "virtual")),
        payload_signing=section.choice("payload_signing", "unsigned", ("unsigned", "chunks")),
    )
    for one, other in (
        ("access_key_id", "secret_access_key"),
        ("secret_access_key", "access_key_id"),
    ):
        if section.has(one) and not section.has(other):
            section.problem(other, f"is missing beside {one}")
    section.finish()
    return backend


def _system(section: Section) -> Area:
    area = Area(
        section.text("bucket", "artifact-gateway-system", syntax.bucket_name_flaw), _prefix(section)
    )
    section.finish()
    return area


def _database_url(root: Section, data_dir: Path) -> str:
    url = root.text("database_url", "sqlite:///artifact-gateway.db", syntax.database_url_flaw)
    scheme, _, file = url.partition(":///")
    return f"sqlite:///{data_dir / file}" if scheme == "sqlite" else url


def _workspace(name: str, section: Section) -> WorkspaceSettings:
    if flaw := syntax.bucket_name_flaw(name):
        section.problem("", flaw)
    workspace = WorkspaceSettings(
        name,
        Area(section.text("bucket", check=syntax.bucket_name_flaw), _prefix(section)),
        public=_public(section),
        backend_settings=section.flag("backend_settings", default=False),
        versioning=section.flag("versioning", default=True),
    )
    section.finish()
    return workspace


def _workspace_defaults(section: Section) -> WorkspaceDefaults:
    defaults = WorkspaceDefaults(
        public=_public(section),
        backend_settings=section.flag("backend_settings", default=False),
        versioning=section.flag("versioning", default=True),
    )
    section.finish()
    return defaults


def _public(section: Section) -> str:
    return section.choice("public", "artifacts", ("artifacts", "objects", "none"))


def _prefix(section: Section) -> str:
    prefix = section.text("prefix", "", syntax.prefix_flaw)
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def _keys(root: Section) -> tuple[AccessKey, ...]:
    keys: list[AccessKey] = []
    for section in root.items("keys"):
        access_key_id = section.text("access_key_id", check=syntax.access_key_id_flaw)
        if access_key_id and any(key.access_key_id == access_key_id for key in keys):
            section.problem("access_key_id", f"{access_key_id!r} is there twice")
        keys.append(
            AccessKey(
                access_key_id=access_key_id,
                secret_access_key=section.text(
                    "secret_access_key", check=syntax.secret_access_key_flaw
                ),
                name=section.text("name", access_key_id or "-"),
                grants=_grants(section.section("grants")),
            )
        )
        section.finish()
    return tuple(keys)


def _grants(section: Section) -> Grants:
    rights: dict[str, Right] = {}
    for workspace in section.names():
        if workspace != EVERY_WORKSPACE and (flaw := syntax.bucket_name_flaw(workspace)):
            section.problem(workspace, flaw)
        right = section.choice(workspace, "read", ("read", "write", "admin"))
        if right in ("read", "write", "admin"):
            rights[workspace] = Right.parse(right)
    return Grants(MappingProxyType(rights))


def _hypha(section: Section) -> Grants:
    """What callers without a token hold at the Hypha door: never `admin`, never every workspace."""
    anonymous = section.section("anonymous")
    rights: dict[str, Right] = {}
    for workspace in anonymous.names():
        if flaw := syntax.bucket_name_flaw(workspace):
            anonymous.problem(workspace, flaw)
        right = anonymous.choice(workspace, "read", ("read", "write"))
        if right in ("read", "write"):
            rights[workspace] = Right.parse(right)
    section.finish()
    return Grants(MappingProxyType(rights))


def _allow_origins(section: Section) -> tuple[str, ...]:
    origins = section.texts("allow_origins", syntax.origin_flaw)
    section.finish()
    return origins


def _limits(section: Section) -> Limits:
    limits = Limits(
        manifest_bytes=section.integer("manifest_bytes", 1_048_576, 1),
        collection_page=section.integer("collection_page", 1_000, 1),
        validation_seconds=section.number("validation_seconds", 5, 0.1),
        token_seconds=section.integer("token_seconds", WEEK, 1),
        cache_bytes=section.integer("cache_bytes", 67_108_864, 0),
    )
    section.finish()
    return limits


def _stats(section: Section) -> Stats:
    stats = Stats(
        durability=section.choice("durability", "process", ("process", "machine")),
        double_click_seconds=section.number("double_click_seconds", 0, most=HOUR),
        exclude_robots=section.flag("exclude_robots", default=False),
        count_not_modified=section.flag("count_not_modified", default=False),
        daily_days=section.integer_or_none("daily_days", 1),
        retention_days=section.integer_or_none("retention_days", 1),
    )
    section.finish()
    return stats


def _overlaps(config: Config) -> Iterator[str]:
    named = [workspace for workspace in config.workspaces if workspace.area.bucket]
    for workspace in named:
        if workspace.area.overlaps(config.system):
            yield f"workspaces.{workspace.name}: overlaps system, which is {config.system}"
    for one, other in combinations(named, 2):
        if one.area.overlaps(other.area):
            yield f"workspaces.{other.name}: overlaps workspaces.{one.name}, which is {one.area}"


def _hosts(config: Config) -> Iterator[str]:
    host = (config.public_url or "").lower().partition("://")[2].partition(":")[0]
    domain = config.listen.domain
    if domain is not None and host.endswith(f".{domain}"):
        yield f"listen.domain: {host}, of public_url, is below it, where workspaces are"
