"""One page of a listing: what is asked for, where it goes on, how it is answered."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import InvalidArgument
from gateway.identity import Workspace
from gateway.s3.exchange import Verified
from gateway.s3.listing import Listing, ListingKind, render_listing
from gateway.s3.message import Reply
from gateway.services.lifecycle.masking import past
from gateway.services.lifecycle.viewing import PAGE, Item, Range

OK = 200
CURSOR = {"token", "pins", "hidden"}
# What a URL has room for.
MOST_HIDDEN = 500
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Question:
    """A ListObjects or ListObjectsV2 request, decoded.

    `after` is its marker or start-after, `asked` its prefix as the client spelled it.
    `public` says that only what lies below `public/` is shown.
    """

    second: bool
    scope: Range
    asked: str
    limit: int
    after: str
    url_encoded: bool
    owners: bool
    token: str | None = None
    public: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on: in the bucket after `token`, or (None) in the pins after `pins`.

    `hidden` are the artifacts whose keys the pages before left to the pins, at most MOST_HIDDEN.
    """

    token: str | None
    pins: str
    hidden: tuple[int, ...] = ()

    def encode(self) -> str:
        """The continuation token that clients hand back."""
        hidden = list(self.hidden[:MOST_HIDDEN])
        document = json.dumps({"token": self.token, "pins": self.pins, "hidden": hidden})
        return base64.urlsafe_b64encode(document.encode()).decode()


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds, and where the next begins; `cursor` None: by the last name."""

    items: Sequence[Item]
    truncated: bool
    cursor: Cursor | None = None


NOTHING = Page((), truncated=False)


def parse_question(
    workspace: Workspace, verified: Verified, prefix: str, *, public: bool = False
) -> Question:
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
        limit=PAGE if len(raw) > len(str(PAGE)) and raw.lstrip("0") else min(int(raw), PAGE),
        after=query.first("start-after" if second else "marker") or "",
        url_encoded=query.first("encoding-type") == "url",
        owners=not second or query.first("fetch-owner") == "true",
        token=query.first("continuation-token") if second else None,
        public=public,
    )


def own_cursor(token: str | None) -> Cursor | None:
    """The cursor that a token of the gateway's own holds; None for any other, and for none.

    InvalidArgument for one that the gateway can't have made.
    """
    if token is None:
        return None
    try:
        document = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.keys() != CURSOR:
        return None
    after, pins, hidden = document["token"], document["pins"], document["hidden"]
    if not isinstance(pins, str) or not isinstance(after, str | None) or not _are_ids(hidden):
        raise _forged()
    try:
        (pins + (after or "")).encode()
    except UnicodeEncodeError:
        raise _forged() from None
    return Cursor(after, pins, tuple(hidden))


def parse_cursor(token: str | None) -> Cursor | None:
    """The cursor that a continuation token holds, None without one; InvalidArgument.

    A token of the backend's own, from before something was marked, goes on in the bucket.
    """
    return None if token is None else own_cursor(token) or Cursor(token, "")


def after_of(question: Question) -> str:
    """The name after which a page in bytewise order begins."""
    cursor = parse_cursor(question.token)
    after = question.after if cursor is None else cursor.pins
    # A marker that is itself a common prefix stands for all keys in it.
    delimiter = question.scope.delimiter
    return past(after, common=bool(delimiter) and after.endswith(delimiter)) if after else ""


def answer_page(question: Question, page: Page) -> Reply:
    """The document of a page."""
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
    return Reply(OK, body=render_listing(listing)).saying("Content-Type", "application/xml")


def _are_ids(hidden: object) -> bool:
    return (
        isinstance(hidden, list)
        and len(hidden) <= MOST_HIDDEN
        and all(type(one) is int and 0 <= one <= LARGEST_ID for one in hidden)
    )


def _forged() -> InvalidArgument:
    return InvalidArgument(
        "The continuation token is not one that a listing gave.",
        ArgumentName="continuation-token",
    )
