"""Answer the methods that need `admin`: counters, tokens and keys."""

from collections.abc import Mapping

from gateway.artifact.value import JsonValue
from gateway.errors import InvalidArgument
from gateway.services.keys.access import Access
from gateway.services.registry.arguments import Arguments
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.call import Call, Handler
from gateway.services.registry.showing import Wanted
from gateway.services.statistics.counting import Counting


class Administering:
    """What only those do who administer a workspace, as the methods' rows say."""

    def __init__(self, access: Access, browsing: Browsing, counting: Counting) -> None:
        self._access = access
        self._browsing = browsing
        self._counting = counting

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What carries out each of these methods."""
        return {
            "reset_stats": self._reset_stats,
            "generate_token": self._generate_token,
            "keys.create": self._create_key,
            "keys.list": self._list_keys,
            "keys.revoke": self._revoke_key,
        }

    async def _reset_stats(self, call: Call) -> JsonValue:
        prefix = call.arguments.text("prefix")
        artifact = await self._browsing.find(call.caller, call.workspace, prefix, Wanted())
        await self._counting.reset(artifact.id)
        return None

    async def _generate_token(self, call: Call) -> JsonValue:
        return await self._access.generate_token(
            call.caller,
            _grants(call.arguments),
            call.arguments.integer("expires_in"),
            call.now,
        )

    async def _create_key(self, call: Call) -> JsonValue:
        grants = _grants(call.arguments) or {}
        made = await self._access.create_key(
            call.caller, call.arguments.text("name"), grants, call.now
        )
        return {
            "access_key_id": made.access_key_id,
            "secret_access_key": made.secret_access_key,
            "name": made.name,
            "grants": made.grants.as_text(),
        }

    async def _list_keys(self, call: Call) -> JsonValue:
        return [
            {
                "access_key_id": key.access_key_id,
                "name": key.name,
                "grants": key.grants.as_text(),
                "configured": key.created_at is None,
            }
            for key in await self._access.list_keys(call.caller)
        ]

    async def _revoke_key(self, call: Call) -> JsonValue:
        await self._access.revoke_key(call.caller, call.arguments.text("access_key_id"))
        return None


def _grants(arguments: Arguments) -> dict[str, str] | None:
    """Workspace (or `*`) to right, as text; InvalidArgument."""
    given = arguments.mapping("grants")
    if given is None:
        return None
    grants = {}
    for name, right in given.items():
        if right not in ("read", "write", "admin"):
            raise InvalidArgument(
                f"the grant on {name!r} is one of read, write and admin", argument="grants"
            )
        grants[name] = str(right)
    return grants
