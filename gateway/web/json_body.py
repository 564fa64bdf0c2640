"""The arguments of a call, as the JSON body of a request."""

import asyncio
import json
from collections import Counter

from gateway.artifact.value import JsonValue, brief
from gateway.errors import EntityTooLarge, InvalidRequest
from gateway.identity import Caller
from gateway.s3.message import Request

ARGUMENT_BYTES = 65_536


def call_bytes(caller: Caller, manifest_bytes: int) -> int:
    """The most bytes of a caller's call."""
    # Anonymous callers stage no manifests.
    return ARGUMENT_BYTES if caller.anonymous else most_call_bytes(manifest_bytes)


def most_call_bytes(manifest_bytes: int) -> int:
    """The most bytes of a call's arguments: JSON may spell a manifest six times as long."""
    return 6 * manifest_bytes + ARGUMENT_BYTES


def is_json(request: Request) -> bool:
    """Whether a request says that its body is JSON."""
    content_type = request.headers.get("Content-Type", "").split(";", 1)[0]
    return content_type.strip().lower() == "application/json"


async def received(request: Request, limit: int) -> bytes:
    """The whole body; EntityTooLarge beyond `limit` bytes."""
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > limit:
            raise EntityTooLarge(f"this call has at most {limit} bytes")
    return bytes(body)


async def decoded(body: bytes) -> dict[str, JsonValue]:
    """The arguments by name; InvalidRequest where the body is no JSON object."""
    # A large body is decoded beside the event loop: others go on meanwhile.
    large = len(body) > ARGUMENT_BYTES
    return await asyncio.to_thread(_arguments, body) if large else _arguments(body)


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """A JSON object; ValueError when a name occurs twice: either could be meant."""
    document = dict(pairs)
    if len(document) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{brief(name)} occurs twice in one object")
    return document


def _arguments(body: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(body or b"{}", object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the body is a JSON object of keyword arguments")
    return document
