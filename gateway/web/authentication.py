"""Who asks: signatures and tokens, turned into callers and verified requests."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import (
    AccessDenied,
    InvalidPath,
    InvalidRequest,
    NotImplementedByGateway,
    XAmzContentSHA256Mismatch,
)
from gateway.identity import ANONYMOUS, AccessKey, Caller
from gateway.light import light
from gateway.s3.address import (
    Address,
    KeyRules,
    Query,
    parse_copy_source,
    parse_path,
    virtual_host,
)
from gateway.s3.claim import SIGNING_PARAMETERS, Claim, parse_claim
from gateway.s3.exchange import CopySource, Verified
from gateway.s3.hoisting import lift_headers
from gateway.s3.memo import memo
from gateway.s3.message import Note, Request
from gateway.s3.operation import (
    COPY_SOURCE,
    RENAME_SOURCE,
    Effect,
    Operation,
    identify,
    unlisted,
)
from gateway.s3.payload import parse_payload
from gateway.s3.sigv4 import VerifiedSignature, check_time, verify
from gateway.services.keys.access import URL_PREFIX
from gateway.services.transfer.forwarding import KEY_PARAMETERS
from gateway.web.hosts import Hosts

OWN_PARAMETERS = frozenset(("stage", "version", "silent"))
BEARER = "bearer "

ReadBody = Callable[[Caller], Awaitable[bytes]]


class Identities(Protocol):
    """Where keys and tokens are known; `services.keys.access.Access` is one."""

    async def secret_for(self, access_key_id: str) -> AccessKey | None:
        """The key that a signature with this id is verified with, or None."""

    def lasts(self, key: AccessKey) -> bool:
        """Whether a key that was given is certain to be given again; else it is to be asked for."""

    def caller_with(self, key: AccessKey) -> Caller:
        """Who calls with `key`."""

    async def caller_of_token(self, token: str, now: datetime) -> Caller:
        """Who calls with this bearer token; AccessDenied when it is not valid now."""


@light
@dataclass(frozen=True, slots=True)
class Proof:
    """That a request's signature holds, as long as its time is right and the key is the same.

    Of an unsigned request there is no `key`.
    """

    caller: Caller
    verified: Verified
    key: AccessKey | None = None


PROOF: Note[Proof] = Note()


class Authentication:
    """Turns requests into callers. Two kinds of credentials in one request are refused.

    `rules` say which keys the backend folds and keeps for itself; `domain` is that of
    virtual-host style addresses.
    """

    def __init__(
        self,
        identities: Identities,
        rules: KeyRules,
        hosts: Hosts | None = None,
        domain: str | None = None,
    ) -> None:
        self._identities = identities
        self._rules = rules
        self._hosts = hosts or Hosts()
        self._domain = domain
        self._addressed = memo(self._address)

    def again(self, request: Request, now: datetime) -> Proof | None:
        """What `s3` found of the same request, where that holds by now and nobody has to be asked.

        It raises what `s3` raises of a request that is out of its time.
        """
        proof = request.notes.get(PROOF)
        if proof is None:
            return None
        signature, key = proof.verified.signature, proof.key
        if signature is None or key is None:
            return proof
        check_time(signature.claim, now)
        return proof if self._identities.lasts(key) else None

    async def s3(self, request: Request, now: datetime) -> tuple[Caller, Verified]:
        """Caller and verified request of a signed or unsigned S3 request.

        Unsigned requests are ANONYMOUS. Raises what the signature, path, operation and payload
        raise in `gateway.s3`, and InvalidPath for keys, prefixes and copy sources that the
        backend keeps for itself. Nothing of the body is read.
        """
        proof = self.again(request, now) or await self._asked_again(request)
        if proof is not None:
            return proof.caller, proof.verified
        query = Query.parse(request.query)
        claim = parse_claim(request.headers, query)
        if claim is None:
            _refuse_bearer(request)
            verified = self._verified(request, request.path, query)
            request.notes[PROOF] = Proof(ANONYMOUS, verified)
            return ANONYMOUS, verified
        key, signature = await self._prove(claim, request, now)
        caller = self._identities.caller_with(key)
        own = None
        if _is_own(claim):
            own = Query(tuple(pair for pair in query.pairs if pair[0] in OWN_PARAMETERS))
            query = query.without(OWN_PARAMETERS)
        query, headers = lift_headers(query, request.headers)
        asked = request
        if headers is not request.headers:
            asked = replace(request, headers=CIMultiDictProxy(CIMultiDict(headers.items())))
        verified = self._verified(asked, signature.path, query, signature, own)
        request.notes[PROOF] = Proof(caller, verified, key)
        return caller, verified

    async def _asked_again(self, request: Request) -> Proof | None:
        """What was found of the same request; None where its key was revoked, or is another."""
        proof = request.notes.get(PROOF)
        if proof is None or proof.key is None:
            return proof
        key = await self._identities.secret_for(proof.key.access_key_id)
        return proof if key is proof.key or key == proof.key else None

    async def bearer(self, request: Request, now: datetime) -> Caller:
        """The caller of a request with a bearer token, or ANONYMOUS without credentials.

        AccessDenied for a token that is not valid, InvalidRequest for other credentials.
        """
        authorization = request.headers.get("Authorization")
        if authorization is None:
            return ANONYMOUS
        # What else the request claims to be, the claim's parser refuses.
        if parse_claim(request.headers, Query.parse(request.query)) is not None:
            raise InvalidRequest("this door takes a bearer token, or nothing")
        if not authorization.lower().startswith(BEARER):
            raise InvalidRequest("this door takes a bearer token, or nothing")
        return await self._identities.caller_of_token(authorization[len(BEARER) :].strip(), now)

    async def rpc(self, request: Request, read: ReadBody, now: datetime) -> tuple[Caller, bytes]:
        """The caller of an RPC request, by bearer token or Signature V4 in headers, and its body.

        Nothing is read before the caller is known. The signed payload hash must be the body's:
        XAmzContentSHA256Mismatch.
        """
        claim = parse_claim(request.headers, Query.parse(request.query))
        if claim is None:
            caller = await self.bearer(request, now)
            return caller, await read(caller)
        if claim.presigned:
            raise InvalidRequest("this door takes no presigned URLs: sign in headers")
        key, _ = await self._prove(claim, request, now)
        caller = self._identities.caller_with(key)
        if _is_own(claim):
            raise AccessDenied("this key signs URLs of the gateway alone")
        body = await read(caller)
        if not hmac.compare_digest(claim.payload_hash, sha256(body).hexdigest()):
            raise XAmzContentSHA256Mismatch("x-amz-content-sha256 is not the body's hash")
        return caller, body

    async def _prove(
        self, claim: Claim, request: Request, now: datetime
    ) -> tuple[AccessKey, VerifiedSignature]:
        """The key that signed a request, and what the signature proves."""
        key = await self._identities.secret_for(claim.access_key_id)
        secret = None if key is None else key.secret_access_key
        signature = verify(claim, secret, request, now, hosts=self._hosts.signed(request))
        if key is None:
            raise AssertionError("a signature without a key has been verified")
        return key, signature

    def _verified(
        self,
        request: Request,
        path: str,
        query: Query,
        signature: VerifiedSignature | None = None,
        own: Query | None = None,
    ) -> Verified:
        host = self._hosts.named(request) if signature is None else signature.host
        address = self._addressed(path, virtual_host(host, self._domain))
        if query.pairs:
            self._check_parameters(query)
        # The signing parameters are still there: some operations are not for the unsigned.
        operation = self._operation(request, address, query, signature)
        payload_hash = None if signature is None else signature.claim.payload_hash
        return Verified(
            request=request,
            operation=operation,
            address=address,
            query=query.without(SIGNING_PARAMETERS),
            payload=parse_payload(request.headers, payload_hash, request.length),
            signature=signature,
            source=self._source(operation, request),
            own=own,
        )

    def _address(self, path: str, bucket: str | None) -> Address:
        return self.checked(parse_path(path, bucket))

    @staticmethod
    def _operation(
        request: Request, address: Address, query: Query, signature: VerifiedSignature | None
    ) -> Operation:
        try:
            return identify(request.method, address, query, request.headers)
        except NotImplementedByGateway:
            found = unlisted(request.method, address, query, request.headers)
            if signature is None or found is None:
                raise
            return found

    def _source(self, operation: Operation, request: Request) -> CopySource | None:
        name = COPY_SOURCE if operation.copies else RENAME_SOURCE
        if not operation.copies and operation.effect is not Effect.RENAME_OBJECT:
            return None
        value = request.headers.get(name)
        if value is None:
            return None
        address, version_id = parse_copy_source(value)
        return CopySource(self.checked(address), version_id)

    def address(self, request: Request) -> Address:
        """Where a request points if it is unsigned; it raises as `s3` does."""
        host = self._hosts.named(request)
        return self._addressed(request.path, virtual_host(host, self._domain))

    def folded(self, prefix: str) -> str:
        """A listing's prefix as the backend understands it."""
        return self._rules.fold(prefix)

    def checked(self, address: Address) -> Address:
        """The address as the backend understands it; InvalidPath for what it keeps for itself."""
        key = self._rules.fold(address.key)
        if self._rules.is_private(key):
            raise InvalidPath(f"{address.key!r} is a key that the backend keeps for itself")
        if address.key and not key:
            # Taken as no key, a request for an object would be one for its bucket.
            raise InvalidPath(f"{address.key!r} is no key: the backend folds all of it away")
        return Address(address.bucket, key)

    def _check_parameters(self, query: Query) -> None:
        for name in KEY_PARAMETERS:
            value = query.first(name)
            if value is not None and self._rules.is_private(self._rules.fold(value)):
                raise InvalidPath(
                    f"{value!r} is a key or prefix that the backend keeps for itself",
                    ArgumentName=name,
                )


def _is_own(claim: Claim) -> bool:
    """Whether the gateway made the URL itself."""
    return claim.access_key_id.startswith(URL_PREFIX)


def _refuse_bearer(request: Request) -> None:
    if "Authorization" in request.headers:
        raise InvalidRequest("this door takes Signature V4: tokens are for the other ones")
