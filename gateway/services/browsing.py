"""Read the registry: manifests, names, members, files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST, check_prefix, is_public
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Members, listing, merged, summary, summary_fields
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.version import Pin
from gateway.errors import NoSuchArtifact, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.services.access import Access
from gateway.services.counting import Counting
from gateway.services.surveying import Survey, Surveying, bare
from gateway.services.validating import Validating
from gateway.storage.bucket import ListedObject
from gateway.storage.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which state of an artifact is asked for: the last commit, a version, or the stage."""

    stage: bool = False
    version: int | None = None
    silent: bool = False


class Browsing:
    """Answers the reading methods, with what the caller may see."""

    def __init__(  # noqa: PLR0913, PLR0917 (what a manifest is merged from)
        self,
        access: Access,
        catalogue: Catalogue,
        surveying: Surveying,
        validating: Validating,
        counting: Counting,
        *,
        page: int,
    ) -> None:
        """`page` is how many members a collection's manifest shows."""
        self._access = access
        self._catalogue = catalogue
        self._surveying = surveying
        self._validating = validating
        self._counting = counting
        self._page = page

    async def find(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> Artifact:
        """The artifact, if the caller may see the state wanted; NoSuchArtifact, AccessDenied."""
        check_prefix(prefix)
        if wanted.stage:
            self._access.require(caller, workspace, Right.WRITE)
        elif not self._may_read(caller, workspace, prefix):
            self._access.require(caller, workspace, Right.READ)
        artifact = await self._catalogue.artifact(workspace.id, prefix)
        there = artifact is not None and (
            artifact.stage is not None or artifact.version if wanted.stage else artifact.version
        )
        if artifact is None or not there:
            staged = " (one may be staged: stage=true shows it to writers)"
            raise NoSuchArtifact(
                f"no artifact is committed under {prefix!r}"
                f"{'' if wanted.stage or caller.anonymous else staged}",
                prefix=prefix,
            )
        return artifact

    def _may_read(self, caller: Caller, workspace: Workspace, prefix: str) -> bool:
        if self._access.right_on(caller, workspace) >= Right.READ:
            return True
        return workspace.public != "none" and is_public(prefix)

    async def read(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> dict[str, JsonValue]:
        """The manifest merged with what the gateway knows; a view, unless silent or staged."""
        artifact = await self.find(caller, workspace, prefix, wanted)
        if not wanted.stage and not wanted.silent:
            self._counting.view(artifact.id, artifact.epoch)
        await self._counting.merge_now()
        artifact = await self._catalogue.by_id(artifact.id) or artifact
        return await self.show(caller, workspace, artifact, wanted)

    async def show(
        self, caller: Caller, workspace: Workspace, artifact: Artifact, wanted: Wanted
    ) -> dict[str, JsonValue]:
        """The merged manifest of an artifact in the state wanted."""
        if wanted.stage and artifact.stage is not None:
            return await self._show_stage(caller, workspace, artifact)
        number = artifact.version if wanted.version is None else wanted.version
        fields: Fields = artifact.fields or {}
        modified = artifact.modified_at
        if number != artifact.version:
            record = await self._catalogue.record(artifact, number)
            if record is None or record.manifest is None:
                raise NoSuchVersion(
                    f"{artifact.prefix!r} has no version {number}; the newest is "
                    f"{artifact.version}",
                    prefix=artifact.prefix,
                    version=number,
                )
            fields = (await self._validating.parse(record.manifest.data)).fields
            modified = record.time
        pins = await self._catalogue.pins(artifact.id, number)
        return merged(
            fields,
            _files(pins),
            prefix=artifact.prefix,
            version=number,
            created_at=artifact.created_at,
            modified_at=modified,
            stats=artifact.stats,
            members=await self._members(caller, workspace, artifact, fields),
        )

    async def _show_stage(
        self, caller: Caller, workspace: Workspace, artifact: Artifact
    ) -> dict[str, JsonValue]:
        stage = artifact.stage
        fields = (stage.fields if stage else None) or artifact.fields or {}
        survey = await self._surveying.survey(workspace, artifact)
        pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
        staged = await self._staged_pins(artifact, survey, pins)
        return merged(
            fields,
            staged,
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
        known = _files(pins)
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

    async def _staged_pins(
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
        members = await self.members(caller, workspace, artifact)
        names = summary_fields(fields)
        shown = [summary(m.fields or {}, names, m.prefix, m.stats) for m in members[: self._page]]
        return Members(shown, len(members))

    async def members(
        self, caller: Caller, workspace: Workspace, artifact: Artifact
    ) -> list[Artifact]:
        """The committed artifacts below a collection that the caller may read, by prefix."""
        below = await self._catalogue.descendants(workspace.id, artifact.prefix)
        return [m for m in below if m.version and self._may_read(caller, workspace, m.prefix)]

    async def names(
        self, caller: Caller, workspace: Workspace, prefix: str, *, stage: bool
    ) -> list[str]:
        """The names directly below `prefix` at or below which an artifact is, each once, sorted.

        With `stage`, artifacts with an open edit alone.
        """
        check_prefix(prefix)
        if stage:
            self._access.require(caller, workspace, Right.WRITE)
        elif self._access.right_on(caller, workspace) < Right.READ and not is_public(
            prefix or "public"
        ):
            self._access.require(caller, workspace, Right.READ)
        folder = f"{prefix}/" if prefix else ""
        names = set()
        for artifact in await self._catalogue.descendants(workspace.id, prefix):
            there = artifact.stage is not None if stage else bool(artifact.version)
            if there and (stage or self._may_read(caller, workspace, artifact.prefix)):
                names.add(artifact.prefix[len(folder) :].split("/", 1)[0])
        return sorted(names)

    async def list_files(  # noqa: PLR0913 (a folder, a state and a page)
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        wanted: Wanted,
        *,
        path: str = "",
        offset: int = 0,
        limit: int | None = None,
    ) -> list[dict[str, JsonValue]]:
        """What lies directly below `path` in the artifact: files and directories, by name."""
        artifact = await self.find(caller, workspace, prefix, wanted)
        pins = await self._state(workspace, artifact, wanted)
        folder = f"{path.strip('/')}/" if path.strip("/") else ""
        entries: dict[str, dict[str, JsonValue]] = {}
        for pin in pins:
            if not pin.path.startswith(folder):
                continue
            name, _, rest = pin.path[len(folder) :].partition("/")
            if rest:
                entries.setdefault(name, _directory(name, folder + name))
            else:
                entries[name] = {"name": name, "type": "file", **listing(pin)}
        ordered = [entries[name] for name in sorted(entries)]
        return ordered[offset : None if limit is None else offset + limit]

    async def _state(
        self, workspace: Workspace, artifact: Artifact, wanted: Wanted
    ) -> Sequence[Pin]:
        if wanted.stage:
            survey = await self._surveying.survey(workspace, artifact)
            pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
            return await self._staged_pins(artifact, survey, pins)
        number = wanted.version
        if number is not None and not await self._catalogue.has_version(artifact.id, number):
            raise NoSuchVersion(f"{artifact.prefix!r} has no version {number}", version=number)
        return _files(await self._catalogue.pins(artifact.id, number))


def _files(pins: dict[str, Pin]) -> list[Pin]:
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


def _directory(name: str, path: str) -> dict[str, JsonValue]:
    return {"name": name, "path": path, "type": "directory", "size": 0}

