"""See the last commits in a bucket in which edits are open: marks, and two streams of names.

Where nothing is marked, a listing is the backend's own. Where something is, it is put
together from what the bucket holds outside every mark, and what is pinned inside the marks. A
common prefix with a mark below it belongs to the second stream, whichever of the two has keys
there: so each name comes from one stream, and comes once.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from http import HTTPStatus

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin
from gateway.errors import GatewayError, InvalidArgument, ServiceUnavailable
from gateway.identity import Workspace
from gateway.s3.address import Query
from gateway.s3.listing import Entry, Listing, Owner, parse_listing
from gateway.services.lifecycle.masking import UNMARKED, Marks, group, past
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.catalogue import Catalogue

OK = 200
PAGE = 1000
DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a listing: an object, or a common prefix where `entry` is None."""

    name: str
    entry: Entry | None = None


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

    async def marks(self, workspace: Workspace, prefix: str, before: Collection[int] = ()) -> Marks:
        """The marks that a listing of `prefix` meets; false when it is the backend's own.

        `before` are the artifacts that earlier pages left to the pins: they stay with them, also
        when their edit has ended meanwhile.
        """
        artifacts, arrivals = await self._catalogue.marks(workspace.id, prefix)
        ended = set(before) - {artifact.id for artifact in artifacts}
        if ended:
            artifacts = [*artifacts, *await self._catalogue.these(workspace.id, ended)]
        if not artifacts and not arrivals:
            return UNMARKED
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
        if scope.delimiter == "/":
            query = query.adding("delimiter", scope.delimiter)
        if token is not None:
            query = query.adding("continuation-token", token)
        elif after:
            query = query.adding("start-after", workspace.backend_key(after))
        answer = await self._bucket.send(Outgoing("GET", workspace.bucket, "", query))
        document = await answer.read(DOCUMENT_BYTES)
        if answer.status != OK:
            raise _refused(answer.status, token)
        listing = _grouped(_own_names(scope, parse_listing(document)), scope)
        if listing.truncated and token is not None and listing.next_token == token:
            raise ServiceUnavailable("the backend's listing does not go on")
        return listing

    async def pages(self, scope: Range) -> AsyncIterator[Listing]:
        """Every page of the backend's own listing; ServiceUnavailable where it goes in circles."""
        token: str | None = None
        seen: set[str] = set()
        while True:
            listing = await self.page(scope, token=token)
            yield listing
            token = listing.next_token
            if not listing.truncated or token is None:
                return
            if token in seen:
                raise ServiceUnavailable("the backend's listing does not go on")
            seen.add(token)

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
                if marks is not None and await self.shows(scope.workspace, marks, name):
                    yield Item(name)
            if waiting and waiting[0] == item.name:
                waiting.pop(0)
            yield item
        for name in waiting:
            if marks is not None and await self.shows(scope.workspace, marks, name):
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

    async def shows(self, workspace: Workspace, marks: Marks, common_prefix: str) -> bool:
        """Whether the bucket holds a key below a common prefix that no mark hides."""
        async for listing in self.pages(Range(workspace, common_prefix, "/")):
            if self.stored(marks, listing):
                return True
            for name in listing.common_prefixes:
                if name != common_prefix and await self.shows(workspace, marks, name):
                    return True
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


def _own_names(scope: Range, listing: Listing) -> Listing:
    """The listing with the workspace's key prefix taken off, and nothing beside what was asked.

    A backend may answer with other keys where it keeps things of its own under the prefix.
    """
    cut = len(scope.workspace.prefix)
    asked = scope.workspace.backend_key(scope.prefix)
    return replace(
        listing,
        name=scope.workspace.name,
        prefix=listing.prefix[cut:],
        entries=tuple(
            replace(entry, key=entry.key[cut:])
            for entry in listing.entries
            if entry.key.startswith(asked)
        ),
        common_prefixes=tuple(
            name[cut:] for name in listing.common_prefixes if name.startswith(asked)
        ),
    )


def _grouped(listing: Listing, scope: Range) -> Listing:
    """The listing with its keys grouped; by a slash the backend has done so.

    Backends differ in what they make of other delimiters: SeaweedFS repeats tokens.
    """
    if scope.delimiter in ("", "/"):
        return listing
    groups = {e.key: group(e.key, scope.prefix, scope.delimiter) for e in listing.entries}
    return replace(
        listing,
        entries=tuple(entry for entry in listing.entries if not groups[entry.key]),
        common_prefixes=tuple(sorted({name for name in groups.values() if name})),
    )


def _refused(status: int, token: str | None) -> GatewayError:
    if token is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidArgument(
            "The continuation token is not one that a listing gave.",
            ArgumentName="continuation-token",
        )
    return ServiceUnavailable(f"the backend answered a listing with {status}; try again")
