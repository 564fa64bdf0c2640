"""What becomes an artifact's while the backend answers is not shown as the bucket holds it."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.artifact.layout import Place, Role
from gateway.artifact.lifecycle import Artifact, Location, Stage
from gateway.artifact.version import Pin
from gateway.errors import NoSuchKey, NotImplementedByGateway
from gateway.identity import ANONYMOUS, Caller, Right, Workspace
from gateway.s3.address import Address, KeyRules, Query
from gateway.s3.exchange import Verified
from gateway.s3.listing import Listing, ListingKind
from gateway.s3.message import Reply, Request
from gateway.s3.operation import identify
from gateway.s3.payload import parse_payload
from gateway.services.keys.access import Access
from gateway.services.lifecycle.masking import Marks
from gateway.services.lifecycle.viewing import Range, Viewing
from gateway.services.objects.caching import Caching
from gateway.services.objects.listing import Listings
from gateway.services.objects.reading import Reading
from gateway.services.objects.seeing import Seeing
from gateway.services.transfer.forwarding import AS_IT_CAME, Changes, Forwarding
from gateway.storage.bucket import Bucket, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.storage.hot_files import HotFiles
from tests.services.forwarded import arriving

SPACE = Workspace("id", "ws", "bucket", "", "artifacts", backend_settings=False)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAGED = Artifact(id=1, workspace_id="id", prefix="a", version=0)
COMMITTED = Artifact(id=1, workspace_id="id", prefix="a", version=1)
EDITED = replace(COMMITTED, stage=Stage("stage", NOW, "writer"))
PIN = Pin("data.csv", 5, '"etag"', "pinned", NOW, "text/csv")
KEY = "a/data.csv"
DOCUMENT = (
    b"<ListBucketResult><Name>ws</Name><Contents><Key>a/data.csv</Key></Contents>"
    b"</ListBucketResult>"
)


class Reader(Access):
    """Everybody reads."""

    def __init__(self) -> None:
        pass

    def right_on(self, caller: Caller, workspace: Workspace) -> Right:
        del caller, workspace
        return Right.READ


class Backend(Forwarding):
    """Answers with what is stored, and lets something happen meanwhile."""

    def __init__(self, body: bytes, meanwhile: Callable[[], None]) -> None:
        self._body = body
        self._meanwhile = meanwhile
        self.asked: list[str | None] = []

    async def forward(
        self, verified: Verified, workspace: Workspace, changes: Changes = AS_IT_CAME
    ) -> Reply:
        del verified, workspace
        if changes.key is not None:
            return Reply(404, CIMultiDict(), b"nothing is there")
        self.asked.append(changes.version_id)
        self._meanwhile()
        return Reply(200, CIMultiDict(), self._body)


class Index(Catalogue):
    """One key, in no artifact until one is staged around it, or in a committed one."""

    def __init__(self) -> None:
        self.staged = False
        self.committed = False
        self.tells = True

    def generation(self, *, counters: bool = False) -> Hashable | None:
        del counters
        return (self.staged, self.committed) if self.tells else None

    async def locate(self, workspace_id: str, key: str, *, recalled: bool = False) -> Location:
        del workspace_id, recalled
        if self.committed:
            artifact = EDITED if self.staged else COMMITTED
            return Location(key, Place(Role.FILE, "a", "data.csv"), artifact, PIN, (artifact,))
        if not self.staged:
            return Location(key, Place(Role.ORDINARY, "", key), None, None)
        return Location(key, Place(Role.FILE, "a", "data.csv"), STAGED, None, (STAGED,))

    async def pinned(
        self, workspace_id: str, key: str, version_id: str, *, since: int = 0
    ) -> Pin | None:
        del workspace_id, key, version_id, since
        return None


class View(Viewing):
    """No marks until something is staged; then the bucket shows nothing outside them."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def marks(self, workspace: Workspace, prefix: str, before: Collection[int] = ()) -> Marks:
        del workspace, prefix, before
        return Marks([STAGED] if self._index.staged else [], [], [])

    async def page(
        self, scope: Range, *, after: str = "", token: str | None = None, limit: int = 1000
    ) -> Listing:
        del scope, after, token, limit
        return Listing(kind=ListingKind.OBJECTS_V2, name="bucket")


