"""Uploads by HTML form: who signed the policy, and the PUT that the form asks for."""

from dataclasses import replace
from datetime import datetime

from multidict import CIMultiDictProxy

from gateway.errors import AccessDenied, InvalidRequest, MissingContentLength
from gateway.identity import ANONYMOUS, Caller
from gateway.s3.address import Query
from gateway.s3.claim import SIGNING_PARAMETERS, parse_form_claim
from gateway.s3.exchange import Verified
from gateway.s3.form import FormHead, FormReader, is_form
from gateway.s3.message import Request
from gateway.s3.operation import identify
from gateway.s3.payload import Form, parse_payload
from gateway.s3.policy import Policy, parse_policy
from gateway.s3.post import (
    POST_OBJECT,
    Posted,
    address_of,
    expand,
    put_headers,
    wanted_redirect,
    wanted_status,
)
from gateway.s3.sigv4 import verify_policy
from gateway.services.keys.access import URL_PREFIX
from gateway.web.authentication import Authentication, Identities


class Forms:
    """Turns forms into callers and the PUTs that they may make, as far as their policies go."""

    def __init__(self, identities: Identities, authentication: Authentication) -> None:
        self._identities = identities
        self._authentication = authentication

    def takes(self, request: Request) -> bool:
        """Whether a request is an upload by form: PostObject, in multipart/form-data."""
        if request.method != "POST" or not is_form(request.headers.get("Content-Type", "")):
            return False
        address = self._authentication.address(request)
        query = Query.parse(request.query)
        return identify("POST", address, query, request.headers).name == POST_OBJECT

    async def verify(self, request: Request, now: datetime) -> tuple[Caller, Verified]:
        """Caller and PUT of an upload by form, of which the file has not been read.

        A form without a policy is ANONYMOUS. Raises InvalidRequest for a second kind of
        credentials, what form, signature and policy raise, and InvalidPath for keys that the
        backend keeps for itself.
        """
        _refuse_other_credentials(request)
        if request.length is None:
            raise MissingContentLength("You must provide the Content-Length HTTP header.")
        reader = FormReader(request.body, request.headers.get("Content-Type", ""))
        head = await reader.head()
        caller, policy = await self._signer(head, now)
        fields = expand(head, self._authentication.address(request).bucket)
        address = self._authentication.checked(address_of(fields))
        if policy is not None:
            policy.check(fields, now)
        headers = CIMultiDictProxy(put_headers(fields, head, request.headers))
        return caller, Verified(
            request=replace(request, method="PUT", query="", headers=headers),
            operation=identify("PUT", address, Query(), headers),
            address=address,
            query=Query(),
            payload=parse_payload(headers, Form.UNSIGNED.value, 0),
            posted=Posted(
                reader,
                request.length - head.size,
                policy,
                wanted_status(fields),
                wanted_redirect(fields),
            ),
        )

    async def _signer(self, head: FormHead, now: datetime) -> tuple[Caller, Policy | None]:
        claim = parse_form_claim(head.fields)
        if claim is None:
            return ANONYMOUS, None
        key = await self._identities.secret_for(claim.access_key_id)
        policy = head.fields["policy"]
        verify_policy(claim, None if key is None else key.secret_access_key, policy, now)
        if key is None:
            raise AssertionError("a signature without a key has been verified")
        if claim.access_key_id.startswith(URL_PREFIX):
            raise AccessDenied("this key signs URLs of the gateway alone")
        return self._identities.caller_with(key), parse_policy(policy)


def _refuse_other_credentials(request: Request) -> None:
    names = {name for name, _ in Query.parse(request.query).pairs}
    if "Authorization" in request.headers or not SIGNING_PARAMETERS.isdisjoint(names):
        raise InvalidRequest(
            "A form is signed by its policy alone: send no Authorization and no signing parameters."
        )
