import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from gateway.derivation import derive
from gateway.errors import AccessDenied, InvalidAccessKeyId, InvalidArgument
from gateway.identity import ANONYMOUS, AccessKey, Caller, Grants, Right, Workspace, parse_grants
from gateway.services.keys import tokens
from gateway.services.keys.access import URL_PREFIX, Access
from gateway.storage.database import Database
from gateway.storage.keys import Keys, StoredKey

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


ROOT = AccessKey("ROOT", "secret-of-root", "root", parse_grants({"*": "admin"}))
ALICE = AccessKey(
    "ALICE", "secret-of-alice", "alice", parse_grants({"one": "admin", "two": "write"})
)
BOB = AccessKey("BOB", "secret-of-bob", "bob", parse_grants({"one": "write", "two": "read"}))
CAROL = AccessKey(
    "CAROL", "secret-of-carol", "carol", parse_grants({"one": "admin", "two": "admin"})
)


def workspace(name: str) -> Workspace:
    return Workspace(id=name, name=name, bucket=name)


def caller(key: AccessKey) -> Caller:
    return Caller(key.access_key_id, key.name, key.grants)


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[Keys]:
    async with Database(f"sqlite:///{tmp_path / 'test.db'}") as database:
        yield Keys(database, SECRET)


@pytest.fixture
def access(keys: Keys) -> Access:
    return Access([ROOT, ALICE, BOB, CAROL], keys, SECRET)


