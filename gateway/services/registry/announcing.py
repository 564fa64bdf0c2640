"""Announce files that are to come, in one piece or in parts, and take them when they are there."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, Role, check_path, join
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.record import Announcement
from gateway.artifact.value import JsonValue
from gateway.artifact.weights import parse_weight
from gateway.errors import InvalidArgument, InvalidPath, NoSuchUpload
from gateway.identity import Caller, Right, Workspace
from gateway.s3.parts import MOST_PARTS, Part
from gateway.services.keys.access import Access
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.overlapping import both
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.finding import Finding
from gateway.services.registry.linking import Linking, check_seconds
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue
from gateway.storage.records import Records

LINKS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Coming:
    """How a file is to come: its weight, how long its URLs are good, in how many parts.

    `parts` is None for one PUT. `content_type` is that of a file in parts: a PUT has its own.
    """

    weight: JsonValue = None
    expires_in: int | None = None
    parts: int | None = None
    content_type: str | None = None


class Announcing:
    """Answers `put_file` and `complete_file`. The bytes go by URLs, through the S3 door."""

    def __init__(
        self,
        access: Access,
        catalogue: Catalogue,
        announcements: Announcements,
        records: Records,
        gathering: Gathering,
        finding: Finding,
        browsing: Browsing,
        linking: Linking,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._announcements = announcements
        self._records = records
        self._gathering = gathering
        self._finding = finding
        self._browsing = browsing
        self._linking = linking

    async def put_file(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        file_path: str,
        coming: Coming,
        *,
        now: datetime,
    ) -> JsonValue:
        """A URL to PUT the file to, or `upload_id` and `parts` with one each; commit demands it.

        NotStaged, InvalidPath, InvalidWeight, InvalidArgument.
        """
        artifact = await self._staged(caller, workspace, prefix, file_path)
        micros = None if coming.weight is None else parse_weight(coming.weight)
        check_seconds(coming.expires_in)
        upload_id = await self._begin(workspace, artifact, file_path, coming, now)
        stage_id = artifact.stage.id if artifact.stage else ""
        record = Announcement(prefix, file_path, micros, stage_id, now)

        def link(*parameters: tuple[str, str]) -> str:
            return self._linking.link(
                caller,
                "PUT",
                workspace,
                join(prefix, file_path),
                now=now,
                parameters=(*parameters, ("stage", stage_id)),
                expires_in=coming.expires_in,
            )

        async def note() -> JsonValue:
            # URLs are signed while the bucket is told.
            answer = link() if upload_id is None else await _in_parts(coming, upload_id, link)
            await self._announcements.announce(artifact, file_path, micros, now)
            return answer

        # Until both are there nobody has heard of it: whichever a failure leaves is put right by
        # the client's next try.
        return await both(self._records.announce(workspace.id, record), note())

    async def _staged(
        self, caller: Caller, workspace: Workspace, prefix: str, path: str
    ) -> Artifact:
        """The artifact, whose edit is open, in which `path` may be a file."""
        self._access.require(caller, workspace, Right.WRITE)
        artifact = await self._finding.staged(workspace, prefix)
        check_path(path, collection=artifact.collection)
        key = join(prefix, path)
        self._finding.check_key(key)
        if "/" in path:
            # Directly below its prefix a key is nobody else's: none of its `ancestors` is longer,
            # and the names of manifests are no path.
            _check_own(await self._catalogue.locate(workspace.id, key), artifact, path)
        return artifact

    async def _begin(
        self, workspace: Workspace, artifact: Artifact, path: str, coming: Coming, now: datetime
    ) -> str | None:
        """The id of the upload in parts that has begun; None for one PUT. InvalidArgument."""
        if coming.parts is None:
            if coming.content_type is not None:
                raise InvalidArgument(
                    "content_type is for files in parts: the PUT says its own in Content-Type",
                    argument="content_type",
                )
            return None
        if not 1 <= coming.parts <= MOST_PARTS:
            raise InvalidArgument(
                f"parts is a number from 1 to {MOST_PARTS}", argument="parts", value=coming.parts
            )
        headers = {} if coming.content_type is None else {"Content-Type": coming.content_type}
        return await self._gathering.begin(workspace, artifact, path, headers, now)

    async def complete_file(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        file_path: str,
        upload_id: str,
        parts: Sequence[JsonValue],
        *,
        now: datetime,
    ) -> JsonValue:
        """What `list_files` says of the staged file, now that its parts are joined.

        NotStaged, NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, InvalidArgument.
        """
        artifact = await self._staged(caller, workspace, prefix, file_path)
        await self._gathering.complete(
            workspace,
            artifact,
            file_path,
            upload_id,
            _parts(parts),
            author=caller.name,
            now=now,
        )
        staged = await self._browsing.staged_file(workspace, artifact, file_path)
        if staged is None:
            raise NoSuchUpload(
                f"the upload was completed, and {file_path!r} is gone again", path=file_path
            )
        return staged


async def _in_parts(coming: Coming, upload_id: str, link: Callable[..., str]) -> JsonValue:
    """An upload's id, with a URL for each of its parts."""
    parts: list[JsonValue] = []
    for number in range(1, (coming.parts or 0) + 1):
        url = link(("partNumber", str(number)), ("uploadId", upload_id))
        parts.append({"part_number": number, "url": url})
        if number % LINKS_AT_ONCE == 0:
            await asyncio.sleep(0)  # 10,000 take most of a second: others go on meanwhile
    return {"upload_id": upload_id, "parts": parts}


def _parts(given: Sequence[JsonValue]) -> list[Part]:
    """The parts of a call; InvalidArgument."""
    if not given or len(given) > MOST_PARTS:
        raise InvalidArgument(f"parts lists 1 to {MOST_PARTS} parts", argument="parts")
    return [_part(index, each) for index, each in enumerate(given)]


def _part(index: int, given: JsonValue) -> Part:
    fields = given if isinstance(given, Mapping) else {}
    number, etag = fields.get("part_number"), fields.get("etag")
    whole = isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_PARTS
    if not whole or not isinstance(etag, str) or not etag or len(fields) > 2:  # noqa: PLR2004
        raise InvalidArgument(
            f"parts[{index}] is not an object of part_number, from 1 to {MOST_PARTS}, and etag",
            argument=f"parts[{index}]",
        )
    return Part(int(str(number)), etag)


def _check_own(location: Location, artifact: Artifact, path: str) -> None:
    """A path of an artifact that its layout gives to something else: InvalidPath."""
    mine = location.place.prefix == artifact.prefix and location.place.role is Role.FILE
    if not mine:
        raise InvalidPath(
            f"{path!r} is not for a file of {artifact.prefix!r}: it names a manifest "
            f"({MANIFEST}, {STAGED_MANIFEST}) or reaches into a member",
            path=path,
        )
