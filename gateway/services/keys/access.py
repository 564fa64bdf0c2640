"""Who calls, and what they may do.

A caller comes from an access key, from a token that names the key which issued it, or from a
URL that the gateway signed for a key. Each time, the grants that count are those which the
key holds at that moment.
"""

import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import syntax
from gateway.artifact.layout import is_public
from gateway.config import HOUR, WEEK
from gateway.derivation import derive
from gateway.errors import AccessDenied, InvalidAccessKeyId, InvalidArgument
from gateway.identity import (
    ANONYMOUS,
    EVERY_WORKSPACE,
    AccessKey,
    Caller,
    Grants,
    Right,
    Workspace,
)
from gateway.services.keys.granting import administered, administers, given
from gateway.services.keys.tokens import Token, Tokens, expired
from gateway.storage.keys import Keys, StoredKey

URL_PREFIX = "URL~"
"""How the ids begin that the gateway signs URLs with; no access key's has a `~`."""


HYPHA_ANONYMOUS = "hypha~anonymous"
"""The id of those who come through the Hypha door without a token; no access key's has a `~`."""

MOST_ISSUERS = 1_024
"""Of how many issuers of URLs is kept what they are signed with."""

_ID_CHARACTERS = string.ascii_uppercase + "234567"
_ID_LENGTH, _SECRET_LENGTH = 20, 40
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class KeySummary:
    """An access key without its secret.

    `created_at` and `created_by` (an access key id) are None for keys of the configuration.
    """

    access_key_id: str
    name: str
    grants: Grants
    created_at: datetime | None = None
    created_by: str | None = None