def claims_of(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


# --- keys ------------------------------------------------------------------------------


async def test_keys_of_the_configuration_and_the_database_are_found(
    access: Access, keys: Keys
) -> None:
    made = await access.create_key(caller(ROOT), "Dave", {"one": "read"}, NOW)
    assert await access.key("ALICE") == ALICE
    assert await access.key(made.access_key_id) == made
    assert await access.secret_for(made.access_key_id) == made
    assert await access.caller(made.access_key_id) == Caller(
        made.access_key_id, "Dave", parse_grants({"one": "read"})
    )
    assert await Access([], keys, SECRET).key(made.access_key_id) == made


async def test_only_keys_of_the_configuration_are_certain_to_last(access: Access) -> None:
    made = await access.create_key(caller(ROOT), "Dave", {"one": "read"}, NOW)
    found = await access.secret_for("ALICE")
    assert found is not None
    assert access.lasts(found)
    assert not access.lasts(replace(found, grants=parse_grants({"other": "read"})))
    assert not access.lasts(made)
    assert not access.lasts(access.signing_key(caller(ALICE)))


@pytest.mark.parametrize(
    "access_key_id", ["NOBODY", "", "a", "x\x00y", "\udc80id", "a" * 2_000, "a b"]
)
async def test_an_id_that_no_key_has_is_none(access: Access, access_key_id: str) -> None:
    assert await access.key(access_key_id) is None
    assert await access.secret_for(access_key_id) is None
    assert await access.caller(access_key_id) is None
    assert await access.secret_for(f"{URL_PREFIX}{access_key_id or 'NOBODY'}") is None


async def test_a_key_of_the_database_does_not_shadow_a_configured_one(
    access: Access, keys: Keys
) -> None:
    intruder = AccessKey("ALICE", "another-secret", "mallory", parse_grants({"*": "admin"}))
    await keys.add(StoredKey(intruder, NOW, "ROOT"))
    assert await access.key("ALICE") == ALICE
    listed = await access.list_keys(caller(ROOT))
    assert [each.name for each in listed if each.access_key_id == "ALICE"] == ["alice"]


async def test_a_made_key_looks_like_those_of_aws_and_is_unlike_any_other(access: Access) -> None:
    made = [await access.create_key(caller(ROOT), "x", {"one": "read"}, NOW) for _ in range(3)]
    for key in made:
        assert len(key.access_key_id) == 20
        assert key.access_key_id.startswith("AG")
        assert key.access_key_id.isalnum()
        assert key.access_key_id.isupper()
        assert len(key.secret_access_key) == 40
        assert key.secret_access_key not in repr(key)
    assert len({key.access_key_id for key in made}) == 3
    assert len({key.secret_access_key for key in made}) == 3


@pytest.mark.parametrize(
    "grants",
    [{"two": "read"}, {"one": "read", "two": "read"}, {"*": "read"}, {"three": "read"}],
)
async def test_a_key_gives_only_what_its_maker_administers(
    access: Access, keys: Keys, grants: dict[str, str]
) -> None:
    with pytest.raises(AccessDenied, match="admin"):
        await access.create_key(caller(ALICE), "x", grants, NOW)
    with pytest.raises(AccessDenied, match="admin"):
        await access.generate_token(caller(ALICE), grants, None, NOW)
    assert await keys.all() == []


@pytest.mark.parametrize("who", [caller(BOB), ANONYMOUS, Caller("X", "x", Grants())])
async def test_who_administers_nothing_gives_nothing(access: Access, who: Caller) -> None:
    with pytest.raises(AccessDenied):
        await access.create_key(who, "x", {"one": "read"}, NOW)
    with pytest.raises(AccessDenied):
        await access.generate_token(who, {"one": "read"}, None, NOW)
    with pytest.raises(AccessDenied):
        await access.generate_token(who, None, None, NOW)
    with pytest.raises(AccessDenied):
        await access.list_keys(who)
    with pytest.raises(AccessDenied):
        await access.revoke_key(who, "ALICE")


@pytest.mark.parametrize(
    "grants",
    [{}, {"one": "owner"}, {"one": ""}, {"No Name": "read"}, {"_system": "read"}, {"": "read"}],
)
async def test_grants_that_can_not_be_read_are_refused(
    access: Access, grants: dict[str, str]
) -> None:
    with pytest.raises(InvalidArgument, match="grants"):
        await access.create_key(caller(ROOT), "x", grants, NOW)
    with pytest.raises(InvalidArgument, match="grants"):
        await access.generate_token(caller(ROOT), grants, None, NOW)


@pytest.mark.parametrize("name", ["", "  ", "x" * 257, "line\nbreak", "nul\x00"])
async def test_a_name_that_is_none_is_refused(access: Access, name: str) -> None:
    with pytest.raises(InvalidArgument, match="name"):
        await access.create_key(caller(ROOT), name, {"one": "read"}, NOW)


async def test_a_list_of_keys_has_no_secret_and_no_key_with_grants_elsewhere(
    access: Access,
) -> None:
    here = await access.create_key(caller(CAROL), "here", {"one": "read"}, NOW)
    both = await access.create_key(caller(CAROL), "both", {"one": "read", "two": "read"}, NOW)
    all_over = await access.create_key(caller(ROOT), "all over", {"*": "read"}, NOW)
    made = {here.access_key_id, both.access_key_id, all_over.access_key_id}

    async def seen_by(key: AccessKey) -> set[str]:
        return {each.access_key_id for each in await access.list_keys(caller(key))}

    assert await seen_by(ALICE) == {here.access_key_id}
    assert await seen_by(CAROL) == {"ALICE", "BOB", "CAROL"} | made - {all_over.access_key_id}
    assert await seen_by(ROOT) == {"ROOT", "ALICE", "BOB", "CAROL"} | made
    listed = await access.list_keys(caller(ROOT))
    assert here.secret_access_key not in repr(listed)
    assert ALICE.secret_access_key not in repr(listed)
    found = next(each for each in listed if each.access_key_id == here.access_key_id)
    assert (found.created_at, found.created_by) == (NOW, "CAROL")
    assert listed[0].created_at is None


async def test_revoking_reaches_keys_whose_every_grant_the_caller_administers(
    access: Access,
) -> None:
    here = await access.create_key(caller(CAROL), "here", {"one": "read"}, NOW)
    both = await access.create_key(caller(CAROL), "both", {"one": "read", "two": "read"}, NOW)
    with pytest.raises(AccessDenied) as elsewhere:
        await access.revoke_key(caller(ALICE), both.access_key_id)
    with pytest.raises(AccessDenied) as absent:
        await access.revoke_key(caller(ALICE), "AGABSENT")
    assert elsewhere.value.message.replace(both.access_key_id, "ID") == (
        absent.value.message.replace("AGABSENT", "ID")
    ), "who may not list a key does not learn that it is there"
    assert await access.key(both.access_key_id) == both
    await access.revoke_key(caller(ALICE), here.access_key_id)
    assert await access.key(here.access_key_id) is None
    with pytest.raises(InvalidAccessKeyId):
        await access.revoke_key(caller(ROOT), here.access_key_id)


async def test_a_key_of_the_configuration_can_not_be_revoked(access: Access) -> None:
    with pytest.raises(AccessDenied, match="configuration"):
        await access.revoke_key(caller(ROOT), "ALICE")
    assert await access.key("ALICE") == ALICE


# --- tokens ----------------------------------------------------------------------------


async def test_a_token_holds_what_it_was_given(access: Access) -> None:
    token = await access.generate_token(caller(ALICE), {"one": "read"}, 60, NOW)
    who = await access.caller_of_token(token, NOW + timedelta(seconds=59))
    until = NOW.replace(microsecond=0) + timedelta(seconds=60)
    assert who == Caller("ALICE", "alice", parse_grants({"one": "read"}), until)
    assert claims_of(token) == {
        "sub": "ALICE",
        "grants": {"one": "read"},
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
    }


async def test_what_a_token_issues_ends_with_it(access: Access) -> None:
    token = await access.generate_token(caller(ALICE), None, 60, NOW)
    holder = await access.caller_of_token(token, NOW)
    renewed = await access.generate_token(holder, None, HOUR.seconds, NOW)
    assert claims_of(renewed)["exp"] == claims_of(token)["exp"]


async def test_a_token_without_grants_holds_what_its_issuer_administers(access: Access) -> None:
    token = await access.generate_token(caller(ALICE), None, None, NOW)
    who = await access.caller_of_token(token, NOW + HOUR - timedelta(seconds=1))
    assert who.grants == parse_grants({"one": "admin"})
    with pytest.raises(AccessDenied, match="expired at 2025-06-07T09:09:10Z"):
        await access.caller_of_token(token, NOW + HOUR)


@pytest.mark.parametrize("expires_in", [0, -1, 604_801, 10**12])
async def test_a_token_lives_no_longer_than_the_limit(access: Access, expires_in: int) -> None:
    with pytest.raises(InvalidArgument, match="expires_in"):
        await access.generate_token(caller(ALICE), None, expires_in, NOW)
    await access.generate_token(caller(ALICE), None, 604_800, NOW)


async def test_the_default_lifetime_stays_within_a_short_limit(keys: Keys) -> None:
    access = Access([ALICE], keys, SECRET, token_seconds=60)
    token = await access.generate_token(caller(ALICE), None, None, NOW)
    with pytest.raises(AccessDenied, match="expired"):
        await access.caller_of_token(token, NOW + timedelta(seconds=60))


async def test_revoking_a_key_ends_its_tokens(access: Access) -> None:
    made = await access.create_key(caller(ROOT), "x", {"one": "admin"}, NOW)
    token = await access.generate_token(caller(made), {"one": "read"}, None, NOW)
    assert (await access.caller_of_token(token, NOW)).name == "x"
    await access.revoke_key(caller(ROOT), made.access_key_id)
    with pytest.raises(AccessDenied, match="revoked"):
        await access.caller_of_token(token, NOW)


@pytest.mark.parametrize(
    ("given", "left", "expected"),
    [
        ({"one": "admin"}, {"one": "read"}, {"one": "read"}),
        ({"one": "read"}, {"one": "admin"}, {"one": "read"}),
        ({"one": "admin"}, {"two": "admin"}, {}),
        ({"*": "admin"}, {"one": "write"}, {"one": "write"}),
        ({"one": "write"}, {"*": "read"}, {"one": "read"}),
        ({"one": "write"}, {}, {}),
    ],
)
async def test_a_token_never_holds_more_than_its_issuer_does_now(
    keys: Keys, given: dict[str, str], left: dict[str, str], expected: dict[str, str]
) -> None:
    before = AccessKey("X", "secret-of-x", "x", parse_grants({"*": "admin"}))
    after = AccessKey("X", "secret-of-x", "x", parse_grants(left))
    token = await Access([before], keys, SECRET).generate_token(caller(before), given, None, NOW)
    who = await Access([after], keys, SECRET).caller_of_token(token, NOW)
    assert who.grants.as_text() == expected


async def test_a_token_that_comes_again_is_verified_once(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = [
        await access.generate_token(caller(ALICE), {"one": right}, None, NOW)
        for right in ("read", "write")
    ]
    first = await access.caller_of_token(one, NOW)
    seen: list[str] = []

    def refused(token: str, key: bytes) -> dict[str, object]:
        del key
        seen.append(token)
        return {}

    monkeypatch.setattr(tokens, "verified", refused)
    assert await access.caller_of_token(one, NOW) == first
    for _ in range(2):  # a verdict that it is none is not kept
        with pytest.raises(AccessDenied, match="no token of this gateway"):
            await access.caller_of_token(other, NOW)
    assert seen == [other, other]


async def test_of_so_many_tokens_is_known_what_they_say(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    issued = [await access.generate_token(caller(ALICE), None, 60 + n, NOW) for n in range(3)]
    for each in issued:
        await access.caller_of_token(each, NOW)
    monkeypatch.setattr(tokens, "verified", lambda *_: {})
    for each in issued[1:]:
        await access.caller_of_token(each, NOW)
    with pytest.raises(AccessDenied):
        await access.caller_of_token(issued[0], NOW)


def forged(claims: dict[str, object], key: bytes, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


def unsigned(claims: dict[str, object]) -> str:
    parts = [json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims)]
    encoded = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


GOOD: dict[str, object] = {"sub": "ROOT", "grants": {"*": "admin"}, "iat": 0, "exp": 4_000_000_000}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "…",
        forged(GOOD, derive(SECRET[::-1], "tokens")),
        forged(GOOD, derive(SECRET, "access keys at rest")),
        forged(GOOD, SECRET),
        unsigned(GOOD),
        forged(GOOD, derive(SECRET, "tokens") * 2, algorithm="HS512"),
        forged(GOOD | {"grants": {"one": "owner"}}, derive(SECRET, "tokens")),
        forged(GOOD | {"grants": ["one"]}, derive(SECRET, "tokens")),
        forged({"sub": "ROOT", "grants": {"*": "admin"}, "iat": 0}, derive(SECRET, "tokens")),
        forged({"grants": {"*": "admin"}, "iat": 0, "exp": 1}, derive(SECRET, "tokens")),
    ],
)
async def test_what_the_gateway_did_not_sign_is_no_token(access: Access, token: str) -> None:
    with pytest.raises(AccessDenied, match="no token of this gateway"):
        await access.caller_of_token(token, NOW)


async def test_the_forged_token_would_be_one_under_the_right_key(access: Access) -> None:
    who = await access.caller_of_token(forged(GOOD, derive(SECRET, "tokens")), NOW)
    assert (who.access_key_id, who.grants) == (ROOT.access_key_id, ROOT.grants)


async def test_a_token_of_another_gateway_is_none_of_this_one(keys: Keys, access: Access) -> None:
    token = await access.generate_token(caller(ALICE), None, None, NOW)
    with pytest.raises(AccessDenied, match="no token of this gateway"):
        await Access([ALICE], keys, SECRET[::-1]).caller_of_token(token, NOW)


# --- URLs ------------------------------------------------------------------------------


async def test_a_urls_key_holds_its_issuers_grants_of_now(access: Access) -> None:
    made = await access.create_key(caller(ROOT), "x", {"one": "write"}, NOW)
    signing = access.signing_key(caller(made))
    found = await access.secret_for(signing.access_key_id)
    assert found == signing
    assert found is not None
    assert found.secret_access_key not in (made.secret_access_key, "")
    assert access.caller_with(found) == caller(made)
    await access.revoke_key(caller(ROOT), made.access_key_id)
    assert await access.secret_for(signing.access_key_id) is None


async def test_each_issuer_has_a_urls_key_of_its_own(access: Access) -> None:
    signing = [access.signing_key(caller(key)) for key in (ROOT, ALICE)]
    signing.append(access.signing_key(ANONYMOUS))
    assert len({key.secret_access_key for key in signing}) == 3
    assert len({key.access_key_id for key in signing}) == 3
    assert all(key.secret_access_key not in repr(key) for key in signing)


async def test_a_url_that_was_signed_for_nobody_gives_nothing(access: Access) -> None:
    signing = access.signing_key(ANONYMOUS)
    assert await access.secret_for(signing.access_key_id) == signing
    assert await access.caller(signing.access_key_id) == ANONYMOUS
    assert signing.grants == Grants()


async def test_a_urls_key_is_no_access_key(access: Access) -> None:
    assert await access.key(access.signing_key(caller(ALICE)).access_key_id) is None
    assert await access.secret_for(f"{URL_PREFIX}{URL_PREFIX}ALICE") is None


async def test_a_token_holders_url_names_the_key_behind_the_token(access: Access) -> None:
    token = await access.generate_token(caller(ALICE), {"one": "read"}, None, NOW)
    holder = await access.caller_of_token(token, NOW)
    found = await access.secret_for(access.signing_key(holder).access_key_id)
    assert found is not None
    assert access.caller_with(found) == caller(ALICE)


# --- rights ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "name", "held"),
    [
        (ROOT, "one", Right.ADMIN),
        (ROOT, "anything", Right.ADMIN),
        (ALICE, "one", Right.ADMIN),
        (ALICE, "two", Right.WRITE),
        (BOB, "two", Right.READ),
        (BOB, "three", Right.NONE),
    ],
)
def test_a_right_holds_those_before_it(
    access: Access, who: AccessKey, name: str, held: Right
) -> None:
    assert access.right_on(caller(who), workspace(name)) is held
    for right in (Right.READ, Right.WRITE, Right.ADMIN):
        if right <= held:
            access.require(caller(who), workspace(name), right)
        else:
            with pytest.raises(AccessDenied):
                access.require(caller(who), workspace(name), right)


def test_a_refusal_says_who_lacks_which_right_where(access: Access) -> None:
    with pytest.raises(AccessDenied, match=r"'write'.*'two'.*'bob' holds 'read'"):
        access.require(caller(BOB), workspace("two"), Right.WRITE)
    with pytest.raises(AccessDenied, match=r"'read'.*'three'.*'bob' holds none"):
        access.require(caller(BOB), workspace("three"), Right.READ)
    with pytest.raises(AccessDenied, match=r"'read'.*'two'.*send credentials"):
        access.require(ANONYMOUS, workspace("two"), Right.READ)
