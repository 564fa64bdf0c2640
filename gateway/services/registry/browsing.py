"""Read the registry: manifests, names, members, files."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from gateway.artifact.layout import PUBLIC, check_prefix, is_public
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Stats, listing
from gateway.artifact.value import JsonValue
from gateway.artifact.version import Pin
from gateway.errors import NoSuchArtifact, NoSuchVersion
from gateway.identity import Caller, Right, Workspace
from gateway.services.keys.access import Access
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.registry.showing import Showing, Wanted, files_of
from gateway.services.statistics.counting import Counting
from gateway.services.statistics.reporting import Reporting
from gateway.storage.catalogue import Catalogue


class Browsing:
    """Answers the reading methods, with what the caller may see."""

    def __init__(
        self,
        access: Access,
        catalogue: Catalogue,
        surveying: Surveying,
        showing: Showing,
        counting: Counting,
        reporting: Reporting,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._surveying = surveying
        self._showing = showing
        self._counting = counting
        self._reporting = reporting

    async def find(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> Artifact:
        """The artifact, if the caller may see the state wanted; NoSuchArtifact, AccessDenied."""
        if wanted.stage:
            self._access.require(caller, workspace, Right.WRITE)
        elif not self._access.may_read(caller, workspace, prefix):
            self._access.require(caller, workspace, Right.READ)
        check_prefix(prefix)
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

    async def read(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> dict[str, JsonValue]:
        """The manifest merged with what the gateway knows; a view, unless silent or staged."""
        artifact, stats = await self._viewed(caller, workspace, prefix, wanted)
        return await self._showing.show(caller, workspace, replace(artifact, stats=stats), wanted)

    async def document(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> bytes:
        """As `read`, as JSON."""
        generation = self._catalogue.generation()
        artifact, stats = await self._viewed(caller, workspace, prefix, wanted)
        return await self._showing.written(caller, workspace, artifact, wanted, stats, generation)

    async def _viewed(
        self, caller: Caller, workspace: Workspace, prefix: str, wanted: Wanted
    ) -> tuple[Artifact, Stats]:
        """The artifact that is read, and the counters of now; a view, as `read` says."""
        artifact = await self.find(caller, workspace, prefix, wanted)
        number = wanted.version
        there = number is None or await self._catalogue.has_version(artifact, number)
        if there and not wanted.stage and not wanted.silent:
            self._counting.view(artifact.id, artifact.epoch)
        if artifact.collection:
            # It shows its members' counters, too.
            await self._counting.merge_now()
            artifact = await self._catalogue.by_id(artifact.id) or artifact
            return artifact, artifact.stats
        return artifact, await self._counting.stats(artifact.id)

    async def stats(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        since: date | None,
        until: date | None,
        *,
        now: datetime,
    ) -> dict[str, JsonValue]:
        """The counters, and the series of downloads from `since` to `until`; InvalidArgument."""
        artifact = await self.find(caller, workspace, prefix, Wanted())
        report = await self._reporting.report(artifact, since, until, now)
        stats = (await self._catalogue.by_id(artifact.id) or artifact).stats
        return {"prefix": prefix, **stats.shown(), **report}

    async def downloads(self, caller: Caller, workspace: Workspace, prefix: str) -> int:
        """The weighted count of downloads, in millionths; what this host counted is in it."""
        artifact = await self.find(caller, workspace, prefix, Wanted())
        await self._counting.merge_now()
        return (await self._catalogue.by_id(artifact.id) or artifact).stats.download_micros

    async def versions(
        self, caller: Caller, workspace: Workspace, prefix: str
    ) -> list[dict[str, JsonValue]]:
        """The artifact's commits, newest first."""
        artifact = await self.find(caller, workspace, prefix, Wanted())
        return [
            {
                "version": record.number,
                "parent": record.parent or None,
                "author": record.author,
                "time": record.time.isoformat(),
                "message": record.message,
            }
            for record in await self._catalogue.versions(artifact)
        ]

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
        names = await self._catalogue.names(workspace.id, prefix, stage=stage)
        if not prefix and not self._access.may_read(caller, workspace, ""):
            names = [name for name in names if name == PUBLIC]
        return sorted(names) if self._access.may_read(caller, workspace, prefix or PUBLIC) else []

    async def list_files(
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
                entries[name] = _file(pin)
        ordered = [entries[name] for name in sorted(entries)]
        return ordered[offset : None if limit is None else offset + limit]

    async def staged_file(
        self, workspace: Workspace, artifact: Artifact, path: str
    ) -> dict[str, JsonValue] | None:
        """What `list_files` says of one file of the stage, without looking at the others."""
        survey = await self._surveying.survey_file(workspace, artifact, path)
        pin = await self._catalogue.pin(artifact.id, path) if artifact.version else None
        pins = {} if pin is None else {path: pin}
        for staged in await self._showing.staged_pins(artifact, survey, pins):
            return _file(staged)
        return None

    async def _state(
        self, workspace: Workspace, artifact: Artifact, wanted: Wanted
    ) -> Sequence[Pin]:
        if wanted.stage:
            survey = await self._surveying.survey(workspace, artifact)
            pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
            return await self._showing.staged_pins(artifact, survey, pins)
        number = wanted.version
        if number is not None and not await self._catalogue.has_version(artifact, number):
            raise NoSuchVersion(f"{artifact.prefix!r} has no version {number}", version=number)
        return files_of(await self._catalogue.pins(artifact.id, number))


def _file(pin: Pin) -> dict[str, JsonValue]:
    return {"name": pin.path.rpartition("/")[2], "type": "file", **listing(pin)}


def _directory(name: str, path: str) -> dict[str, JsonValue]:
    return {"name": name, "path": path, "type": "directory", "size": 0}
