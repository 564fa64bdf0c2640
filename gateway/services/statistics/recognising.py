"""Recognise who downloads: robots, and clients that click twice.

The rules are those of the COUNTER Code of Practice for Research Data, each only where the
configuration asks for it.
"""

import hmac
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from counter_robots import is_robot

from gateway.artifact.download import ANYBODY, Visit
from gateway.derivation import derive
from gateway.identity import Caller
from gateway.s3.message import Request

AGENTS = 4096
AGENT_CHARACTERS = 512
"""No robot says later than this who it is; a longer text would only cost time."""

CLIENT_CHARACTERS = 32


class Recognising:
    """Tells visits apart. `double_clicks` and `robots` say what is looked for."""

    def __init__(self, secret: bytes, *, double_clicks: bool, robots: bool) -> None:
        self._key = derive(secret, "clicks")
        self._double_clicks = double_clicks
        self._robots = robots
        # The list is some hundred patterns; agents are few.
        self._listed: Callable[[str], bool] = lru_cache(AGENTS)(is_robot)

    def visit(self, caller: Caller, request: Request) -> Visit:
        """The visit that a request is. What the hash is made of is kept nowhere."""
        if not self._double_clicks and not self._robots:
            return ANYBODY
        agent = request.headers.get("User-Agent", "")[:AGENT_CHARACTERS]
        robot = self._robots and self._listed(agent)
        client = self._hash(_identity(caller, request, agent)) if self._double_clicks else None
        return Visit(client, robot)

    def _hash(self, identity: str) -> str:
        digest = hmac.new(self._key, identity.encode(errors="surrogatepass"), sha256)
        return digest.hexdigest()[:CLIENT_CHARACTERS]


def _identity(caller: Caller, request: Request, agent: str) -> str:
    """A token, or a key; else the address and the user agent.

    Whoever has a presigned URL is somebody else than who signed it.
    """
    authorization = request.headers.get("Authorization", "")
    if authorization.startswith("Bearer "):
        return authorization
    if authorization and caller.access_key_id is not None:
        return f"key {caller.access_key_id}"
    return f"address {request.remote} {agent}"
