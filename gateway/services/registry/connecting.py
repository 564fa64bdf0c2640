"""Who is behind a connection that stays open, at each moment of its life."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.derivation import derive
from gateway.errors import AccessDenied, InvalidRequest
from gateway.identity import ANONYMOUS, EVERY_WORKSPACE, Caller, Grants, Right, parse_grants
from gateway.services.keys.access import HYPHA_ANONYMOUS, Access
from gateway.services.keys.signed_claims import sign, verified
from gateway.services.workspaces import Workspaces

RECONNECTION_SECONDS = 10_800
"""How long a reconnection token lives: clients that ask for a new one every 2 hours keep up."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a connection was opened with: a client's id, its workspace, and what it held then.

    `issuer` is the id of the access key behind it, None for anonymous ones; `until` is when the
    token that opened it ends. What counts is what the key holds at the moment of a call.
    """

    client_id: str
    workspace: str
    issuer: str | None
    grants: Grants
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says when it connects; all but its id may be left out."""

    client_id: str
    workspace: str | None = None
    token: str | None = field(default=None, repr=False)
    reconnection_token: str | None = field(default=None, repr=False)


class Connecting:
    """Opens sessions, and says who calls in one now. Nothing of them is kept here.

    A session lives in its connection and in its reconnection token, which any worker and any
    replica with the same `secret` reads.
    """

    def __init__(self, access: Access, workspaces: Workspaces, secret: bytes) -> None:
        self._access = access
        self._workspaces = workspaces
        self._key = derive(secret, "reconnection tokens")

    async def open(self, hello: Hello, now: datetime) -> tuple[Session, Caller]:
        """The session of a client that connects, and who calls in it.

        AccessDenied where what it sends is not valid now, or gives nothing on the workspace;
        InvalidRequest where it has to name a workspace; NoSuchBucket.
        """
        session = self._reconnected(hello, now)
        if session is None:
            session = await self._new(hello, now)
        caller = await self.caller(session, now)
        workspace = await self._workspaces.named(session.workspace)
        if self._access.right_on(caller, workspace) < Right.READ and (
            session.issuer is not None or workspace.public == "none"
        ):
            self._access.require(caller, workspace, Right.READ)
        return session, caller

    async def caller(self, session: Session, now: datetime) -> Caller:
        """Who calls now; AccessDenied once the token has ended, or its key was revoked."""
        if session.issuer is None:
            return ANONYMOUS
        return await self._access.caller_holding(session.issuer, session.grants, session.until, now)

    async def anonymous(self, workspace: str) -> Caller:
        """Who calls in a workspace without any token: who the configuration lets in, or nobody."""
        key = await self._access.key(HYPHA_ANONYMOUS)
        if key is None or not key.grants.on(workspace):
            return ANONYMOUS
        return Caller(key.access_key_id, key.name, key.grants)

    def reconnection_token(self, session: Session, now: datetime) -> str:
        """What opens the session again, for a while, at any worker."""
        claims = {
            "sub": session.issuer or "",
            "grants": session.grants.as_text(),
            "until": None if session.until is None else int(session.until.timestamp()),
            "ws": session.workspace,
            "cid": session.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(seconds=RECONNECTION_SECONDS)).timestamp()),
        }
        return sign(claims, self._key)

    def _reconnected(self, hello: Hello, now: datetime) -> Session | None:
        """The session that a reconnection token says; None where the client has none that does."""
        if hello.reconnection_token is None:
            return None
        session = self._read(hello.reconnection_token, now)
        if session is None:
            if hello.token is not None:
                return None  # its own token opens a new one
            raise AccessDenied("This reconnection token is none of this gateway's, or has expired.")
        if session.client_id != hello.client_id:
            raise AccessDenied("This reconnection token is another client's.")
        if hello.workspace not in (None, session.workspace):
            raise AccessDenied("This reconnection token is for another workspace.")
        return session

    def _read(self, token: str, now: datetime) -> Session | None:
        try:
            claims = verified(token, self._key)
            match claims:
                case {
                    "sub": str(issuer),
                    "grants": dict(grants),
                    "ws": str(workspace),
                    "cid": str(client_id),
                    "exp": int(expires),
                } if now.timestamp() < expires:
                    ends = claims.get("until")
                    until = datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) else None
                    held = parse_grants(grants)
                    return Session(client_id, workspace, issuer or None, held, until)
        except (ValueError, OverflowError, OSError):
            pass
        return None

    async def _new(self, hello: Hello, now: datetime) -> Session:
        if hello.token is not None:
            caller = await self._access.caller_of_token(hello.token, now)
        else:
            key = await self._access.key(HYPHA_ANONYMOUS)
            caller = ANONYMOUS
            if key is not None and (hello.workspace is None or key.grants.on(hello.workspace)):
                caller = Caller(key.access_key_id, key.name, key.grants)
        workspace = hello.workspace or await self._only(caller)
        return Session(
            hello.client_id, workspace, caller.access_key_id, caller.grants, caller.until
        )

    async def _only(self, caller: Caller) -> str:
        """The one workspace that a caller who names none can mean; InvalidRequest."""
        names = [name for name in caller.grants.rights if name != EVERY_WORKSPACE]
        if caller.anonymous or EVERY_WORKSPACE in caller.grants.rights:
            names = [
                workspace.name
                for workspace, _ in await self._workspaces.all()
                if not caller.anonymous or workspace.public != "none"
            ]
        if len(names) == 1:
            return names[0]
        if not names:
            raise AccessDenied("There is no workspace that this caller may use: send a token.")
        told = "" if caller.anonymous else f": one of {', '.join(sorted(names))}"
        raise InvalidRequest(f"Say in which workspace, with workspace beside server_url{told}.")
