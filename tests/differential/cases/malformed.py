"""Requests that are wrong: in the signature, the headers, the query, the names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.acceptance.keys import Key, make_key
from tests.acceptance.signer import Signer
from tests.differential.client import Auth, Client
from tests.differential.scene import PLAIN, Scene

BODY = b"a body"

malformed = Scene("malformed", kinds=(PLAIN,), own=True)


@malformed.setup
def _store(client: Client) -> None:
    client.ask("PUT", "data", body=BODY)


for _name, _bucket in {
    "unknown": "no-such-bucket",
    "upper case": "UPPER",
    "too short": "ab",
    "an underscore": "under_score",
    "dots": "..",
    "an address": "192.168.0.1",
}.items():

    @malformed.case(f"bucket: {_name}", "unknown-bucket")
    def _bucket_named(client: Client, bucket: str = _bucket) -> None:
        client.send("GET", f"/{bucket}/key")
        client.send("GET", f"/{bucket}")
        client.send("PUT", f"/{bucket}/key", body=BODY)


malformed.ask("an unknown method", "PATCH", "data")
malformed.ask("POST to an object", "POST", "data", body=BODY)
malformed.ask("an unknown subresource", "GET", "data", "unheard-of")
malformed.ask("an unknown subresource of the bucket", "GET", None, "unheard-of")
malformed.ask(
    "an unknown parameter of a known one", "GET", "data", "tagging&x=1", differs=("no-row",)
)
malformed.ask("a part number alone", "PUT", "data", "partNumber=1", body=BODY, differs=("no-row",))
malformed.ask("two subresources", "GET", "data", "tagging&acl", differs=("no-row",))
malformed.ask(
    "a parameter twice", "GET", None, "prefix=a&prefix=b", differs=("repeated-parameter",)
)
malformed.ask("an empty query", "GET", "data", "&")
malformed.ask("a bad If-Modified-Since", "GET", "data", headers={"If-Modified-Since": "0"})

signatures = Scene("bad-signatures", kinds=(PLAIN,), backends=("seaweedfs",))
signatures.setup(_store)
SIGNED = "AWS4-HMAC-SHA256 Credential=AKNOBODY/20200101/us-east-1/s3/aws4_request, "
for _name, _authorization in {
    "of an unknown kind": "Basic YTpi",
    "Signature V2": "AWS AKID:c2lnbmF0dXJl",
    "cut short": "AWS4-HMAC-SHA256",
    "without a signature": SIGNED + "SignedHeaders=host",
}.items():
    signatures.ask(
        _name,
        "GET",
        "data",
        headers={"Authorization": _authorization, "x-amz-date": "20200101T000000Z"},
        auth=Auth.NONE,
        differs=("signature",),
    )

NOBODY = make_key("nobody", {})
STRANGER = Key(NOBODY.access_key_id, "wrong", "stranger", {})


def _signing(name: str, *differs: str, **settings: object) -> None:
    """A case of a GET that is signed otherwise than it should be."""

    @signatures.case(name, *differs)
    def _get(client: Client) -> None:
        signer = Signer(client.host, client.key)
        target = f"/{client.bucket}/{client.prefix}data"
        client.send("GET", target, signer=replace(signer, **settings))  # type: ignore[arg-type]


_signing("by an unknown key", "own-words", key=NOBODY)
_signing("with a wrong secret", "own-words", key=STRANGER)
_signing("an hour ago", "own-words", when=datetime.now(UTC) - timedelta(hours=1))
_signing("in an hour", "own-words", when=datetime.now(UTC) + timedelta(hours=1))
_signing("for another region", region="eu-west-3")
_signing("for another service", "signature", service="ec2")

SCENES = (malformed, signatures)
