"""What a request does: its row of the operation table, found once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from multidict import CIMultiDict, MultiMapping

from gateway.errors import InvalidArgument, InvalidRequest, NotImplementedByGateway
from gateway.identity import Right
from gateway.s3.address import Address, Query
from gateway.s3.claim import SIGNING_PARAMETERS
from gateway.s3.header_names import METADATA, names_of
from gateway.s3.operation_headers import COMMON, HEADER_GROUPS
from gateway.s3.operation_table import PARAMETER_GROUPS, TABLE
from gateway.s3.payload import content_encoding

COPY_SOURCE = "x-amz-copy-source"
RENAME_SOURCE = "x-amz-rename-source"

_PASSED_OVER = SIGNING_PARAMETERS | {"x-id"}
_ACL_OPERATIONS = frozenset({"PutBucketAcl", "PutObjectAcl"})
_OWNERSHIP = "x-amz-object-ownership"


class Level(Enum):
    """What an operation addresses."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"

    __hash__ = object.__hash__


class Effect(Enum):
    """What an operation does to what it names; views and stages are applied by it.

    WRITE_OBJECT writes an object's bytes: PUT, COPY, CompleteMultipartUpload, the POST form.
    ALTER_OBJECT changes what hangs on an object: tags, ACL, locks, restore, annotations.
    RENAME_OBJECT takes x-amz-rename-source away and writes the key. WRITE_UPLOAD changes parts
    of an upload, and no object. What UNLISTED does nobody here knows.
    """

    SERVICE = "service"
    BUCKET_READ = "bucket-read"
    BUCKET_WRITE = "bucket-write"
    LIST = "list"
    READ_OBJECT = "read-object"
    WRITE_OBJECT = "write-object"
    ALTER_OBJECT = "alter-object"
    RENAME_OBJECT = "rename-object"
    DELETE_OBJECT = "delete-object"
    DELETE_MANY = "delete-many"
    READ_UPLOAD = "read-upload"
    WRITE_UPLOAD = "write-upload"
    UNLISTED = "unlisted"

    # There is one of each: what Enum computes in Python for each look-up is not needed.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Operation:
    """One S3 operation, and what the gateway needs to know to let it pass.

    `subresources` are the query names that select it, `parameters` the others it takes.
    `headers` (lower-case) go on besides x-amz-meta-*. `copies` says that x-amz-copy-source is
    there. `dangerous` is 403 unless the workspace's backend_settings allow it. `public` says
    that it needs no right where the workspace is open to anonymous callers.

    `names` are all query names that it takes; `lists` and `reads_object` tell its effect; `opens`:
    `public`, and of no more right than to read. `shows_object`: a good answer may be bytes that an
    object's author has chosen; `reads_bytes`: it is the object itself, or a part of it.
    """

    name: str
    method: str
    level: Level
    right: Right
    effect: Effect
    subresources: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    copies: bool = False
    dangerous: bool = False
    public: bool = False
    names: frozenset[str] = field(init=False, compare=False, repr=False)
    lists: bool = field(init=False, compare=False, repr=False)
    reads_object: bool = field(init=False, compare=False, repr=False)
    opens: bool = field(init=False, compare=False, repr=False)
    shows_object: bool = field(init=False, compare=False, repr=False)
    reads_bytes: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out once what each request asks of its row: to look up members takes longer."""
        unlisted = self.effect is Effect.UNLISTED and self.level is Level.OBJECT
        reads = self.effect is Effect.READ_OBJECT
        for name, value in (
            ("names", self.subresources | self.parameters),
            ("lists", self.effect is Effect.LIST),
            ("reads_object", reads),
            ("opens", self.public and self.right <= Right.READ),
            ("shows_object", unlisted or reads),
            ("reads_bytes", reads and self.method == "GET" and not self.subresources),
        ):
            object.__setattr__(self, name, value)

    @property
    def reads_version(self) -> bool:
        """Whether it takes a versionId."""
        return "versionId" in self.parameters

    @property
    def takes_body(self) -> bool:
        """Whether the body of a request means something."""
        return "content-md5" in self.headers

    def onward(self, headers: MultiMapping[str]) -> CIMultiDict[str]:
        """Those of a request's headers that go on to the backend, in one pass.

        Content-Length, payload hash, decoded length and trailer are the sender's business, copy
        and rename sources the copier's; Content-Encoding loses its aws-chunked token.
        """
        kept: CIMultiDict[str] = CIMultiDict()
        passes, names = self.headers, names_of(headers)
        if passes.isdisjoint(names.all) and not names.metadata:
            return kept
        for name, value in headers.items():
            lower = name.lower()
            if lower in passes or lower.startswith(METADATA):
                kept.add(lower, value)
        if "content-encoding" in kept:
            encoding = content_encoding(",".join(kept.popall("content-encoding")))
            if encoding is not None:
                kept["content-encoding"] = encoding
        return kept

    def onward_query(self, query: Query) -> Query:
        """The part of a query that goes on: the operation's subresources and parameters."""
        if not query.pairs:
            return query
        kept = tuple([pair for pair in query.pairs if pair[0] in self.names])
        return query if len(kept) == len(query.pairs) else Query(kept)


def _names(column: str) -> frozenset[str]:
    if column == "-":
        return frozenset()
    spelled = ",".join(PARAMETER_GROUPS.get(name, name) for name in column.split(","))
    return frozenset(spelled.split(","))


