"""Show an artifact: its manifest merged with what the gateway knows."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Members, Stats, listing, merged, summary, summary_fields
from gateway.artifact.query import MemberQuery
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.version import Pin
from gateway.errors import NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.services.keys.access import Access
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.services.lifecycle.validating import Validating
from gateway.services.registry.documents import written
from gateway.services.registry.kept import Kept
from gateway.storage.bucket import ListedObject
from gateway.storage.catalogue import Catalogue
from gateway.storage.members import EVERYTHING, MemberIndex, Page
from gateway.turns import turns

KEPT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which state of an artifact is asked for: the last commit, a version, or the stage."""

    stage: bool = False
    version: int | None = None
    silent: bool = False


class Showing:
    """Merges manifests with pins, statistics, members and stages."""

    def __init__(
        self,
        access: Access,
        catalogue: Catalogue,
        surveying: Surveying,
        validating: Validating,
        members: MemberIndex,
        *,
        page: int,
    ) -> None:
        """`page` is how many members a collection's manifest shows."""
        self._members_index = members
        self._access = access
        self._catalogue = catalogue
        self._surveying = surveying
        self._validating = validating
        self._page = page
        self._texts: Kept[bytes] = Kept(KEPT_BYTES)

    async def show(
        self,
        caller: Caller,
        workspace: Workspace,
        artifact: Artifact,
        wanted: Wanted,
        *,
        files: Sequence[JsonValue] | None = None,
    ) -> dict[str, JsonValue]:
        """The merged manifest of an artifact in the state wanted.

        `files` are the `listings` of the version wanted, for whoever has them already.
        """
        if wanted.stage and artifact.stage is not None:
            return await self._show_stage(caller, workspace, artifact)
        number = artifact.version if wanted.version is None else wanted.version
        fields: Fields = artifact.fields or {}
        modified = artifact.modified_at
        if number != artifact.version:
            record = await self._catalogue.version(artifact, number)
            if number <= artifact.buried or record is None or record.manifest is None:
                raise NoSuchVersion(
                    f"{artifact.prefix!r} has no version {number}; the newest is "
                    f"{artifact.version}",
                    prefix=artifact.prefix,
                    version=number,
                )
            parsed = await self._validating.parse(record.manifest.data, caller.name)
            fields = parsed.fields
            modified = record.time
        if files is None:
            files = await listings(files_of(await self._catalogue.pins(artifact.id, number)))
        return merged(
            fields,
            files,
            prefix=artifact.prefix,
            version=number,
            created_at=artifact.created_at,
            modified_at=modified,
            stats=artifact.stats,
            members=await self._members(caller, workspace, artifact, fields),
        )

    async def written(
        self,
        caller: Caller,
        workspace: Workspace,
        artifact: Artifact,
        wanted: Wanted,
        stats: Stats,
        generation: Hashable | None,
    ) -> bytes:
        """As `show`, as JSON; `generation` is that of the index before the artifact was found.

        A version's manifest is the same for everybody, but for its counters, unless it is a
        collection's, whose members are not.
        """
        if wanted.stage or artifact.collection:
            counted = replace(artifact, stats=stats)
            return await written(await self.show(caller, workspace, counted, wanted))
        about = artifact.id, artifact.version if wanted.version is None else wanted.version
        text = self._texts.get(about, generation)
        if text is None:
            counted = replace(artifact, stats=stats)
            shown = await self.show(caller, workspace, counted, wanted)
            if "collection" in shown and "_child_count" in shown:
                return await written(shown)  # it was a collection once
            text = await written({name: shown[name] for name in shown if name != "_stats"})
            self._texts.keep(about, generation, text, len(text))
        return b'%b, "_stats": %b}' % (text[:-1], json.dumps(stats.shown()).encode())

    async def _show_stage(
        self, caller: Caller, workspace: Workspace, artifact: Artifact
    ) -> dict[str, JsonValue]:
        stage = artifact.stage
        fields = (stage.fields if stage else None) or artifact.fields or {}
        survey = await self._surveying.survey(workspace, artifact)
        pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
        staged = await self.staged_pins(artifact, survey, pins)
        return merged(
            fields,
            await listings(staged),
            prefix=artifact.prefix,
            version=artifact.version or None,
            created_at=artifact.created_at,
            modified_at=artifact.modified_at,
            stats=artifact.stats,
            members=await self._members(caller, workspace, artifact, fields),
            stage=self._difference(artifact, staged, pins),
        )

    def _difference(
        self, artifact: Artifact, staged: Sequence[Pin], pins: dict[str, Pin]
    ) -> dict[str, JsonValue]:
        """What the stage holds that the last commit does not, and the other way."""
        stage = artifact.stage
        known = files_of(pins)
        before = {pin.path: pin for pin in known}
        added = [pin.path for pin in staged if pin.path not in before]
        changed = [
            pin.path
            for pin in staged
            if pin.path in before and bare(before[pin.path].etag) != bare(pin.etag)
        ]
        there = {pin.path for pin in staged}
        return {
            "id": stage.id if stage else None,
            "manifest": artifact.manifest_staged,
            "files": [pin.path for pin in staged],
            "added": added,
            "changed": changed,
            "removed": [pin.path for pin in known if pin.path not in there],
            "opened_at": stage.opened_at.isoformat() if stage else None,
            "opened_by": stage.opened_by if stage else None,
        }

    async def staged_pins(
        self, artifact: Artifact, survey: Survey, pins: dict[str, Pin]
    ) -> list[Pin]:
        """The staged files, as far as the index and one listing tell."""
        staged = await self._catalogue.staged_files(artifact.id)
        announced = await self._catalogue.announcements(artifact.id)
        found = []
        for path, item in survey.files.items():
            known = pins.get(path)
            row = staged.get(path)
            weight = announced.get(path)
            if weight is None and row is not None:
                weight = row.weight
            if weight is None:
                weight = known.weight if known else 0
            if known is not None and bare(known.etag) == bare(item.etag):
                found.append(replace(known, weight=weight))
            else:
                kind = row.content_type if row is not None else None
                found.append(_pin_of(path, item, kind, weight))
        return found

    async def _members(
        self, caller: Caller, workspace: Workspace, artifact: Artifact, fields: Fields
    ) -> Members | None:
        """A collection's members, as summaries; None for what is no collection."""
        if fields.get("type") != "collection":
            return None
        page = await self.members(caller, workspace, artifact)
        names = summary_fields(fields)
        shown = [summary(m.fields or {}, names, m.prefix, m.stats) for m in page.items]
        return Members(shown, page.total)

    def shows_everything(self, caller: Caller, workspace: Workspace) -> bool:
        """Whether the caller may read all members, or (False) what is public alone."""
        return self._access.right_on(caller, workspace) >= Right.READ

    async def members(
        self,
        caller: Caller,
        workspace: Workspace,
        artifact: Artifact,
        query: MemberQuery = EVERYTHING,
        *,
        offset: int = 0,
        limit: int | None = None,
    ) -> Page:
        """A page of the committed artifacts below a collection that the caller may read."""
        everything = self.shows_everything(caller, workspace)
        if not everything and workspace.public == "none":
            return Page([], 0)
        return await self._members_index.page(
            workspace.id,
            artifact.prefix,
            query,
            public=not everything,
            offset=offset,
            limit=self._page if limit is None else limit,
        )


async def listings(pins: Iterable[Pin]) -> list[JsonValue]:
    """Files as manifests and listings show them."""
    return [listing(pin) async for some in turns(pins) for pin in some]


def files_of(pins: Mapping[str, Pin]) -> list[Pin]:
    """The pins without the manifest's own."""
    return [pin for path, pin in pins.items() if path != MANIFEST]


def _pin_of(path: str, item: ListedObject, content_type: str | None, weight: int) -> Pin:
    return Pin(
        path=path,
        size=item.size,
        etag=item.etag,
        version_id=None,
        last_modified=item.last_modified,
        content_type=content_type or "binary/octet-stream",
        weight=weight,
    )
