"""A signature that was verified is not computed again; all that it depends on is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gateway.errors import (
    AccessDenied,
    GatewayError,
    InvalidAccessKeyId,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from gateway.identity import ANONYMOUS, AccessKey, Caller, parse_grants
from gateway.s3.address import SEAWEEDFS_RULES
from gateway.s3.message import Request, new_notes
from gateway.web import authentication
from gateway.web.authentication import Authentication
from gateway.web.hosts import Hosts
from tests.web.test_authentication import ALICE, NOW, asked, presigned, signed


@dataclass(slots=True)
class Changing:
    """The keys that there are by now."""

    keys: list[AccessKey] = field(default_factory=lambda: [ALICE])
    configured: bool = False
    asked_for: int = 0

    async def secret_for(self, access_key_id: str) -> AccessKey | None:
        self.asked_for += 1
        return next((key for key in self.keys if key.access_key_id == access_key_id), None)

    def lasts(self, key: AccessKey) -> bool:
        return self.configured and key in self.keys

    def caller_with(self, key: AccessKey) -> Caller:
        return Caller(key.access_key_id, key.name, key.grants)

    async def caller_of_token(self, token: str, now: object) -> Caller:
        raise AccessDenied(f"{token} at {now}")


@pytest.fixture
def keys() -> Changing:
    return Changing()


@pytest.fixture
def asking(keys: Changing) -> Authentication:
    return Authentication(keys, SEAWEEDFS_RULES, Hosts())


def repeatable(request: Request) -> Request:
    """A request that comes again."""
    return replace(request, notes=new_notes())


@pytest.fixture(params=[signed, presigned], ids=["header", "url"])
async def request_(request: pytest.FixtureRequest, asking: Authentication) -> Request:
    """A request that has been verified, by header or URL."""
    made: Callable[[str, str], Request] = request.param
    again = repeatable(made("GET", "/ws/key"))
    await asking.s3(again, NOW)
    return again


async def test_signature_is_computed_once(
    asking: Authentication, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await asking.s3(request_, NOW)
    monkeypatch.setattr(authentication, "verify", None)
    assert await asking.s3(request_, NOW + timedelta(seconds=1)) == before
    with pytest.raises(TypeError):  # a request that is not known
        await asking.s3(replace(request_, notes=new_notes()), NOW)


async def test_key_that_lasts_is_not_asked_for_again(
    asking: Authentication, keys: Changing, request_: Request
) -> None:
    keys.asked_for, keys.configured = 0, True
    caller, _ = await asking.s3(request_, NOW)
    assert (caller.access_key_id, keys.asked_for) == ("ALICE", 0)
    with pytest.raises(RequestTimeTooSkewed if "X-Amz-Date" in request_.headers else AccessDenied):
        await asking.s3(request_, NOW + timedelta(days=8))
    keys.configured = False
    await asking.s3(request_, NOW)
    assert keys.asked_for == 1


async def test_revoked_key_ends_what_it_had_proved(
    asking: Authentication, keys: Changing, request_: Request
) -> None:
    keys.keys.clear()
    with pytest.raises(InvalidAccessKeyId):
        await asking.s3(request_, NOW)


async def test_key_with_another_secret_ends_what_it_had_proved(
    asking: Authentication, keys: Changing, request_: Request
) -> None:
    keys.keys[0] = replace(ALICE, secret_access_key="another secret")
    with pytest.raises(SignatureDoesNotMatch):
        await asking.s3(request_, NOW)


async def test_caller_has_the_grants_of_now(
    asking: Authentication, keys: Changing, request_: Request
) -> None:
    less = replace(ALICE, grants=parse_grants({"other": "read"}))
    keys.keys[0] = less
    for _ in range(2):
        caller, _ = await asking.s3(request_, NOW)
        assert caller.grants == less.grants


@pytest.mark.parametrize(
    ("made", "seconds", "refusal"),
    [
        (signed, 16 * 60, RequestTimeTooSkewed),
        (signed, -16 * 60, RequestTimeTooSkewed),
        (presigned, 61, AccessDenied),
        (presigned, -16 * 60, AccessDenied),
    ],
)
async def test_time_of_a_signature_runs_out(
    asking: Authentication,
    made: Callable[[str, str], Request],
    seconds: int,
    refusal: type[GatewayError],
) -> None:
    request = repeatable(made("GET", "/ws/key"))
    await asking.s3(request, NOW)
    with pytest.raises(refusal):
        await asking.s3(request, NOW + timedelta(seconds=seconds))
    await asking.s3(request, NOW)


async def test_refused_request_leaves_nothing(asking: Authentication, keys: Changing) -> None:
    request = repeatable(signed("GET", "/ws/key"))
    keys.keys[0] = replace(ALICE, secret_access_key="another secret")
    with pytest.raises(SignatureDoesNotMatch):
        await asking.s3(request, NOW)
    assert request.notes == new_notes()


async def test_unsigned_request_stays_anonymous(asking: Authentication) -> None:
    request = repeatable(asked("GET", "/ws/public/key"))
    first, second = [await asking.s3(request, NOW) for _ in range(2)]
    assert first == second
    assert second[0] is ANONYMOUS
