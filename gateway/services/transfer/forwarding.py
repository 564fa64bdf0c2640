"""What is not an artifact's: a request signed again and streamed, its answer streamed back."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from multidict import CIMultiDict

from gateway.errors import InvalidPath, NotImplementedByGateway
from gateway.identity import Workspace
from gateway.light import light
from gateway.s3.address import (
    Address,
    KeyRules,
    Query,
    encode_copy_source,
    encode_key,
    encode_path,
    virtual_host,
)
from gateway.s3.exchange import Verified
from gateway.s3.memo import memo
from gateway.s3.message import NOWHERE, Note, Reply, new_notes
from gateway.s3.naming import Names
from gateway.s3.operation import Effect, Level, Operation
from gateway.s3.rewriting import Hiding
from gateway.services.transfer import uploading
from gateway.services.transfer.answering import answer
from gateway.services.transfer.uploading import Upload
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.probe import Capabilities

# Parameters of listings that hold a key or a part of one.
KEY_PARAMETERS = ("prefix", "marker", "start-after", "key-marker")
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Source:
    """A resolved copy source: what the caller may see of it, in the backend's names.

    With an `etag`, it is that object as long as nothing else is stored in its place.
    """

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None


@light
@dataclass(frozen=True, slots=True)
class Changes:
    """How a request that goes on differs from the one that came.

    `key` and `version_id` take the place of the request's own (workspace names; None keeps
    them). `source` must be given where the request names a copy source. `body` takes the
    place of the payload, which is then not read; a DeleteObjects body has workspace names.
    `add` and `drop` (lower-case) are request headers.
    """

    key: str | None = None
    version_id: str | None = None
    source: Source | None = None
    body: bytes | None = field(default=None, repr=False)
    add: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    drop: frozenset[str] = frozenset()


AS_IT_CAME = Changes()


@light
@dataclass(frozen=True, slots=True)
class Onward:
    """What a verified request is to the backend, in a workspace and with these changes."""

    verified: Verified = field(repr=False)
    workspace: Workspace
    changes: Changes
    outgoing: Outgoing
    names: Names
    hiding: Hiding | None


ONWARD: Note[Onward] = Note()


class Forwarding:
    """Sends verified requests on to the backend."""

    def __init__(
        self,
        bucket: Bucket,
        capabilities: Capabilities,
        *,
        public_url: str | None = None,
        domain: str | None = None,
    ) -> None:
        """`domain` is that of virtual-host style addresses."""
        self._bucket = bucket
        self._capabilities = capabilities
        self._public_url = public_url
        self._domain = domain
        self._folded = memo(self._fold)
        keys = capabilities.keys
        self._hiding = Hiding(keys.private_suffixes + keys.private_segments, keys.is_private)

    @property
    def _rules(self) -> KeyRules:
        return self._capabilities.keys

    async def forward(
        self, verified: Verified, workspace: Workspace, changes: Changes = AS_IT_CAME
    ) -> Reply:
        """The backend's answer, with names translated and the named headers replaced.

        The payload is decoded and checked on its way, its last bytes held back until it has
        proved right: raises XAmzContentSHA256Mismatch, BadDigest, SignatureDoesNotMatch,
        IncompleteBody. InvalidPath for keys that the backend keeps for itself.
        NotImplementedByGateway for what the backend would take for something else.
        ServiceUnavailable when the backend does not answer.
        """
        known = verified.request.notes.get(ONWARD)
        if (
            known is None
            or known.verified is not verified  # a listing asks for other pages in its name
            # What is the same object needs no look into it.
            or (known.workspace is not workspace and known.workspace != workspace)
            or (known.changes is not changes and known.changes != changes)
        ):
            known = await self._onward(verified, workspace, changes)
        upstream = await self._bucket.send(known.outgoing)
        reply = answer(upstream, verified, known.names, known.hiding)
        return reply if isinstance(reply, Reply) else await reply

    async def _onward(self, verified: Verified, workspace: Workspace, changes: Changes) -> Onward:
        """What goes to the backend, and what comes home is called; kept where it has no body."""
        self.check_known(verified.operation)
        key = verified.address.key if changes.key is None else changes.key
        upload = await self._uploading(verified, workspace, changes)
        outgoing = Outgoing(
            method=verified.operation.method,
            bucket=workspace.bucket,
            key=self._key(verified, workspace, key),
            query=self._query(verified, workspace, changes.version_id),
            headers=_headers(verified, changes, upload),
            body=upload.body,
            length=upload.length,
            payload_hash=upload.payload_hash,
            trailers=upload.trailers,
            notes=new_notes() if upload is uploading.ABSENT else NOWHERE,
        )
        names = self._names(verified, workspace, key)
        hiding = self._hiding if verified.operation.lists else None
        onward = Onward(verified, workspace, changes, outgoing, names, hiding)
        if upload is uploading.ABSENT and changes.key is None:
            verified.request.notes[ONWARD] = onward
        return onward

    def url(self, verified: Verified, address: Address) -> str:
        """The URL of an object of a workspace at the place where the request found the gateway."""
        return self._place(verified, address.bucket) + encode_key(address.key)

    def _place(self, verified: Verified, bucket: str) -> str:
        """The URL of a workspace, with a slash at its end, in the style of the request."""
        headers = verified.request.headers
        scheme, _, public = (self._public_url or "http://").partition("://")
        scheme = headers.get("X-Forwarded-Proto") or scheme
        host = headers.get("X-Forwarded-Host", "") or headers.get("Host", "")
        if virtual_host(host, self._domain) == bucket:
            return f"{scheme}://{host}/"
        base = self._public_url if public else f"{scheme}://{host}"
        return f"{base}{encode_path(Address(bucket))}/"

    def check_known(self, operation: Operation) -> None:
        """Return when the backend knows the operation's subresource; NotImplementedByGateway."""
        if operation.name in self._capabilities.passed_over:
            raise NotImplementedByGateway(
                f"the backend does not know {operation.name}, and would do something else",
                Method=operation.method,
                Parameters=", ".join(sorted(operation.subresources)),
            )

    def _uploading(
        self, verified: Verified, workspace: Workspace, changes: Changes
    ) -> Awaitable[Upload]:
        if verified.operation.effect is Effect.DELETE_MANY:
            return uploading.deletions(verified, changes.body, workspace.prefix, self._rules)
        if changes.body is not None:
            return uploading.replaced(verified, changes.body)
        if not verified.operation.takes_body:
            return uploading.ignored(verified)
        return uploading.streamed(
            verified, self._capabilities.checks, takes_trailers=self._capabilities.takes_trailers
        )

    def _key(self, verified: Verified, workspace: Workspace, key: str) -> str:
        if verified.operation.level is not Level.OBJECT:
            return ""
        # Folding again what the door has folded costs little, and forgets no caller.
        stored = self._folded(workspace.backend_key(key))
        if stored is None:
            raise InvalidPath(f"{key!r} is a key that the backend keeps for itself")
        return stored

    def _fold(self, key: str) -> str | None:
        """The key that the backend stores `key` under; None for one that it keeps for itself."""
        stored = self._rules.fold(key)
        return None if self._rules.is_private(stored) else stored

    def _query(self, verified: Verified, workspace: Workspace, version_id: str | None) -> Query:
        operation = verified.operation
        query = operation.onward_query(verified.query)
        if version_id is not None:
            named = ("versionId", version_id)
            query = query.replacing(*named) if query.pairs else Query((named,))
        if workspace.prefix and "prefix" in operation.parameters:
            query = query if query.has("prefix") else query.adding("prefix", "")
            for name in KEY_PARAMETERS:
                value = query.first(name)
                if value is not None and (value or name == "prefix"):
                    # Folded as a whole: what begins with a slash is below the prefix too.
                    inside = self._rules.fold(workspace.backend_key(value))
                    query = query.replacing(name, inside)
        return query

    def _names(self, verified: Verified, workspace: Workspace, key: str) -> Names:
        operation = verified.operation
        # Only these answers name a place: all others pass untouched where names are equal.
        located = operation.effect is Effect.WRITE_OBJECT and operation.method == "POST"
        if not located:
            return Names(workspace.name, workspace.bucket, workspace.prefix)
        place = self._place(verified, workspace.name)
        return Names(workspace.name, workspace.bucket, workspace.prefix, place, encode_key(key))


def _headers(verified: Verified, changes: Changes, upload: Upload) -> CIMultiDict[str]:
    operation = verified.operation
    headers = operation.onward(verified.request.headers)
    for dropped in (changes.drop, upload.drop):
        for name in dropped:
            headers.popall(name, None)
    source = changes.source
    if source is not None:
        name = "x-amz-copy-source" if operation.copies else "x-amz-rename-source"
        address = Address(source.bucket, source.key)
        headers[name] = encode_copy_source(address, source.version_id)
        if source.etag is not None and f"{name}-if-match" not in headers:
            headers[f"{name}-if-match"] = source.etag
    for more in (upload.headers, changes.add):
        if more:
            headers.update(more)
    return headers
