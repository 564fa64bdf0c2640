"""What becomes an artifact's while the backend answers is not shown as the bucket holds it."""

from collections.abc import Callable

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.artifact.layout import Place, Role
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin
from gateway.errors import NoSuchKey
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
from gateway.services.objects.listing import Listings
from gateway.services.objects.reading import Reading
from gateway.services.transfer.forwarding import AS_IT_CAME, Changes, Forwarding
from gateway.storage.catalogue import Catalogue
from tests.services.test_forwarding import arriving

SPACE = Workspace("id", "ws", "bucket", "", "artifacts", backend_settings=False)
STAGED = Artifact(id=1, workspace_id="id", prefix="a", version=0)
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

    async def forward(
        self, verified: Verified, workspace: Workspace, changes: Changes = AS_IT_CAME
    ) -> Reply:
        del verified, workspace, changes
        self._meanwhile()
        return Reply(200, CIMultiDict(), self._body)


class Index(Catalogue):
    """One key, in no artifact until one is staged around it."""

    def __init__(self) -> None:
        self.staged = False

    async def locate(self, workspace_id: str, key: str) -> Location:
        del workspace_id
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

    async def marks(self, workspace: Workspace, prefix: str) -> Marks:
        del workspace, prefix
        return Marks([STAGED] if self._index.staged else [], [], [])

    async def page(
        self, scope: Range, *, after: str = "", token: str | None = None, limit: int = 1000
    ) -> Listing:
        del scope, after, token, limit
        return Listing(kind=ListingKind.OBJECTS_V2, name="bucket")


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
    reading = Reading(Reader(), index, None, None, backend, None, View(index))  # type: ignore[arg-type]
    location = await index.locate("id", KEY)
    if staged:
        with pytest.raises(NoSuchKey):
            await reading.open(ANONYMOUS, SPACE, location, verified(KEY))
    else:
        assert (await reading.open(ANONYMOUS, SPACE, location, verified(KEY))).body == b"bytes"


@pytest.mark.parametrize("staged", [False, True])
async def test_objects_staged_while_they_are_listed_are_absent(
    index: Index, *, staged: bool
) -> None:
    backend = Backend(DOCUMENT, lambda: setattr(index, "staged", staged))
    listings = Listings(Reader(), index, View(index), backend, KeyRules(bytewise_listing=False))
    reply = await listings.list(ANONYMOUS, SPACE, verified("?list-type=2"))
    assert isinstance(reply.body, bytes)
    assert (b"<Key>" in reply.body) is not staged
