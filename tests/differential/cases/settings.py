"""Settings of a bucket: each put, read, deleted; and bad documents."""

from collections.abc import Callable

from gateway.s3.operation import OPERATIONS, Effect, Level
from tests.differential.client import Auth, Client, md5
from tests.differential.scene import PLAIN, PREFIX, RENAMED, Scene

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

CORS = (
    "<CORSConfiguration><CORSRule><AllowedOrigin>https://example.org</AllowedOrigin>"
    "<AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>"
    "</CORSConfiguration>"
)
LIFECYCLE = (
    "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>tmp/</Prefix>"
    "</Filter><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>"
)
ENCRYPTION = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
    "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
    "</ServerSideEncryptionConfiguration>"
)
TAGGING = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
OWNERSHIP = (
    f"<OwnershipControls {NAMESPACE}><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>"
    "</Rule></OwnershipControls>"
)
BLOCK = (
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
    "</PublicAccessBlockConfiguration>"
)
POLICY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    '"Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/open/*"}]}'
)
PAYMENT = "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"

settings = Scene("settings", kinds=(PLAIN, RENAMED), own=True)


@settings.setup
def _store(client: Client) -> None:
    client.ask("PUT", "data", body=b"so that the bucket is not empty")


def turn(query: str, body: str) -> Callable[[Client], None]:
    """What reads, puts, reads, deletes and reads a setting."""

    def act(client: Client) -> None:
        data = client.fill(body).encode()
        client.ask("GET", None, query)
        client.ask("PUT", None, query, {"Content-MD5": md5(data)}, data)
        client.ask("GET", None, query)
        client.ask("DELETE", None, query)
        client.ask("GET", None, query)

    return act


for _query, _body in {
    "cors": CORS,
    "lifecycle": LIFECYCLE,
    "encryption": ENCRYPTION,
    "tagging": TAGGING,
}.items():
    settings.add(_query, turn(_query, _body))
    differs = ("documents-read-first",) if _query == "lifecycle" else ()
    settings.ask(
        f"{_query}, no XML", "PUT", None, _query, {"Content-MD5": md5(b"no")}, "no", differs=differs
    )
    settings.ask(f"{_query}, nothing", "PUT", None, _query, differs=differs)
for _name in ("location", "versioning", "requestPayment", "acl", "policy", "policyStatus"):
    settings.ask(f"read {_name}", "GET", None, _name, differs=("unknown-subresource?@moto",))


@settings.case("cors, asked from a page")
def _origins(client: Client) -> None:
    client.ask("PUT", None, "cors", {"Content-MD5": md5(CORS.encode())}, CORS)
    for origin in ("https://example.org", "https://example.com"):
        client.ask("GET", "data", headers={"Origin": origin})
        client.ask("HEAD", "data", headers={"Origin": origin})
        client.ask("GET", "absent", headers={"Origin": origin})
    client.ask("DELETE", None, "cors")


PREFLIGHT = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
settings.ask(
    "a preflight", "OPTIONS", "data", headers=PREFLIGHT, auth=Auth.NONE, differs=("preflight",)
)
settings.ask(
    "requestPayment put",
    "PUT",
    None,
    "requestPayment",
    {"Content-MD5": md5(PAYMENT.encode())},
    PAYMENT,
    differs=("unknown-subresource?@moto",),
)
settings.ask("made private", "PUT", None, "acl", {"x-amz-acl": "private"})
settings.ask("HEAD", "HEAD")
settings.ask("created again", "PUT", differs=("workspaces",))
settings.ask("deleted, not empty", "DELETE", differs=("workspaces",))


@settings.case("by boto3")
def _boto(client: Client) -> None:
    client.call("get_bucket_location")
    client.call("get_bucket_acl")
    client.call("get_bucket_versioning")
    client.call("put_bucket_tagging", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    client.call("get_bucket_tagging")


for _name, _query, _body in (
    ("a policy", "policy", POLICY),
    ("an ownership", "ownershipControls", OWNERSHIP),
    ("a block of public access", "publicAccessBlock", BLOCK),
):
    settings.ask(f"{_name} put", "PUT", None, _query, body=_body, differs=("dangerous",))
settings.ask(
    "made public", "PUT", None, "acl", {"x-amz-acl": "public-read"}, differs=("dangerous",)
)

allowed = Scene("allowed-settings", kinds=(PLAIN, RENAMED), own=True, settings=True)
allowed.setup(_store)
for _query, _body in {
    "policy": POLICY,
    "ownershipControls": OWNERSHIP,
    "publicAccessBlock": BLOCK,
}.items():
    allowed.add(_query, turn(_query, _body))
allowed.ask("made public", "PUT", None, "acl", {"x-amz-acl": "public-read"})
allowed.ask("an object made public", "PUT", "data", "acl", {"x-amz-acl": "public-read"})
allowed.ask("a bad policy", "PUT", None, "policy", body="{")

partly = Scene("settings-of-a-part", kinds=(PREFIX,), own=True)
partly.setup(_store)
for _query, _body in {"cors": CORS, "versioning": "", "tagging": TAGGING}.items():
    partly.ask(f"{_query} put", "PUT", None, _query, body=_body, differs=("part-of-a-bucket",))

TRIED = frozenset(
    (
        "cors",
        "lifecycle",
        "encryption",
        "tagging",
        "location",
        "versioning",
        "requestPayment",
        "acl",
        "policy",
        "policyStatus",
        "ownershipControls",
        "publicAccessBlock",
        "object-lock",
    )
)
"""Settings that SeaweedFS knows, and that have cases of their own."""

others = Scene("other-settings", kinds=(PLAIN,), own=True, settings=True)
others.setup(_store)
for _row in OPERATIONS:
    _setting = _row.effect in {Effect.BUCKET_READ, Effect.BUCKET_WRITE}
    if (
        _row.level is Level.BUCKET
        and _setting
        and _row.subresources
        and not _row.subresources & TRIED
    ):
        _query = "&".join(
            f"{name}=a" if name == "id" else name for name in sorted(_row.subresources)
        )
        others.ask(_row.name, _row.method, None, _query, differs=("unknown-subresource?",))

SCENES = (settings, allowed, partly, others)
