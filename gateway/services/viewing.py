"""See the last commits in a bucket in which edits are open: marks, and two streams of names.

Where nothing is marked, a listing is the backend's own. Where something is, it is put
together from what the bucket holds outside every mark, and what is pinned inside the marks. A
common prefix with a mark below it belongs to the second stream, whichever of the two has keys
there: so each name comes from one stream, and comes once.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from gateway.artifact.layout import ancestors
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin
from gateway.identity import Workspace
from gateway.s3.address import Query
from gateway.s3.listing import Entry, Listing, Owner, parse_listing
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.catalogue import Catalogue
from gateway.storage.rows import LAST

PAGE = 1000
DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a listing: an object, or a common prefix where `entry` is None."""

    name: str
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A prefix below which the bucket is not what readers see.

    `deep` is False for collections, whose own keys lie directly below them; `plain` marks an
    artifact below an arrival, which is as the bucket holds it.
    """

    prefix: str
    deep: bool
    plain: bool = False

    @property
    def folder(self) -> str:
        """What the keys below it begin with."""
        return f"{self.prefix}/" if self.prefix else ""


class Marks:
    """The marks that a listing meets."""

    def __init__(
        self, artifacts: Sequence[Artifact], arrivals: Sequence[str], members: Sequence[Artifact]
    ) -> None:
        """`artifacts` are marked; `members` unmarked ones below `arrivals`."""
        marks = [Mark(prefix, deep=True) for prefix in arrivals]
        marks += [Mark(a.prefix, deep=not a.collection, plain=True) for a in members]
        marks += [Mark(a.prefix, deep=not a.collection) for a in artifacts]
        self._by_prefix = {mark.prefix: mark for mark in marks}
        self.artifact_ids = [artifact.id for artifact in artifacts if artifact.version]

    def __bool__(self) -> bool:
        return bool(self._by_prefix)

    def hides(self, key: str) -> bool:
        """Whether what readers see at `key` is for the pins to say, not for the bucket."""
        for prefix in ancestors(key):
            mark = self._by_prefix.get(prefix)
            if mark is not None:
                own = mark.deep or "/" not in key[len(mark.folder) :]
                return own and not mark.plain
        return False

    def touches(self, common_prefix: str) -> bool:
        """Whether a key that `hides` tells of could begin with `common_prefix`."""
        if any(mark.folder.startswith(common_prefix) for mark in self._by_prefix.values()):
            return True
        for prefix in ancestors(common_prefix + "-"):
            mark = self._by_prefix.get(prefix)
            if mark is not None:
                own = mark.deep or "/" not in common_prefix[len(mark.folder) :]
                return own and not mark.plain
        return False

    def common_prefixes(self, prefix: str, delimiter: str) -> list[str]:
        """The common prefixes of a listing that the marks themselves lie in, sorted."""
        found = {
            group(mark.folder, prefix, delimiter)
            for mark in self._by_prefix.values()
            if mark.folder.startswith(prefix)
        }
        return sorted(name for name in found if name)


def group(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that `key` falls into, "" when it stands for itself."""
    if not delimiter:
        return ""
    at = key.find(delimiter, len(prefix))
    return "" if at < 0 else key[: at + len(delimiter)]


def past(name: str, *, common: bool) -> str:
    """A string after `name`, and after every key in it if it is a common prefix."""
    return name + LAST if common else name


@dataclass(frozen=True, slots=True)
class Range:
    """What of a workspace is listed: keys that begin with `prefix`, grouped by `delimiter`."""

    workspace: Workspace
    prefix: str
    delimiter: str