class Settled:
    """Counting, of which nothing is asked: nothing here is a download."""

    unsettled = False


def verified(target: str) -> Verified:
    path, _, query = target.partition("?")
    headers = CIMultiDictProxy(CIMultiDict[str]())
    address = Address("ws", path)
    parsed = Query.parse(query)
    return Verified(
        request=Request("GET", f"/ws/{path}", query, headers, arriving(b"", 0), 0, ""),
        operation=identify("GET", address, parsed, headers),
        address=address,
        query=parsed,
        payload=parse_payload(headers, None, 0),
    )


@pytest.fixture
def index() -> Index:
    """An index in which nothing is staged yet."""
    return Index()


@pytest.mark.parametrize("staged", [False, True])
async def test_objects_staged_while_they_are_fetched_are_absent(
    index: Index, *, staged: bool
) -> None:
    backend = Backend(b"bytes", lambda: setattr(index, "staged", staged))
    # What only commits need is not asked for.
    seeing = Seeing(Reader(), None, index, None, None, View(index))  # type: ignore[arg-type]
    caching = Caching(backend, HotFiles(0))
    reading = Reading(seeing, index, backend, caching, Settled())  # type: ignore[arg-type]
    reply = await reading.open(ANONYMOUS, SPACE, await index.locate("id", KEY), verified(KEY))
    assert (reply.status, reply.body) == (404, b"nothing is there") if staged else (200, b"bytes")


class Store(Bucket):
    """Holds one object, and lets something happen while it is asked for."""

    def __init__(self, version_id: str | None, meanwhile: Callable[[], None]) -> None:
        self._head = ObjectHead(1, '"etag"', version_id, NOW, "text/csv", {}, {})
        self._meanwhile = meanwhile

    async def head(self, bucket: str, key: str, version_id: str | None = None) -> ObjectHead | None:
        del bucket, key, version_id
        self._meanwhile()
        return self._head


@pytest.mark.parametrize(("version_id", "etag"), [("newest", None), (None, '"etag"')])
@pytest.mark.parametrize("staged", [False, True])
async def test_copies_are_of_what_was_there_before_anything_was_staged(
    index: Index, version_id: str | None, etag: str | None, *, staged: bool
) -> None:
    store = Store(version_id, lambda: setattr(index, "staged", staged))
    seeing = Seeing(Reader(), store, index, None, None, View(index))  # type: ignore[arg-type]
    location = await index.locate("id", KEY)
    if staged:
        with pytest.raises(NoSuchKey):
            await seeing.source(ANONYMOUS, SPACE, location, None)
    else:
        sight = await seeing.source(ANONYMOUS, SPACE, location, None)
        assert (sight.version_id, sight.etag) == (version_id, etag)


@pytest.mark.parametrize("opened", [False, True])
async def test_what_names_no_version_is_of_the_commit_or_refused(
    index: Index, *, opened: bool
) -> None:
    index.committed = True
    backend = Backend(b"bytes", lambda: setattr(index, "staged", opened))
    seeing = Seeing(Reader(), None, index, None, None, View(index))  # type: ignore[arg-type]
    caching = Caching(backend, HotFiles(0))
    reading = Reading(seeing, index, backend, caching, Settled())  # type: ignore[arg-type]
    request = verified(f"{KEY}?torrent")
    if opened:
        with pytest.raises(NotImplementedByGateway):
            await reading.open(ANONYMOUS, SPACE, await index.locate("id", KEY), request)
    else:
        reply = await reading.open(ANONYMOUS, SPACE, await index.locate("id", KEY), request)
        assert (reply.body, backend.asked) == (b"bytes", ["pinned"])


@pytest.mark.parametrize("tells", [False, True])
@pytest.mark.parametrize("staged", [False, True])
async def test_objects_staged_while_they_are_listed_are_absent(
    index: Index, *, staged: bool, tells: bool
) -> None:
    index.tells = tells  # on PostgreSQL it can't be told whether anything has changed
    backend = Backend(DOCUMENT, lambda: setattr(index, "staged", staged))
    listings = Listings(Reader(), index, View(index), backend, KeyRules(bytewise_listing=False))
    reply = await listings.list(ANONYMOUS, SPACE, verified("?list-type=2"))
    assert isinstance(reply.body, bytes)
    assert (b"<Key>" in reply.body) is not staged
