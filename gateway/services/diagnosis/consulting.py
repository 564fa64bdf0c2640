"""Ask the backend: whether it answers, takes the credentials, and does what artifacts need."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from gateway.config import Area
from gateway.errors import PreconditionFailed, ServiceUnavailable
from gateway.s3.address import Query
from gateway.services.diagnosis.bounding import reason
from gateway.services.diagnosis.verdict import Verdict, failure, ok, warning
from gateway.storage import answers
from gateway.storage.bucket import BackendError, Bucket, Outgoing
from gateway.storage.capabilities import Capabilities
from gateway.storage.credentials import CredentialsMissing
from gateway.storage.probe import MEMORY, probe

LIMIT = 1 << 16
LISTING = Query((("list-type", "2"), ("max-keys", "1")))
SKEW_SECONDS, REFUSED_SECONDS = 60, 900
"""A clock that is wrong by more is worth a word; by more than this, S3 refuses signatures."""

TRY_AGAIN = "then run doctor again: nothing else that needs the backend was looked at"
CREDENTIALS = "backend.access_key_id and backend.secret_access_key, or AWS's default chain"
CLOCK = "set the clocks by NTP (timedatectl set-ntp true), here and at the backend"


class Consulting:
    """Checks of one backend; `system` is where the gateway keeps what is its own."""

    def __init__(self, bucket: Bucket, endpoint_url: str, system: Area) -> None:
        self._bucket = bucket
        self._endpoint = endpoint_url
        self._system = system

    async def contact(self) -> Sequence[Verdict]:
        """Whether it answers as an S3 service, to these credentials, at this time of day."""
        try:
            upstream = await self._bucket.send(Outgoing("GET", self._system.bucket, query=LISTING))
        except CredentialsMissing as error:
            return [failure("credentials", str(error), f"give {CREDENTIALS}; {TRY_AGAIN}")]
        except ServiceUnavailable as error:
            remedy = f"start it, or mend backend.endpoint_url; {TRY_AGAIN}"
            return [failure("backend", f"{self._endpoint}: {reason(error)}", remedy)]
        now, date = datetime.now(UTC), upstream.date
        data = await upstream.read(LIMIT)
        verdicts = [self._speaks(upstream.status, data)]
        if not verdicts[0].remedy:
            verdicts.append(self._admits(upstream.status, data))
            verdicts.append(_clock(date, now))
        return verdicts

    async def features(self) -> Sequence[Verdict]:
        """What it was seen to do, tried anew; the gateway's next start remembers it.

        Where there is no system area yet it is tried in a bucket that goes again.
        """
        area = self._system
        if await self._bucket.bucket_exists(area.bucket):
            return features_of(await probe(self._bucket, area.bucket, area.prefix, again=True))
        trial = f"artifact-gateway-probe-{secrets.token_hex(8)}"
        try:
            await self._bucket.create_bucket(trial)
        except BackendError as error:
            found = f"{area.bucket} is not there, and no bucket can be made: {error}"
            remedy = f"make the bucket {area.bucket}, or allow the credentials s3:CreateBucket"
            return [failure("features", found, remedy)]
        try:
            return features_of(await probe(self._bucket, trial))
        finally:
            await self._bucket.delete(trial, MEMORY)
            await self._bucket.delete_bucket(trial)

    async def system_area(self) -> Sequence[Verdict]:
        """Whether a record can be put there once, and not twice."""
        area = self._system
        if not await self._bucket.bucket_exists(area.bucket):
            return [ok("system-area", f"{area.bucket} is not there yet: the first start makes it")]
        key = f"{area.prefix}doctor/{secrets.token_hex(8)}"
        try:
            await self._bucket.put(area.bucket, key, b"first", if_absent=True)
            await self._bucket.put(area.bucket, key, b"second", if_absent=True)
        except PreconditionFailed:
            return [ok("system-area", f"{area} takes records, and each of them once")]
        finally:
            await self._remove(key)
        return [
            failure(
                "system-area",
                f"{area} took two objects for one key with If-None-Match: *",
                "use a backend that knows conditional writes: two commits could both succeed",
            )
        ]

    async def versioning(
        self, name: str, bucket: str, *, may_turn_on: bool, made_at_start: bool
    ) -> Sequence[Verdict]:
        """Whether the bucket of the workspace `name` is there and keeps versions."""
        check = f"workspace {name}"
        try:
            status = await self._bucket.versioning_status(bucket)
        except BackendError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                remedy = f"allow the credentials to use the bucket {bucket}"
                return [failure(check, f"{bucket}: {error}", remedy)]
            if made_at_start:
                return [ok(check, f"{bucket} is not there yet: the first start makes it")]
            remedy = f"make the bucket, or mend workspaces.{name}.bucket"
            return [failure(check, f"the backend has no bucket {bucket}", remedy)]
        return [_versioning(name, bucket, status, may_turn_on=may_turn_on)]

    async def _remove(self, key: str) -> None:
        versions = await self._bucket.versions(self._system.bucket, key)
        for version in versions:
            await self._bucket.delete(self._system.bucket, key, version.version_id)
        if not versions:
            await self._bucket.delete(self._system.bucket, key)

    def _speaks(self, status: int, data: bytes) -> Verdict:
        """Whether the answer is an S3 service's."""
        known = (
            b"ListBucketResult" in data
            if status < HTTPStatus.MULTIPLE_CHOICES
            else (not _error(status, data).code.isdigit())
        )
        if known:
            return ok("backend", f"{self._endpoint} answers")
        found = f"{self._endpoint} answers {status}, and not as an S3 service does"
        return failure("backend", found, f"mend backend.endpoint_url; {TRY_AGAIN}")

    def _admits(self, status: int, data: bytes) -> Verdict:
        """Whether the answer is one to credentials that are good."""
        if status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return ok("credentials", "the backend takes them")
        error = _error(status, data)
        remedy = f"mend {CREDENTIALS}; {TRY_AGAIN}"
        if error.code == "RequestTimeTooSkewed":
            remedy = f"{CLOCK}; {TRY_AGAIN}"
        elif error.code == "AccessDenied":
            remedy = f"allow them the bucket {self._system.bucket}, or {remedy}"
        return failure("credentials", f"{error}", remedy)


