"""Find the backend versions of committed manifests, which their records don't tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.version import NULL_VERSION, Pin, Record, manifest_pin
from gateway.identity import Workspace
from gateway.services.lifecycle.surveying import bare
from gateway.storage.bucket import Bucket, ObjectVersion


@dataclass(frozen=True, slots=True)
class _Expected:
    """The manifest of one record; `version_id` where the record tells it, `typed` its type."""

    number: int
    pin: Pin
    version_id: str | None
    typed: bool


class Manifests:
    """The manifests of one prefix's records, and the versions at its plain key."""

    def __init__(self, bucket: Bucket, workspace: Workspace) -> None:
        self._bucket = bucket
        self._workspace = workspace
        self._expected: list[_Expected] = []
        self._buried = 0
        self._versions: Sequence[ObjectVersion] = ()
        self._found: dict[int, ObjectVersion] = {}

    def expect(self, record: Record) -> None:
        """Nothing; the record's manifest will be looked for. Records come in ascending order."""
        if record.manifest is None:
            self._buried = record.number
            return
        typed = "content-type" in record.manifest.headers
        self._expected.append(
            _Expected(record.number, manifest_pin(record), record.manifest_version, typed)
        )

    async def pins(self, prefix: str) -> dict[int, Pin]:
        """The pins of the manifests whose version is there, by number."""
        key = self._workspace.backend_key(join(prefix, MANIFEST))
        self._versions = await self._bucket.versions(self._workspace.bucket, key)
        ascending = [version for version in reversed(self._versions) if not version.marker]
        live = [one for one in self._expected if one.number > self._buried]
        self._found = _match(self._expected, ascending)
        if any(one.number not in self._found for one in live):
            # What belonged to a deleted artifact may be gone, and must not take another's place.
            self._found = _match(live, ascending)
        return {
            one.number: await self._pin(key, one, self._found[one.number])
            for one in self._expected
            if one.number in self._found
        }

    def newest_is(self, record: Record) -> bool:
        """Whether what is newest at the plain key is the manifest of this record."""
        found = self._found.get(record.number)
        return found is not None and bool(self._versions) and self._versions[0] == found

    async def _pin(self, key: str, expected: _Expected, version: ObjectVersion) -> Pin:
        pin = replace(
            expected.pin,
            etag=f'"{bare(version.etag)}"',
            version_id=version.version_id,
            last_modified=version.last_modified.replace(microsecond=0),
        )
        if expected.typed:
            return pin
        head = await self._bucket.head(self._workspace.bucket, key, version.version_id)
        return pin if head is None else replace(pin, content_type=head.content_type)


def _match(
    expected: Sequence[_Expected], versions: Sequence[ObjectVersion]
) -> dict[int, ObjectVersion]:
    """The version of each manifest: equal bytes in the order of the commits, the oldest first.

    Without versioning one version stands for all.
    """
    found: dict[int, ObjectVersion] = {}
    at = 0
    for one in expected:
        for index in range(at if one.version_id is None else 0, len(versions)):
            version = versions[index]
            if not _is(version, one):
                continue
            found[one.number] = version
            at = max(at, index + (version.version_id != NULL_VERSION))
            break
    return found


def _is(version: ObjectVersion, expected: _Expected) -> bool:
    same = (bare(version.etag), version.size) == (bare(expected.pin.etag), expected.pin.size)
    return same and expected.version_id in (None, version.version_id)
