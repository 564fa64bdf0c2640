"""The services that a client finds at the gateway, as hypha-rpc describes them."""

from collections.abc import Iterator, Mapping, Sequence

from gateway.artifact.value import JsonValue
from gateway.errors import InvalidArgument
from gateway.services.registry.method import METHODS, Method
from gateway.web.hypha.frames import ENCODED
from gateway.web.openapi import arguments_schema

ARTIFACT_MANAGER = "artifact-manager"
BUILT_IN = "built-in"
DEFAULT = "default"
API_VERSION = 3
"""Of the protocol: with it, clients send the pieces of a message side by side."""

OWNERS = ("", "public", "*")
"""The workspaces in which the artifact manager is found, beside the connection's own."""

BUILT_IN_METHODS = {
    "ping": ("msg",),
    "get_service": ("service_id",),
    "message_cache.create": ("key", "heartbeat", "overwrite"),
    "message_cache.append": ("key", "data", "heartbeat"),
    "message_cache.set": ("key", "index", "data", "heartbeat"),
    "message_cache.process": ("key", "heartbeat"),
    "message_cache.remove": ("key",),
}
DEFAULT_METHODS = {
    "get_service": ("query", "config"),
    "list_services": ("query",),
    "register_service": ("service", "config"),
    "unregister_service": ("service_id",),
}


def described(service: str, target: str, workspace: str) -> dict[str, object] | None:
    """A service as a client at `target` calls it; None where there is none of this name."""
    methods: Iterator[tuple[str, Mapping[str, JsonValue]]]
    if service == ARTIFACT_MANAGER:
        methods = ((name, _schema(method)) for name, method in METHODS.items())
    elif service in (BUILT_IN, DEFAULT):
        own = BUILT_IN_METHODS if service == BUILT_IN else DEFAULT_METHODS
        methods = ((name, _untyped(name, names)) for name, names in own.items())
    else:
        return None
    made: dict[str, object] = dict(summary(service, workspace))
    for name, schema in methods:
        holder, _, last = name.rpartition(".")
        place = made.setdefault(holder, {}) if holder else made
        if isinstance(place, dict):
            place[last] = _method(target, f"services.{service}.{name}", schema)
    return made


def summary(service: str, workspace: str) -> dict[str, JsonValue]:
    """What is said of a service beside its methods."""
    return {
        "id": f"public/artifact-gateway:{service}",
        "name": "Artifact Manager" if service == ARTIFACT_MANAGER else service,
        "type": ARTIFACT_MANAGER if service == ARTIFACT_MANAGER else service,
        "description": f"Artifacts of the workspace {workspace}",
        "config": {
            "visibility": "public",
            "require_context": True,
            "workspace": workspace,
            "api_version": API_VERSION,
        },
    }


def sought(query: object, workspace: str) -> str:
    """The name of the service that a query is for, in whatever way Hypha lets it be said.

    `public/artifact-manager`, `artifact-manager`, `public/*:artifact-manager@app`, or a mapping
    with one of these as `id`. A service of anybody else's is none of the gateway's: "".
    """
    if isinstance(query, Mapping):
        query = query.get("id") or query.get("service_id") or query.get("name")
    if not isinstance(query, str):
        return ""
    place, _, name = query.partition("@")[0].rpartition(":")
    owner, _, rest = name.rpartition("/")
    owner = owner or place.partition("/")[0]
    return rest if owner in (*OWNERS, workspace) else ""


def named(
    method: Method, places: Sequence[object], names: Mapping[str, object]
) -> dict[str, object]:
    """The arguments by name, those by place included; InvalidArgument where one is there twice."""
    known = [argument.name for argument in method.arguments]
    if len(places) > len(known):
        raise InvalidArgument(
            f"{method.name} takes {len(known)} arguments, and {len(places)} were given"
        )
    given = dict(zip(known, places, strict=False))
    twice = given.keys() & names.keys()
    if twice:
        raise InvalidArgument(f"{method.name} got {min(twice)!r} by place and by name")
    return given | dict(names)


def _method(target: str, method: str, schema: Mapping[str, JsonValue]) -> dict[str, object]:
    return {
        ENCODED: "method",
        "_rtarget": target,
        "_rmethod": method,
        "_rpromise": "*",
        "_rname": method.rpartition(".")[2],
        "_rasync": True,
        "_rdoc": schema["description"],
        "_rschema": schema,
    }


def _schema(method: Method) -> Mapping[str, JsonValue]:
    return {
        "name": method.name,
        "description": method.about,
        "parameters": arguments_schema(method.arguments),
    }


def _untyped(name: str, arguments: Sequence[str]) -> Mapping[str, JsonValue]:
    properties: dict[str, JsonValue] = {argument: {} for argument in arguments}
    return {
        "name": name.rpartition(".")[2],
        "description": name,
        "parameters": {"type": "object", "properties": properties},
    }