def _error(status: int, data: bytes) -> BackendError:
    return answers.failure(answers.Answer(status, {}, data))


def _versioning(name: str, bucket: str, status: str, *, may_turn_on: bool) -> Verdict:
    """What the versioning of a workspace's bucket means."""
    check = f"workspace {name}"
    by_hand = (
        f"aws s3api put-bucket-versioning --bucket {bucket}"
        " --versioning-configuration Status=Enabled"
    )
    if status == "Enabled":
        return ok(check, f"{bucket} keeps versions")
    if not may_turn_on:
        found = f"{bucket} keeps no versions: files that are committed can't be changed"
        return warning(check, found, f"set workspaces.{name}.versioning: true, or {by_hand}")
    if status:
        found = f"{bucket}'s versioning is suspended: what is overwritten is gone"
        return warning(check, found, f"{by_hand}; with artifacts in it, fsck --repair too")
    return ok(check, f"{bucket} keeps no versions yet: the first artifact's edit turns that on")


def _clock(date: str, now: datetime) -> Verdict:
    """Whether the backend's clock agrees with this one."""
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        remedy = "nothing, where its clock is known to be right"
        return warning("clock", "the backend does not say what time it is", remedy)
    seconds = round((then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds())
    found = f"the backend's clock is {abs(seconds)} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) > REFUSED_SECONDS:
        return failure("clock", f"{found}: signatures are refused", CLOCK)
    if abs(seconds) > SKEW_SECONDS:
        return warning("clock", found, CLOCK)
    return ok("clock", "the backend's agrees with this one")


def features_of(seen: Capabilities) -> Sequence[Verdict]:
    """What artifacts need first, then what the gateway does itself where the backend does not."""
    verdicts = [
        failure("features", f"it lacks {missing}", "use a backend that has it")
        for missing in seen.missing
    ] or [ok("features", "conditional PUT, and all else that artifacts need")]
    if seen.versioning:
        verdicts.append(ok("versions", "old bytes stay readable, and come back after a discard"))
    else:
        found = "the backend keeps no versions: files that are committed can't be changed"
        verdicts.append(
            warning(
                "versions", found, "use a backend with versioning, or credentials that may set it"
            )
        )
    checks = seen.checks
    there = [
        *(["SHA-256 of bodies"] if checks.payload_hash else []),
        *(["Content-MD5"] if checks.content_md5 else []),
        *(name.removeprefix("x-amz-checksum-") for name in checks.headers),
    ]
    told = f"the backend checks {', '.join(there)}" if there else "the backend checks nothing"
    verdicts.append(ok("payloads", f"{told}; the gateway the rest"))
    return verdicts
