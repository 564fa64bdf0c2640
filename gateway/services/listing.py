"""List what a caller may see: the last commits for readers, the stage for writers."""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from gateway.artifact.layout import MANIFEST, is_public, join
from gateway.artifact.lifecycle import Artifact
from gateway.errors import InvalidArgument
from gateway.identity import Caller, Right, Workspace
from gateway.s3.address import KeyRules
from gateway.s3.exchange import Verified
from gateway.s3.listing import Listing, ListingKind, parse_listing, render_listing
from gateway.s3.message import Reply
from gateway.services.access import Access
from gateway.services.forwarding import Forwarding
from gateway.services.reading import may_read_publicly
from gateway.services.viewing import PAGE, Item, Marks, Range, Viewing, past
from gateway.storage.catalogue import Catalogue

OK = 200
DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """A ListObjects or ListObjectsV2 request, decoded.

    `after` is its marker or start-after, `asked` its prefix as the client spelled it.
    """

    second: bool
    scope: Range
    asked: str
    limit: int
    after: str
    url_encoded: bool
    owners: bool
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on: in the bucket after `token`, or (None) in the pins after `pins`."""

    token: str | None
    pins: str

    def encode(self) -> str:
        """The continuation token that clients hand back."""
        document = json.dumps({"token": self.token, "pins": self.pins})
        return base64.urlsafe_b64encode(document.encode()).decode()


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds, and where the next begins; `cursor` None: by the last name."""

    items: Sequence[Item]
    truncated: bool
    cursor: Cursor | None = None


class Listings:
    """Answers ListObjects and ListObjectsV2."""

    def __init__(
        self,
        access: Access,
        catalogue: Catalogue,
        viewing: Viewing,
        forwarding: Forwarding,
        rules: KeyRules,
    ) -> None:
        self._access = access
        self._catalogue = catalogue
        self._viewing = viewing
        self._forwarding = forwarding
        self._rules = rules

    async def list(self, caller: Caller, workspace: Workspace, verified: Verified) -> Reply:
        """The listing as the caller may see it; AccessDenied, InvalidArgument."""
        right = self._access.right_on(caller, workspace)
        # What the backend folds is folded before anything is decided by it.
        prefix = self._rules.fold(verified.query.first("prefix") or "")
        if right >= Right.WRITE:
            return await self._for_writers(workspace, verified, prefix)
        committed_only = False
        if right < Right.READ:
            if not may_read_publicly(workspace, prefix):
                self._access.require(caller, workspace, Right.READ)
            committed_only = workspace.public != "objects"
        marks = None if committed_only else await self._viewing.marks(workspace, prefix)
        if marks is not None and not marks:
            return await self._forwarding.forward(verified, workspace)
        question = parse_question(workspace, verified, prefix)
        page = await self._page(question, marks)
        return _reply(question, page)

    async def _for_writers(self, workspace: Workspace, verified: Verified, prefix: str) -> Reply:
        """The backend's listing, without the manifests that a staged one stands before."""
        reply = await self._forwarding.forward(verified, workspace)
        marked = await self._catalogue.marked(workspace.id, prefix)
        hidden = {_manifest_key(a) for a in marked if a.manifest_staged}
        if reply.status != OK or not any(key.startswith(prefix) for key in hidden):
            return reply
        listing = parse_listing(await _read(reply))
        kept = tuple(entry for entry in listing.entries if entry.key not in hidden)
        document = render_listing(replace(listing, entries=kept))
        headers = reply.headers.copy()
        headers.popall("Content-Length", None)
        return Reply(OK, headers, document)

    async def _page(self, question: Question, marks: Marks | None) -> Page:
        if not question.limit:
            return Page((), truncated=False)
        if marks is None:
            return await self._from_pins(question, None, _after_of(question), ())
        if self._rules.bytewise_listing:
            return await self._merged(question, marks)
        if question.second:
            return await self._chained(question, marks)
        return await self._collected(question, marks)

    async def _from_pins(
        self, question: Question, marks: Marks | None, after: str, before: Sequence[Item]
    ) -> Page:
        """The page that `before` begins and the pins fill."""
        items = list(before)
        wanted = question.limit - len(items) + 1
        stream = self._viewing.pinned(question.scope, marks, after, wanted)
        async with aclosing(stream) as pinned:  # type: ignore[type-var]
            async for item in pinned:
                if marks is None and not is_public(item.name):
                    continue
                if len(items) == question.limit:
                    last = items[-1]
                    end = past(last.name, common=last.entry is None) if before != items else after
                    return Page(items, truncated=True, cursor=Cursor(None, end))
                items.append(item)
        return Page(items, truncated=False)

    async def _chained(self, question: Question, marks: Marks) -> Page:
        """First what the bucket shows, in its own order, then what is pinned."""
        cursor = parse_cursor(question.token)
        start = question.after
        items: list[Item] = []
        if cursor is not None and cursor.token is None:
            return await self._from_pins(question, marks, cursor.pins, ())
        token = None if cursor is None else cursor.token
        while True:
            rest = question.limit - len(items)
            listing = await self._viewing.page(question.scope, after=start, token=token, limit=rest)
            items += self._viewing.stored(marks, listing)
            token = listing.next_token
            if not listing.truncated or token is None:
                return await self._from_pins(question, marks, start, items)
            if len(items) == question.limit:
                return Page(items, truncated=True, cursor=Cursor(token, start))

    async def _collected(self, question: Question, marks: Marks) -> Page:
        """Everything, sorted: a marker can only be understood in an order that names give."""
        items: list[Item] = []
        token: str | None = None
        while True:
            listing = await self._viewing.page(question.scope, token=token)
            items += self._viewing.stored(marks, listing)
            token = listing.next_token
            if not listing.truncated or token is None:
                break
        async for item in self._viewing.pinned(question.scope, marks, "", PAGE):
            items.append(item)
        after = _after_of(question)
        rest = sorted((i for i in items if i.name > after), key=lambda item: item.name)
        return Page(rest[: question.limit], truncated=len(rest) > question.limit)

    async def _merged(self, question: Question, marks: Marks) -> Page:
        """Both streams in the order of the names' bytes."""
        after = _after_of(question)
        wanted = question.limit + 1
        stored: list[Item] = []
        start, more = after, True
        while more and len(stored) < wanted:
            listing = await self._viewing.page(question.scope, after=start)
            stored += self._viewing.stored(marks, listing)
            names = [e.key for e in listing.entries]
            names += [past(name, common=True) for name in listing.common_prefixes]
            more = listing.truncated and bool(names)
            start = max(names, default=start)
        pinned: list[Item] = []
        stream: AsyncIterator[Item] = self._viewing.pinned(question.scope, marks, after, wanted)
        async for item in stream:
            pinned.append(item)
            if len(pinned) == wanted:
                break
        # Beyond what was fetched of the bucket's stream nothing is known yet.
        known = [item for item in pinned if not more or item.name <= start]
        items = sorted([*stored, *known], key=lambda item: item.name)
        return Page(items[: question.limit], truncated=len(items) > question.limit)