def _rows() -> Iterator[Operation]:
    method, level = "", Level.SERVICE
    for line in filter(None, TABLE.splitlines()):
        columns = line.split()
        if len(columns) == 2:  # noqa: PLR2004 - a section's method and level
            method, level = columns[0], Level(columns[1])
            continue
        name, subresources, parameters, right, effect, groups, *flags = columns
        headers = [HEADER_GROUPS[group] for group in _names(groups)]
        yield Operation(
            name=name,
            method=method,
            level=level,
            right=Right[right.upper()],
            effect=Effect(effect),
            subresources=_names(subresources),
            parameters=_names(parameters),
            headers=frozenset().union(COMMON, *headers),
            copies="copies" in flags,
            dangerous="dangerous" in flags,
            public="public" in flags,
        )


OPERATIONS: tuple[Operation, ...] = tuple(_rows())
"""Every operation, in the order of the table."""

# Of what has no row: none of these opens anything.
_UNLISTED_GROUPS = ("body", "checksum-mode", "entity", "if-get", "range")
_UNLISTED_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"})
_LISTED_NAMES = frozenset(
    name.lower() for o in OPERATIONS for name in (*o.subresources, *o.parameters)
)

_NONE: frozenset[str] = frozenset()
_BY_REQUEST = {(o.method, o.level, o.subresources, o.copies): o for o in OPERATIONS}
_SELECTING = {
    (method, level): frozenset().union(
        *(o.subresources for o in OPERATIONS if (o.method, o.level) == (method, level))
    )
    for method, level in {(o.method, o.level) for o in OPERATIONS}
}


def identify(method: str, address: Address, query: Query, headers: MultiMapping[str]) -> Operation:
    """The operation that a request is; signing parameters and x-id are passed over.

    Its `right` and `dangerous` are those of this request: a canned ACL other than private and
    grants are dangerous, bypassing governance retention needs admin. NotImplementedByGateway
    for what has no row, InvalidArgument where a parameter occurs twice, InvalidRequest for
    response-* parameters of an unsigned request.
    """
    level = Level.OBJECT if address.key else Level.BUCKET if address.bucket else Level.SERVICE
    names = [name for name, _ in query.pairs if name not in _PASSED_OVER]
    selecting = _NONE
    if names:
        selecting = frozenset(names) & _SELECTING.get((method, level), _NONE)
    operation = _BY_REQUEST.get((method, level, selecting, COPY_SOURCE in headers))
    if operation is None:
        operation = _BY_REQUEST.get((method, level, selecting, False))
    if operation is None:
        raise unknown(method, selecting)
    if names:
        _check_parameters(operation, names, query, headers)
    return _for_request(operation, headers)


def unlisted(
    method: str, address: Address, query: Query, headers: MultiMapping[str]
) -> Operation | None:
    """What has no row, as an operation of its own; None where it could be taken for one that has.

    Its query holds no name of the table's, in whatever case: nobody could tell which of two
    operations a backend would make of it. At a bucket it only reads. It needs admin.
    """
    names = [name for name, _ in query.pairs if name not in _PASSED_OVER]
    level = Level.OBJECT if address.key else Level.BUCKET
    if (
        not address.bucket
        or method not in _UNLISTED_METHODS
        or (level is Level.BUCKET and method not in {"GET", "HEAD"})
        or not _LISTED_NAMES.isdisjoint(name.lower() for name in names)
        or len(set(names)) != len(names)
        or COPY_SOURCE in headers
        or RENAME_SOURCE in headers
    ):
        return None
    groups = (HEADER_GROUPS[group] for group in _UNLISTED_GROUPS)
    return Operation(
        name="Unlisted",
        method=method,
        level=level,
        right=Right.ADMIN,
        effect=Effect.UNLISTED,
        subresources=frozenset(names),
        headers=COMMON.union(*groups),
    )


def unknown(method: str, names: Iterable[str]) -> NotImplementedByGateway:
    """The refusal of what has no row."""
    return NotImplementedByGateway(
        "A header or query you provided implies functionality that is not implemented.",
        Method=method,
        Parameters=", ".join(sorted(names)),
    )


def _check_parameters(
    operation: Operation, names: list[str], query: Query, headers: MultiMapping[str]
) -> None:
    others = [name for name in names if name not in operation.names]
    if others:
        raise unknown(operation.method, others)
    if len(set(names)) != len(names):
        raise InvalidArgument("A query parameter occurs more than once.")
    overrides = any(name.startswith("response-") for name in names)
    if overrides and "Authorization" not in headers and not query.has("X-Amz-Signature"):
        raise InvalidRequest(
            "Request specific response headers cannot be used for anonymous GET requests."
        )


def _for_request(operation: Operation, headers: MultiMapping[str]) -> Operation:
    """The row, with what this request's headers add to the right and the danger of it."""
    names = names_of(headers)
    if not names.empowering and not operation.dangerous:
        return operation
    if "x-amz-acl" in operation.headers:
        operation = _with_acl(operation, headers, grants=names.grants)
    bypasses = headers.getall("x-amz-bypass-governance-retention", ())
    if bypasses and any(value.strip().lower() != "false" for value in bypasses):
        return replace(operation, right=max(operation.right, Right.ADMIN))
    return operation


def _with_acl(operation: Operation, headers: MultiMapping[str], *, grants: bool) -> Operation:
    canned = headers.getall("x-amz-acl", [])
    private = not canned or all(value.strip() == "private" for value in canned)
    owning = _OWNERSHIP in operation.headers and _OWNERSHIP in headers
    dangerous = not private or grants or owning
    if operation.name in _ACL_OPERATIONS:
        empty = headers.get("Content-Length", "0") == "0" and "Transfer-Encoding" not in headers
        dangerous = dangerous or not canned or not empty
    if dangerous == operation.dangerous:
        return operation
    return replace(operation, dangerous=dangerous)