class Access:
    """Keys, tokens and grants. `keys` are the configuration's, `stored` the database's."""

    def __init__(
        self,
        keys: Sequence[AccessKey],
        stored: Keys,
        secret: bytes,
        token_seconds: int = WEEK,
    ) -> None:
        self._configured = {key.access_key_id: key for key in keys}
        self._stored = stored
        self._secret = secret
        self._tokens = Tokens(secret)
        self._url_secrets: dict[str, str] = {}
        self._token_seconds = token_seconds

    async def key(self, access_key_id: str) -> AccessKey | None:
        """The access key with this id: the configuration's, else the database's, else None."""
        configured = self._configured.get(access_key_id)
        if configured is not None:
            return configured
        if syntax.access_key_id_flaw(access_key_id):
            return None
        stored = await self._stored.get(access_key_id)
        return None if stored is None else stored.key

    async def secret_for(self, access_key_id: str) -> AccessKey | None:
        """The key that a signature with this id is verified with, or None.

        Besides access keys, those that the gateway signs URLs with: `URL~` and the issuer's
        id, or nothing more for anonymous ones. They hold the issuer's grants of now. Where it
        is None, verify with any secret all the same: a caller must not learn which ids exist
        from the time that takes.
        """
        configured = self._configured.get(access_key_id)
        if configured is not None:
            return configured
        if not access_key_id.startswith(URL_PREFIX):
            return await self.key(access_key_id)
        issuer_id = access_key_id.removeprefix(URL_PREFIX)
        issuer = await self.key(issuer_id) if issuer_id else None
        if issuer is None and issuer_id:
            return None
        return AccessKey(
            access_key_id,
            self._url_secret(issuer_id),
            issuer.name if issuer else ANONYMOUS.name,
            issuer.grants if issuer else ANONYMOUS.grants,
        )

    def lasts(self, key: AccessKey) -> bool:
        """Whether a key is the configuration's, and so what `secret_for` gives for its id."""
        return self._configured.get(key.access_key_id) is key

    def signing_key(self, caller: Caller) -> AccessKey:
        """The key to sign a URL with for `caller`, who may be anonymous."""
        issuer_id = caller.access_key_id or ""
        return AccessKey(
            URL_PREFIX + issuer_id, self._url_secret(issuer_id), caller.name, caller.grants
        )

    def caller_with(self, key: AccessKey) -> Caller:
        """Who calls with `key`: for a URL's key, the one who had it signed."""
        access_key_id = key.access_key_id.removeprefix(URL_PREFIX)
        return Caller(access_key_id, key.name, key.grants) if access_key_id else ANONYMOUS

    async def caller(self, access_key_id: str) -> Caller | None:
        """Who calls with this id, or None where no key has it."""
        key = await self.secret_for(access_key_id)
        return None if key is None else self.caller_with(key)

    async def caller_of_token(self, token: str, now: datetime) -> Caller:
        """Who calls with this bearer token, holding no more than its issuer does now.

        AccessDenied says whether it is no token of this gateway, has expired, or whether its
        issuer is gone.
        """
        claims = self._tokens.read(token, now)
        return await self.caller_holding(claims.issuer, claims.grants, claims.until, now)

    async def caller_holding(
        self, issuer_id: str, grants: Grants, until: datetime | None, now: datetime
    ) -> Caller:
        """Who holds `grants` by a key's word, until then, and no more than the key does now.

        AccessDenied where that time has come, or the key is gone.
        """
        if until is not None and now >= until:
            raise expired(until)
        issuer = await self.key(issuer_id)
        if issuer is None:
            raise AccessDenied("The access key that issued this token has been revoked.")
        return Caller(issuer.access_key_id, issuer.name, grants.within(issuer.grants), until)

    def right_on(self, caller: Caller, workspace: Workspace) -> Right:
        """What `caller` may do in `workspace` by grant; what is public is not counted."""
        return caller.grants.on(workspace.name)

    def may_read(self, caller: Caller, workspace: Workspace, name: str) -> bool:
        """Whether `caller` may read a committed artifact at a prefix or key, public or granted."""
        if self.right_on(caller, workspace) >= Right.READ:
            return True
        return workspace.public != "none" and is_public(name)

    def require(self, caller: Caller, workspace: Workspace, right: Right) -> None:
        """Return when `caller` holds `right` on `workspace`; else AccessDenied."""
        held = self.right_on(caller, workspace)
        if held >= right:
            return
        needed = f"This needs the right {right.name.lower()!r} on workspace {workspace.name!r}"
        if caller.anonymous:
            raise AccessDenied(f"{needed}: send credentials.")
        has = f"holds {held.name.lower()!r}" if held else "holds none"
        raise AccessDenied(f"{needed}; {caller.name!r} {has} there.")

    async def generate_token(
        self,
        caller: Caller,
        grants: Mapping[str, str] | None,
        expires_in: int | None,
        now: datetime,
    ) -> str:
        """A bearer token with `grants`, for `expires_in` seconds.

        None means what the caller administers, and an hour (or the limit, when that is less).
        One that is made with a token ends no later than that.
        AccessDenied for a grant on what the caller does not administer; InvalidArgument for
        one that can't be read, or for a time out of bounds.
        """
        issued = administered(caller) if grants is None else given(caller, grants)
        seconds = min(HOUR, self._token_seconds) if expires_in is None else expires_in
        if not 1 <= seconds <= self._token_seconds:
            raise InvalidArgument(
                f"expires_in is a number of seconds from 1 to {self._token_seconds}.",
                ArgumentName="expires_in",
            )
        lasting = min(float(seconds), caller.seconds_left(now))
        until = now + timedelta(seconds=lasting)
        return self._tokens.write(Token(caller.access_key_id or "", issued, until), now)

    async def create_key(
        self, caller: Caller, name: str, grants: Mapping[str, str], now: datetime
    ) -> AccessKey:
        """A new access key; nothing else ever shows its secret.

        Refuses as `generate_token` does.
        """
        issued = given(caller, grants)
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise InvalidArgument(
                f"A key's name has 1 to {_LONGEST_NAME} printable characters.",
                ArgumentName="name",
            )
        key = AccessKey(
            "AG" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH - 2)),
            secrets.token_urlsafe(_SECRET_LENGTH * 3 // 4),
            name,
            issued,
        )
        await self._stored.add(StoredKey(key, now, caller.access_key_id or ""))
        return key

    async def list_keys(self, caller: Caller) -> list[KeySummary]:
        """The keys whose every grant the caller administers, the configuration's first."""
        administered(caller)  # or AccessDenied
        summaries = [
            KeySummary(key.access_key_id, key.name, key.grants) for key in self._configured.values()
        ]
        summaries += [
            KeySummary(
                stored.key.access_key_id,
                stored.key.name,
                stored.key.grants,
                stored.created_at,
                stored.created_by,
            )
            for stored in await self._stored.all()
            if stored.key.access_key_id not in self._configured
        ]
        return [summary for summary in summaries if administers(caller, summary.grants)]

    async def revoke_key(self, caller: Caller, access_key_id: str) -> None:
        """End a key of the database, and with it its tokens and its URLs, at once.

        AccessDenied for a key of the configuration and for one that has a grant which the
        caller does not administer, or that is not there: who may not list it learns nothing.
        """
        held = administered(caller)
        key = await self.key(access_key_id)
        if key is None and EVERY_WORKSPACE in held.rights:
            raise InvalidAccessKeyId(f"No access key has the id {access_key_id!r}.")
        if key is None or not administers(caller, key.grants):
            raise AccessDenied(
                f"{caller.name!r} administers no access key with the id {access_key_id!r}."
            )
        if access_key_id in self._configured:
            raise AccessDenied(
                f"{access_key_id!r} is a key of the configuration: take it out there."
            )
        await self._stored.remove(access_key_id)

    def _url_secret(self, issuer_id: str) -> str:
        """The secret of an issuer's URLs: the same for ever, so that it is kept for many."""
        known = self._url_secrets.get(issuer_id)
        if known is None:
            known = derive(self._secret, f"URLs of {issuer_id}").hex()
            self._url_secrets[issuer_id] = known
            if len(self._url_secrets) > MOST_ISSUERS:
                del self._url_secrets[next(iter(self._url_secrets))]
        return known