def parse_question(workspace: Workspace, verified: Verified, prefix: str) -> Question:
    """What a listing asks for, `prefix` being the folded one; InvalidArgument."""
    query = verified.query
    second = query.first("list-type") == "2"
    raw = query.first("max-keys") or str(PAGE)
    if not raw.isascii() or not raw.isdigit():
        raise InvalidArgument("max-keys is a whole number from 0", argument="max-keys", value=raw)
    scope = Range(workspace, prefix, query.first("delimiter") or "")
    return Question(
        second=second,
        scope=scope,
        asked=query.first("prefix") or "",
        limit=min(int(raw), PAGE),
        after=query.first("start-after" if second else "marker") or "",
        url_encoded=query.first("encoding-type") == "url",
        owners=not second or query.first("fetch-owner") == "true",
        token=query.first("continuation-token") if second else None,
    )


def parse_cursor(token: str | None) -> Cursor | None:
    """The cursor that a continuation token holds, None without one.

    A token of the backend's own, from before something was marked, goes on in the bucket.
    """
    if token is None:
        return None
    try:
        document = json.loads(base64.urlsafe_b64decode(token.encode()))
        return Cursor(document["token"], document["pins"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return Cursor(token, "")


def _after_of(question: Question) -> str:
    """The name after which a page in bytewise order begins."""
    cursor = parse_cursor(question.token)
    after = question.after if cursor is None else cursor.pins
    # A marker that is itself a common prefix stands for all keys in it.
    delimiter = question.scope.delimiter
    return past(after, common=bool(delimiter) and after.endswith(delimiter)) if after else ""


def _reply(question: Question, page: Page) -> Reply:
    last = page.items[-1] if page.items else None
    cursor = page.cursor
    if page.truncated and cursor is None and last is not None:
        cursor = Cursor(None, last.name)
    entries = tuple(item.entry for item in page.items if item.entry is not None)
    if not question.owners:
        entries = tuple(replace(entry, owner=None) for entry in entries)
    listing = Listing(
        kind=ListingKind.OBJECTS_V2 if question.second else ListingKind.OBJECTS,
        name=question.scope.workspace.name,
        prefix=question.asked,
        max_keys=question.limit,
        truncated=page.truncated,
        delimiter=question.scope.delimiter or None,
        marker=None if question.second else question.after,
        next_marker=last.name if page.truncated and last and not question.second else None,
        start_after=question.after or None if question.second else None,
        token=question.token,
        next_token=cursor.encode() if cursor is not None and question.second else None,
        url_encoded=question.url_encoded,
        entries=entries,
        common_prefixes=tuple(item.name for item in page.items if item.entry is None),
    )
    reply = Reply(OK, body=render_listing(listing))
    reply.headers["Content-Type"] = "application/xml"
    return reply


def _manifest_key(artifact: Artifact) -> str:
    return join(artifact.prefix, MANIFEST)


async def _read(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([chunk async for chunk in reply.body])
