"""List what a caller may see: the last commits for readers, the stage for writers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from multidict import CIMultiDict

from gateway.artifact.layout import MANIFEST, is_public_key, join
from gateway.errors import ServiceUnavailable, SlowDown
from gateway.identity import Caller, Right, Workspace
from gateway.s3.address import KeyRules
from gateway.s3.exchange import Verified
from gateway.s3.listing import Listing
from gateway.s3.message import Reply
from gateway.s3.omission import holds, listed_names, omit
from gateway.services.keys.access import Access
from gateway.services.lifecycle.masking import UNMARKED, Marks, past
from gateway.services.lifecycle.viewing import PAGE, Item, Viewing
from gateway.services.objects.paging import (
    NOTHING,
    Cursor,
    Page,
    Question,
    after_of,
    answer_page,
    own_cursor,
    parse_cursor,
    parse_question,
)
from gateway.services.objects.seeing import may_list_publicly
from gateway.services.transfer.forwarding import Forwarding
from gateway.storage.catalogue import Catalogue

OK = 200
TRIES = 5
# In answers that name keys as they are, or percent-encoded.
ENDS_IN_SLASH = (b"/</Key>", b"%2F</Key>")
TRUNCATED = b"<IsTruncated>true"
SHOWS_SOMETHING = (b"<Contents>", b"<CommonPrefixes>", TRUNCATED)
# What asks for a page that is not the first.
GOING_ON = ("marker", "start-after", "continuation-token")


class Listings:
    """Answers the listings of a workspace."""

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
        self._private = [
            text.encode() for text in (*rules.private_suffixes, *rules.private_segments)
        ]

    async def list(self, caller: Caller, workspace: Workspace, verified: Verified) -> Reply:
        """The listing as the caller may see it; AccessDenied, InvalidArgument, SlowDown."""
        right = self._access.right_on(caller, workspace)
        # What the backend folds is folded before anything is decided by it.
        prefix = self._rules.fold(verified.query.first("prefix") or "")
        if right >= Right.WRITE:
            return await self._for_writers(workspace, verified, prefix)
        public = right < Right.READ
        if public and not may_list_publicly(workspace, prefix):
            self._access.require(caller, workspace, Right.READ)
        if public and workspace.public != "objects":
            question = parse_question(workspace, verified, prefix, public=True)
            return answer_page(question, await self._page(question, None))
        cursor = own_cursor(verified.query.first("continuation-token"))
        before = self._catalogue.generation()
        marks = await self._viewing.marks(workspace, prefix, cursor.hidden if cursor else ())
        # With the prefix `public`, keys beside `public/` would be listed too.
        if not marks and (not public or "/" in prefix):
            reply = await self._passed(workspace, verified, prefix)
            # Whatever is staged in that answer was marked before it was stored.
            if before is None or self._catalogue.generation() != before:
                marks = await self._viewing.marks(workspace, prefix)
            if reply is not None and not marks:
                return reply
        question = parse_question(workspace, verified, prefix, public=public)
        return answer_page(question, await self._steady(question, marks))

    async def pass_on(self, workspace: Workspace, verified: Verified) -> Reply:
        """The backend's listing of versions or uploads, without keys of the backend's own."""
        reply = await self._forwarding.forward(verified, workspace)
        return await self._without(workspace, reply, frozenset())

    async def _backends_own(self, workspace: Workspace, verified: Verified) -> Reply | None:
        """The backend's own answer, whoever asks; None where it can't be used.

        SeaweedFS groups by a slash alone as it should: with other delimiters its pages never end,
        so that only a page which is all there is can be its own.
        """
        query = verified.query
        if own_cursor(query.first("continuation-token")) is not None:
            return None
        native = self._rules.bytewise_listing or query.first("delimiter") in (None, "", "/")
        if not native and any(query.first(name) for name in GOING_ON):
            return None
        reply = await self._forwarding.forward(verified, workspace)
        if native or reply.status != OK:
            return reply
        return None if TRUNCATED in await reply.whole() else reply

    async def _passed(self, workspace: Workspace, verified: Verified, prefix: str) -> Reply | None:
        """The backend's own listing, of what readers may see; None where it can't be used."""
        reply = await self._backends_own(workspace, verified)
        if reply is None:
            return None
        document = await reply.whole()
        if reply.status != OK:
            return reply
        if not any(mark in document for mark in SHOWS_SOMETHING):
            # As where something is staged alone: the two must look alike.
            return answer_page(parse_question(workspace, verified, prefix), NOTHING)
        hidden: set[str] = set()
        if holds(document, ENDS_IN_SLASH):
            for name in listed_names(document):
                if not await self._is_seen(workspace, name):
                    hidden.add(name)
        return await self._without(workspace, reply, hidden)

    async def _for_writers(self, workspace: Workspace, verified: Verified, prefix: str) -> Reply:
        """The backend's listing, without the manifests that a staged one stands before."""
        reply = await self._backends_own(workspace, verified)
        if reply is not None:
            marked = await self._catalogue.marked(workspace.id, prefix)
            hidden = {join(a.prefix, MANIFEST) for a in marked if a.manifest_staged}
            below = {key for key in hidden if key.startswith(prefix)}
            return await self._without(workspace, reply, below)
        question = parse_question(workspace, verified, prefix)
        page = await self._page(question, UNMARKED)
        reply = answer_page(question, page)
        marked = await self._catalogue.marked(workspace.id, prefix)
        hidden = {join(a.prefix, MANIFEST) for a in marked if a.manifest_staged}
        return await self._without(workspace, reply, hidden)

    async def _without(
        self, workspace: Workspace, reply: Reply, hidden: set[str] | frozenset[str]
    ) -> Reply:
        """The reply without these keys, and without those that the backend keeps for itself.

        Where nothing is to be left out, or names are translated anyway, it goes on streaming.
        """
        if reply.status != OK or (not hidden and (workspace.renamed or not self._private)):
            return reply
        document = await reply.whole()
        if not hidden and not holds(document, self._private):
            return reply
        document = omit(document, lambda key: key in hidden or self._rules.is_private(key))
        headers = CIMultiDict(reply.headers)
        headers.popall("Content-Length", None)
        return Reply(OK, headers, document)

    async def _is_seen(self, workspace: Workspace, name: str) -> bool:
        """Whether readers see a directory marker: in an artifact, if a pin lies below it."""
        if not name.endswith("/"):
            return True
        location = await self._catalogue.locate(workspace.id, name)
        if location.artifact is None:
            return True
        return bool(await self._catalogue.pin_page(workspace.id, name, "", 1))

    async def _stored(self, question: Question, marks: Marks, listing: Listing) -> Sequence[Item]:
        """Of a page of the backend's, what the caller may see outside every mark."""
        return [
            item
            for item in self._viewing.stored(marks, listing)
            if not self._rules.is_private(item.name)
            and not (question.public and not is_public_key(item.name))
            and (item.entry is None or await self._is_seen(question.scope.workspace, item.name))
        ]

    async def _steady(self, question: Question, marks: Marks) -> Page:
        """A page in whose making nothing was marked that its marks don't know; SlowDown."""
        for _ in range(TRIES):
            page = await self._page(question, marks)
            scope = question.scope
            now = await self._viewing.marks(scope.workspace, scope.prefix, marks.hidden)
            if now.hiding <= marks.hiding:
                return page
            marks = now
        raise SlowDown("edits are opened faster than this can be listed: try again")

    async def _page(self, question: Question, marks: Marks | None) -> Page:
        if not question.limit:
            return NOTHING
        if marks is None:
            return await self._from_pins(question, None, after_of(question), ())
        if self._rules.bytewise_listing:
            return await self._merged(question, marks)
        if question.second and question.scope.delimiter in ("", "/"):
            page = await self._chained(question, marks)
            cursor = page.cursor and replace(page.cursor, hidden=marks.hidden)
            return replace(page, cursor=cursor)
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
                if question.public and not is_public_key(item.name):
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
            items += await self._stored(question, marks, listing)
            token = listing.next_token
            if not listing.truncated or token is None:
                return await self._from_pins(question, marks, start, items)
            if len(items) == question.limit:
                return Page(items, truncated=True, cursor=Cursor(token, start))

    async def _collected(self, question: Question, marks: Marks) -> Page:
        """Everything, sorted: a marker can only be understood in an order that names give."""
        items: dict[str, Item] = {}
        async for listing in self._viewing.pages(question.scope):
            items |= {item.name: item for item in await self._stored(question, marks, listing)}
        async for item in self._viewing.pinned(question.scope, marks, "", PAGE):
            if not question.public or is_public_key(item.name):
                items[item.name] = item
        after = after_of(question)
        rest = sorted((i for i in items.values() if i.name > after), key=lambda item: item.name)
        return Page(rest[: question.limit], truncated=len(rest) > question.limit)

    async def _merged(self, question: Question, marks: Marks) -> Page:
        """Both streams in the order of the names' bytes."""
        after = after_of(question)
        wanted = question.limit + 1
        stored: list[Item] = []
        start, more = after, True
        while more and len(stored) < wanted:
            listing = await self._viewing.page(question.scope, after=start)
            stored += await self._stored(question, marks, listing)
            names = [e.key for e in listing.entries]
            names += [past(name, common=True) for name in listing.common_prefixes]
            more = listing.truncated and bool(names)
            if more and max(names) <= start:
                raise ServiceUnavailable("the backend's listing does not go on")
            start = max(names, default=start)
        pinned: list[Item] = []
        stream: AsyncIterator[Item] = self._viewing.pinned(question.scope, marks, after, wanted)
        async for item in stream:
            if question.public and not is_public_key(item.name):
                continue
            pinned.append(item)
            if len(pinned) == wanted:
                break
        # Beyond what was fetched of the bucket's stream nothing is known yet.
        known = [item for item in pinned if not more or item.name <= start]
        items = sorted([*stored, *known], key=lambda item: item.name)
        return Page(items[: question.limit], truncated=len(items) > question.limit)
