"""Sessions: who may open one where, what opens them again, and who calls in them later."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import jwt
import pytest

from gateway.derivation import derive
from gateway.errors import AccessDenied, InvalidRequest, NoSuchBucket
from gateway.identity import ANONYMOUS, AccessKey, Right, Workspace, parse_grants
from gateway.services.keys.access import HYPHA_ANONYMOUS, Access
from gateway.services.keys.tokens import Token, Tokens
from gateway.services.registry.connecting import RECONNECTION_SECONDS, Connecting, Hello
from gateway.services.workspaces import Workspaces
from gateway.storage.database import Database
from gateway.storage.keys import Keys

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
LIFE = timedelta(seconds=RECONNECTION_SECONDS)
ROOT = AccessKey("ROOT", "secret-of-root", "root", parse_grants({"*": "admin"}))
ALICE = AccessKey("ALICE", "secret-of-alice", "alice", parse_grants({"one": "write"}))
ANYBODY = AccessKey(HYPHA_ANONYMOUS, "unguessable", "anonymous", parse_grants({"one": "write"}))


@dataclass(frozen=True, slots=True)
class Places:
    """Workspaces by name, and how much of each is public."""

    public: dict[str, str]

    async def named(self, name: str) -> Workspace:
        if name not in self.public:
            raise NoSuchBucket("there is none", bucket=name)
        return Workspace(name, name, name, public=self.public[name])

    async def all(self) -> list[tuple[Workspace, datetime]]:
        return [(await self.named(name), NOW) for name in self.public]


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[Keys]:
    async with Database(f"sqlite:///{tmp_path / 'test.db'}") as database:
        yield Keys(database, SECRET)


def connecting(stored: Keys, *keys: AccessKey, secret: bytes = SECRET, **public: str) -> Connecting:
    places = Places(public or {"one": "artifacts", "two": "none"})
    access = Access(keys, stored, SECRET)
    return Connecting(access, cast("Workspaces", places), secret)


def token(issuer: str, *, seconds: float = 600, **grants: str) -> str:
    issued = Token(issuer, parse_grants(grants), NOW + timedelta(seconds=seconds))
    return Tokens(SECRET).write(issued, NOW)


async def test_a_token_opens_the_one_workspace_that_it_holds(stored: Keys) -> None:
    here = connecting(stored, ALICE)
    session, caller = await here.open(Hello("c", token=token("ALICE", one="write")), NOW)
    assert (session.workspace, session.issuer) == ("one", "ALICE")
    assert (caller.name, caller.grants.on("one")) == ("alice", Right.WRITE)


async def test_a_token_for_everything_names_its_workspace(stored: Keys) -> None:
    here = connecting(stored, ROOT)
    bearer = Tokens(SECRET).write(Token("ROOT", ROOT.grants, NOW + LIFE), NOW)
    with pytest.raises(InvalidRequest, match=r"one of one, two\.$"):
        await here.open(Hello("c", token=bearer), NOW)
    session, _ = await here.open(Hello("c", "two", bearer), NOW)
    assert session.workspace == "two"
    alone = connecting(stored, ROOT, one="none")
    assert (await alone.open(Hello("c", token=bearer), NOW))[0].workspace == "one"


async def test_without_a_token_only_what_is_public_opens(stored: Keys) -> None:
    here = connecting(stored)
    session, caller = await here.open(Hello("c"), NOW)
    assert (session.workspace, caller) == ("one", ANONYMOUS)
    with pytest.raises(AccessDenied, match="send credentials"):
        await here.open(Hello("c", "two"), NOW)
    with pytest.raises(InvalidRequest, match=r"beside server_url\.$"):  # it names none
        await connecting(stored, one="artifacts", two="objects").open(Hello("c"), NOW)
    with pytest.raises(AccessDenied, match="send a token"):
        await connecting(stored, one="none").open(Hello("c"), NOW)


async def test_the_configuration_may_let_callers_in_without_a_token(stored: Keys) -> None:
    here = connecting(stored, ANYBODY, one="none", three="artifacts")
    session, caller = await here.open(Hello("c"), NOW)
    assert (session.workspace, caller.grants.on("one")) == ("one", Right.WRITE)
    assert await here.anonymous("one") == caller
    _, elsewhere = await here.open(Hello("c", "three"), NOW)
    assert elsewhere == await here.anonymous("three") == ANONYMOUS
    closed = connecting(stored, one="none", three="artifacts")
    with pytest.raises(AccessDenied):  # and no longer, once it says otherwise
        await closed.caller(session, NOW)


async def test_a_reconnection_token_says_who_where_and_until_when(stored: Keys) -> None:
    here = connecting(stored, ALICE)
    bearer = token("ALICE", seconds=3 * RECONNECTION_SECONDS, one="read")
    session, caller = await here.open(Hello("c", token=bearer), NOW)
    again = Hello("c", reconnection_token=here.reconnection_token(session, NOW))
    elsewhere = connecting(stored, ALICE)  # another worker, or one that was started again
    late = NOW + LIFE - timedelta(seconds=1)
    assert await elsewhere.open(again, late) == (session, caller)
    for wrong in (replace(again, client_id="d"), replace(again, workspace="two")):
        with pytest.raises(AccessDenied, match=r"is (another client's|for another workspace)"):
            await elsewhere.open(wrong, NOW)
    with pytest.raises(AccessDenied, match="none of this gateway's, or has expired"):
        await elsewhere.open(again, NOW + LIFE)
    with pytest.raises(AccessDenied, match="none of this gateway's"):
        await connecting(stored, ALICE, secret=b"another" * 8).open(again, NOW)
    # With its own token, a client whose reconnection token is over opens a session anew.
    longer = replace(again, token=bearer)
    assert (await elsewhere.open(longer, NOW + LIFE))[0] == session


async def test_a_reconnection_token_lasts_no_longer_than_the_token_before_it(stored: Keys) -> None:
    here = connecting(stored, ALICE)
    session, _ = await here.open(Hello("c", token=token("ALICE", one="write")), NOW)
    again = Hello("c", reconnection_token=here.reconnection_token(session, NOW))
    with pytest.raises(AccessDenied, match="This token expired"):
        await here.open(again, NOW + timedelta(seconds=600))
    with pytest.raises(AccessDenied, match="This token expired"):
        await here.caller(session, NOW + timedelta(seconds=600))


async def test_a_session_holds_no_more_than_its_key_does_now(stored: Keys) -> None:
    session, _ = await connecting(stored, ALICE).open(
        Hello("c", token=token("ALICE", one="write")), NOW
    )
    lowered = replace(ALICE, grants=parse_grants({"one": "read"}))
    caller = await connecting(stored, lowered).caller(session, NOW)
    assert caller.grants.on("one") is Right.READ
    with pytest.raises(AccessDenied, match="has been revoked"):
        await connecting(stored).caller(session, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": "ROOT"},
        {"sub": "ROOT", "grants": {"*": "owner"}},
        {"sub": "ROOT", "grants": {"*": "admin"}, "ws": "one", "cid": 5},
        {"sub": "ROOT", "grants": {"*": "admin"}, "ws": "one", "cid": "c", "exp": "never"},
    ],
)
async def test_what_is_no_reconnection_token_opens_nothing(
    stored: Keys, claims: dict[str, object]
) -> None:
    here = connecting(stored, ROOT)
    whole = {"iat": 0, "exp": 2**33, "ws": "one", "cid": "c", "grants": {}} | claims
    signed = jwt.encode(whole, derive(SECRET, "reconnection tokens"), algorithm="HS256")
    with pytest.raises(AccessDenied):
        await here.open(Hello("c", reconnection_token=signed), NOW)


async def test_tokens_of_one_kind_are_none_of_the_other(stored: Keys) -> None:
    here = connecting(stored, ALICE)
    bearer = token("ALICE", one="write")
    session, _ = await here.open(Hello("c", token=bearer), NOW)
    again = here.reconnection_token(session, NOW)
    with pytest.raises(AccessDenied, match="no token of this gateway"):
        await here.open(Hello("c", token=again), NOW)
    with pytest.raises(AccessDenied, match="none of this gateway's"):
        await here.open(Hello("c", reconnection_token=bearer), NOW)
