"""What doctor makes of checks that hang or fail, and of backends that can't hold artifacts."""

import asyncio
from collections.abc import Sequence

from gateway.errors import ServiceUnavailable
from gateway.s3.address import KeyRules
from gateway.s3.checks import BackendChecks
from gateway.services.diagnosis.bounding import bounded
from gateway.services.diagnosis.consulting import features_of
from gateway.services.diagnosis.verdict import Level, Verdict
from gateway.storage.capabilities import Capabilities


async def test_a_check_that_hangs_is_ended_and_may_tidy_up() -> None:
    tidied = asyncio.Event()

    async def hang() -> Sequence[Verdict]:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            tidied.set()
        return []

    (verdict,) = await bounded("backend", hang, "look at it", seconds=0.01)
    assert verdict == Verdict("backend", Level.FAILURE, "no answer within 0 s", "look at it")
    assert tidied.is_set()


async def test_a_check_that_fails_says_what_lies_behind() -> None:
    async def fail() -> Sequence[Verdict]:
        raise ServiceUnavailable("try again") from OSError(111, "Connection refused")

    (verdict,) = await bounded("database", fail, "start it")
    assert verdict.found == "[Errno 111] Connection refused"


def capabilities(*, conditional: bool, versioning: bool, restored: bool) -> Capabilities:
    return Capabilities(
        keys=KeyRules(False, (), (), True),  # noqa: FBT003 - as the probe makes them
        checks=BackendChecks(True, False, (), ()),  # noqa: FBT003 - as above
        takes_trailers=True,
        conditional_put=conditional,
        versioning=versioning,
        delete_by_version=restored,
    )


def test_a_backend_that_lacks_what_artifacts_need_fails() -> None:
    seen = capabilities(conditional=False, versioning=True, restored=False)
    lacks = [each for each in features_of(seen) if each.level is Level.FAILURE]
    assert ["If-None-Match" in each.found for each in lacks] == [True, False]
    assert "DELETE of a version" in lacks[1].found
    assert all(each.remedy for each in lacks)


def test_a_backend_without_versions_is_a_warning() -> None:
    seen = features_of(capabilities(conditional=True, versioning=False, restored=False))
    (told,) = (each for each in seen if each.level is not Level.OK)
    assert (told.check, told.level) == ("versions", Level.WARNING)