class Viewing:
    """The two streams of a listing."""

    def __init__(self, bucket: Bucket, catalogue: Catalogue) -> None:
        self._bucket = bucket
        self._catalogue = catalogue

    async def marks(self, workspace: Workspace, prefix: str) -> Marks:
        """The marks that a listing of `prefix` meets; false when it is the backend's own."""
        artifacts = await self._catalogue.marked(workspace.id, prefix)
        arrivals = await self._catalogue.arrivals(workspace.id, prefix)
        members: list[Artifact] = []
        for arrival in arrivals:
            below = await self._catalogue.descendants(workspace.id, arrival)
            at = await self._catalogue.artifact(workspace.id, arrival)
            members += [a for a in [*below, *([at] if at else [])] if not a.stage]
        return Marks(artifacts, arrivals, [a for a in members if not a.unfinished])

    async def page(
        self, scope: Range, *, after: str = "", token: str | None = None, limit: int = PAGE
    ) -> Listing:
        """One page of the backend's own listing, in the workspace's names, with owners."""
        workspace = scope.workspace
        query = Query(
            (
                ("list-type", "2"),
                ("encoding-type", "url"),
                ("fetch-owner", "true"),
                ("max-keys", str(limit)),
                ("prefix", workspace.backend_key(scope.prefix)),
            )
        )
        if scope.delimiter:
            query = query.adding("delimiter", scope.delimiter)
        if token is not None:
            query = query.adding("continuation-token", token)
        elif after:
            query = query.adding("start-after", workspace.backend_key(after))
        answer = await self._bucket.send(Outgoing("GET", workspace.bucket, "", query))
        return _own_names(workspace, parse_listing(await answer.read(DOCUMENT_BYTES)))

    def stored(self, marks: Marks, listing: Listing) -> list[Item]:
        """Of a page of the backend's, what lies outside every mark."""
        items = [Item(e.key, e) for e in listing.entries if not marks.hides(e.key)]
        items += [Item(name) for name in listing.common_prefixes if not marks.touches(name)]
        return sorted(items, key=lambda item: item.name)

    async def pinned(
        self, scope: Range, marks: Marks | None, after: str, limit: int
    ) -> AsyncIterator[Item]:
        """What is pinned inside the marks, after a name, in bytewise order.

        With `marks` None every artifact is taken by its pins.
        """
        groups = [] if marks is None else marks.common_prefixes(scope.prefix, scope.delimiter)
        waiting = [name for name in groups if name > after]
        async for item in self._pins(scope, marks, after, limit):
            while waiting and waiting[0] < item.name:
                name = waiting.pop(0)
                if marks is not None and await self._shows(scope.workspace, marks, name):
                    yield Item(name)
            if waiting and waiting[0] == item.name:
                waiting.pop(0)
            yield item
        for name in waiting:
            if marks is not None and await self._shows(scope.workspace, marks, name):
                yield Item(name)

    async def _pins(
        self, scope: Range, marks: Marks | None, after: str, limit: int
    ) -> AsyncIterator[Item]:
        ids = None if marks is None else marks.artifact_ids
        if ids is not None and not ids:
            return
        while True:
            page = await self._catalogue.pin_page(
                scope.workspace.id, scope.prefix, after, limit, ids
            )
            jumped = False
            for key, pin in page:
                name = group(key, scope.prefix, scope.delimiter)
                after = past(name, common=True) if name else key
                yield Item(name) if name else Item(key, entry_of(key, pin))
                if name:
                    jumped = True
                    break
            if not page or (not jumped and len(page) < limit):
                return

    async def _shows(self, workspace: Workspace, marks: Marks, common_prefix: str) -> bool:
        """Whether the bucket holds a key below a common prefix that no mark hides."""
        scope = Range(workspace, common_prefix, "/")
        token: str | None = None
        while True:
            listing = await self.page(scope, token=token)
            if self.stored(marks, listing):
                return True
            for name in listing.common_prefixes:
                if name != common_prefix and await self._shows(workspace, marks, name):
                    return True
            token = listing.next_token
            if not listing.truncated or token is None:
                return False


def entry_of(key: str, pin: Pin) -> Entry:
    """A pinned file as listings show it."""
    moment = pin.last_modified.strftime("%Y-%m-%dT%H:%M:%S.")
    return Entry(
        key=key,
        last_modified=f"{moment}{pin.last_modified.microsecond // 1000:03d}Z",
        etag=pin.etag,
        size=pin.size,
        owner=Owner("gateway", "gateway"),
    )


def _own_names(workspace: Workspace, listing: Listing) -> Listing:
    """The listing with the workspace's key prefix taken off."""
    cut = len(workspace.prefix)
    if not cut:
        return listing
    return Listing(
        kind=listing.kind,
        name=workspace.name,
        prefix=listing.prefix[cut:],
        max_keys=listing.max_keys,
        truncated=listing.truncated,
        next_token=listing.next_token,
        entries=tuple(
            Entry(e.key[cut:], e.last_modified, e.etag, e.size, e.storage_class, e.owner)
            for e in listing.entries
        ),
        common_prefixes=tuple(name[cut:] for name in listing.common_prefixes),
    )
