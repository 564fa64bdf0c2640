"""Look through a collection: its members by keywords, filters and order, a page at a time."""

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import is_collection, summary, summary_fields
from gateway.artifact.matching import matches, ordered
from gateway.artifact.query import MemberQuery, microseconds
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.words import manifest_words
from gateway.errors import NoSuchArtifact
from gateway.identity import Caller, Workspace
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.documents import written
from gateway.services.registry.kept import Kept
from gateway.services.registry.showing import Showing, Wanted
from gateway.storage.catalogue import Catalogue
from gateway.storage.members import EVERYTHING, Page

MICROS = 1_000_000
KEPT_BYTES = 8 << 20
# What a value takes in memory, by the length of its JSON.
VALUES = 6


class Searching:
    """Answers `children` and `search`. `page` is how many members an answer has at most."""

    def __init__(
        self, catalogue: Catalogue, browsing: Browsing, showing: Showing, *, page: int
    ) -> None:
        self._catalogue = catalogue
        self._browsing = browsing
        self._showing = showing
        self._page = page
        self._pages: Kept[dict[str, JsonValue]] = Kept(KEPT_BYTES)

    async def children(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        query: MemberQuery = EVERYTHING,
        *,
        stage: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> dict[str, JsonValue]:
        """`items`, `total`, `offset` and `limit`: the summaries of a collection's members.

        Committed ones, of those that the caller may read; with `stage`, those with an open edit,
        as staged. Nobody may change what comes. NoSuchArtifact, AccessDenied.
        """
        generation = None if stage else self._catalogue.generation(counters=True)
        collection = await self._browsing.find(caller, workspace, prefix, Wanted(stage=stage))
        fields = (_staged(collection) if stage else collection.fields) or {}
        if not is_collection(fields):
            raise NoSuchArtifact(f"{prefix!r} is no collection: it has no members", prefix=prefix)
        size = min(self._page if limit is None else limit, self._page)
        everything = self._showing.shows_everything(caller, workspace)
        about = collection.id, everything, repr(query), offset, size
        answer = self._pages.get(about, generation)
        if answer is None:
            if stage:
                page = await self._edited(workspace, prefix, query, offset, size)
            else:
                page = await self._showing.members(
                    caller, workspace, collection, query, offset=offset, limit=size
                )
            names = summary_fields(fields)
            items = [
                summary((_staged(m) if stage else m.fields) or {}, names, m.prefix, m.stats)
                for m in page.items
            ]
            answer = {"items": items, "total": page.total, "offset": offset, "limit": size}
            if generation is not None:
                size_in_memory = VALUES * len(await written(answer))
                self._pages.keep(about, generation, answer, size_in_memory)
        return answer

    async def _edited(
        self, workspace: Workspace, prefix: str, query: MemberQuery, offset: int, limit: int
    ) -> Page:
        """Members with an open edit. They are few, and what they stage is in no index."""
        folder = f"{prefix}/" if prefix else ""
        found = [
            artifact
            for artifact in await self._catalogue.marked(workspace.id, folder)
            if artifact.stage is not None
            and artifact.prefix != prefix
            and artifact.prefix.startswith(folder)
            and matches(query, _words(artifact), *_values(artifact))
        ]
        found.sort(key=lambda artifact: artifact.prefix.encode())
        sorted_out = ordered(query, found, _values)
        return Page(sorted_out[offset : offset + limit], len(sorted_out))


def _staged(artifact: Artifact) -> Fields | None:
    """The fields of the staged manifest, or of the committed one where none is staged."""
    return (artifact.stage.fields if artifact.stage else None) or artifact.fields


def _words(artifact: Artifact) -> frozenset[str]:
    return manifest_words(artifact.prefix, _staged(artifact) or {})


def _values(artifact: Artifact) -> tuple[Fields, Fields]:
    own: dict[str, JsonValue] = {
        "_prefix": artifact.prefix,
        "_version": artifact.version,
        "_stats.download_count": artifact.stats.download_micros / MICROS,
        "_stats.view_count": artifact.stats.views,
    }
    for name, time in (
        ("_created_at", artifact.created_at),
        ("_modified_at", artifact.modified_at),
    ):
        own[name] = None if time is None else microseconds(time)
    return _staged(artifact) or {}, own
