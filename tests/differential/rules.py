"""What an exception takes away of two answers before they are compared.

Each rule gives back the pair without what it allows to differ, and the pair itself where there is
nothing of that.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from tests.differential.client import Answer

Pair = tuple[Answer, Answer]
Take = Callable[[Answer, Answer], Pair]


def _without(answer: Answer, names: Callable[[str], bool]) -> Answer:
    kept = tuple((name, value) for name, value in answer.headers if not names(name))
    return replace(answer, headers=kept)


def headers(*names: str, starting: tuple[str, ...] = ()) -> Take:
    """Headers of these names, or beginnings, are no matter, where their values differ."""

    def take(direct: Answer, gateway: Answer) -> Pair:
        def allowed(name: str) -> bool:
            listed = name in names or (bool(starting) and name.startswith(starting))
            return listed and direct.values(name) != gateway.values(name)

        return _without(direct, allowed), _without(gateway, allowed)

    return take


def sets(**expected: str) -> Take:
    """The gateway sets these headers to exactly these values."""
    named = {name.replace("_", "-"): value for name, value in expected.items()}

    def take(direct: Answer, gateway: Answer) -> Pair:
        def allowed(name: str) -> bool:
            own = gateway.values(name) == (named.get(name),)
            return own and direct.values(name) != gateway.values(name)

        return _without(direct, allowed), _without(gateway, allowed)

    return take


def elements(*names: str) -> Take:
    """What these elements hold is no matter, where it differs."""
    held = re.compile(rf"<({'|'.join(names)})>[^<]*</\1>".encode())

    def take(direct: Answer, gateway: Answer) -> Pair:
        if direct.body == gateway.body:
            return direct, gateway
        bodies = [held.sub(rb"<\1/>", each.body) for each in (direct, gateway)]
        return replace(direct, body=bodies[0]), replace(gateway, body=bodies[1])

    return take


location = elements("Location")
_in_documents = elements("RequestId", "HostId")
_in_headers = headers("x-amz-request-id", "x-request-id", "x-amz-id-2", "x-amzn-requestid")


def request_ids(direct: Answer, gateway: Answer) -> Pair:
    return _in_headers(*_in_documents(direct, gateway))


def refused(*refusals: tuple[int, str]) -> Take:
    """The gateway refuses with one of these statuses and codes, whatever the backend says."""

    def take(direct: Answer, gateway: Answer) -> Pair:
        # HEAD shows no code.
        told = any(
            gateway.status == status and gateway.text("Code") in {code, ""}
            for status, code in refusals
        )
        return (gateway, gateway) if told else (direct, gateway)

    return take


def own_words(direct: Answer, gateway: Answer) -> Pair:
    """Status and code are the backend's, the rest of the error is not. HEAD shows no code."""
    same = direct.status == gateway.status and direct.text("Code") == gateway.text("Code")
    return (gateway, gateway) if same and direct.status >= 400 else (direct, gateway)


def either(*takes: Take) -> Take:
    """The first of these that allows anything."""

    def take(direct: Answer, gateway: Answer) -> Pair:
        pairs = (take(direct, gateway) for take in takes)
        return next((pair for pair in pairs if pair != (direct, gateway)), (direct, gateway))

    return take


def form(direct: Answer, gateway: Answer) -> Pair:
    good = direct.status == gateway.status < 400
    return (gateway, gateway) if good and gateway.values("location") else (direct, gateway)


def owns(document: str) -> Take:
    """Good answers with this root are the gateway's own."""

    def take(direct: Answer, gateway: Answer) -> Pair:
        root = f"<{document} ".encode()
        both = direct.status == gateway.status == 200 and root in direct.body
        return (gateway, gateway) if both and root in gateway.body else (direct, gateway)

    return take


_ENTRIES = (b"<Contents>", b"<CommonPrefixes>")
_ASKED = ("Name", "Prefix", "MaxKeys", "IsTruncated", "ContinuationToken")


def empty(direct: Answer, gateway: Answer) -> Pair:
    """Both list nothing of the same."""
    nothing = direct.status == gateway.status == 200 and not any(
        each in answer.body for each in _ENTRIES for answer in (direct, gateway)
    )
    same = all(direct.text(name) == gateway.text(name) for name in _ASKED)
    listing = b"<ListBucketResult" in direct.body and b"<ListBucketResult" in gateway.body
    return (gateway, gateway) if nothing and same and listing else (direct, gateway)


_NO_PREFIX = re.compile(rb"<Prefix></Prefix>|<Prefix ?/>")


def empty_prefix(direct: Answer, gateway: Answer) -> Pair:
    if direct.body == gateway.body:
        return direct, gateway
    bodies = [_NO_PREFIX.sub(b"", each.body) for each in (direct, gateway)]
    return replace(direct, body=bodies[0]), replace(gateway, body=bodies[1])


def unframed(direct: Answer, gateway: Answer) -> Pair:
    if "aws-chunked" not in direct.header("content-encoding"):
        return direct, gateway
    return headers("content-encoding")(direct, gateway)


def listed(direct: Answer, gateway: Answer) -> Pair:
    """Both list objects."""
    bodies = direct.body, gateway.body
    if direct.status != 200 or gateway.status != 200 or b"<ListBucketResult" not in bodies[0]:
        return direct, gateway
    return gateway, gateway


def error_length(direct: Answer, gateway: Answer) -> Pair:
    if direct.status < 400:
        return direct, gateway
    return headers("content-length")(direct, gateway)
