"""Headers that a presigned URL holds as parameters, as AWS's SDK for JavaScript signs them."""

from multidict import CIMultiDict, MultiMapping

from gateway.errors import InvalidArgument
from gateway.s3.address import Query
from gateway.s3.claim import SIGNING_PARAMETERS

_HOISTED = "x-amz-"
_BREAKS = "\r\n\0"


def lift_headers(query: Query, headers: MultiMapping[str]) -> tuple[Query, MultiMapping[str]]:
    """A presigned request with the x-amz-* headers that its URL holds as parameters put back.

    Other requests come back as they are. InvalidArgument where one is also a header, occurs
    twice, or holds a line break.
    """
    if not query.pairs:
        return query, headers
    hoisted = [
        (name, value)
        for name, value in query.pairs
        if name.lower().startswith(_HOISTED) and name not in SIGNING_PARAMETERS
    ]
    if not hoisted or not query.has("X-Amz-Signature"):
        return query, headers
    lifted = CIMultiDict(headers.items())
    for name, value in hoisted:
        if name in lifted or any(character in value for character in _BREAKS):
            raise InvalidArgument("A header can't be set so.", ArgumentName=name)
        lifted[name] = value
    return query.without({name for name, _ in hoisted}), lifted
