"""The exceptions: everything in which the gateway may differ from its backend, and why.

docs/transparency.md lists each with the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.differential import rules
from tests.differential.client import Answer
from tests.differential.rules import Pair, Take
from tests.differential.scene import PLAIN, PREFIX, READER, RENAMED, Kind

EVERYWHERE = (PLAIN.name, READER.name, RENAMED.name, PREFIX.name)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One exception: `take` gives back a pair of answers without what it allows to differ.

    One that is `named` applies only to cases that name it. `kinds` are the workspaces, `backends`
    the backends, and `method` the one ("" is any) for which it holds.
    """

    name: str
    reason: str
    take: Take
    named: bool = False
    kinds: Sequence[str] = EVERYWHERE
    method: str = ""
    backends: Sequence[str] = ("seaweedfs", "moto")

    def holds(self, backend: str, kind: Kind, method: str) -> bool:
        """Whether it may apply to such a request."""
        placed = backend in self.backends and kind.name in self.kinds
        return placed and self.method in {"", method}

    def applied(self, direct: Answer, gateway: Answer) -> Pair | None:
        """The pair without what is allowed; None where there was nothing of it."""
        taken = self.take(direct, gateway)
        return None if taken == (direct, gateway) else taken


ALLOWANCES: tuple[Allowance, ...] = (
    Allowance(
        "server",
        "`Server` says who answered the client: the gateway.",
        rules.headers("server"),
    ),
    Allowance(
        "request-id",
        "Every request has an id of the gateway's own, in `x-amz-request-id` and `X-Request-Id` "
        "and in errors' `RequestId`: its log knows the request by it.",
        rules.request_ids,
    ),
    Allowance(
        "sandbox",
        "An object's bytes can never run as a page of the gateway's origin.",
        rules.sets(x_content_type_options="nosniff", content_security_policy="sandbox"),
    ),
    Allowance(
        "vendor-headers",
        "Headers that only one vendor's servers know name its accounts and machines.",
        rules.headers(starting=("seaweed-", "x-seaweedfs-", "x-minio-")),
        backends=("seaweedfs",),
    ),
    Allowance(
        "cors-headers",
        "Which pages may read is decided by the gateway's own configuration.",
        rules.headers(starting=("access-control-",)),
    ),
    Allowance(
        "preflight",
        "A preflight is answered by the gateway's own configuration, as is every other question of "
        "a page.",
        lambda _, gateway: (gateway, gateway),
        named=True,
    ),
    Allowance(
        "vary",
        "`Vary` names what the gateway's own answer depends on.",
        rules.headers("vary"),
    ),
    Allowance(
        "private",
        "What needed a right is for its caller alone: no cache between may keep it.",
        rules.sets(cache_control="private, no-store"),
    ),
    Allowance(
        "head-error-length",
        "Names in an error document have other lengths in the backend, which tells HEAD no more "
        "than the length.",
        rules.error_length,
        kinds=(RENAMED.name, PREFIX.name),
        method="HEAD",
    ),
    Allowance(
        "empty-listings",
        "To readers, nothing and what is only staged look alike: an empty listing is the "
        "gateway's own document.",
        rules.empty,
        kinds=(READER.name,),
        backends=("seaweedfs",),
    ),
    Allowance(
        "empty-prefix",
        "A workspace that is a prefix of a bucket always asks with one, which the backend echoes: "
        "an empty `Prefix` remains of it.",
        rules.empty_prefix,
        kinds=(PREFIX.name,),
    ),
    Allowance(
        "aws-chunked",
        "The framing in which a body was sent is no encoding of the object.",
        rules.unframed,
        backends=("seaweedfs",),
    ),
    Allowance(
        "location",
        "A `Location` is where the client can follow it: at the gateway.",
        rules.location,
        backends=("moto",),
    ),
    Allowance(
        "signing-echo",
        "moto tells readers how an upload was signed: it was signed anew.",
        rules.headers("x-amz-content-sha256"),
        backends=("moto",),
    ),
    Allowance(
        "own-words",
        "What the gateway refuses before the backend sees it has the backend's status and code, "
        "in the gateway's words.",
        rules.own_words,
        named=True,
    ),
    Allowance(
        "signature",
        "Signatures are verified here, of requests and of chunks: a wrong one is answered as S3 "
        "answers it, whatever the backend says to it.",
        rules.refused(
            (400, "InvalidArgument"),
            (400, "InvalidRequest"),
            (400, "AuthorizationHeaderMalformed"),
            (403, "SignatureDoesNotMatch"),
        ),
        named=True,
    ),
    Allowance(
        "body-checked",
        "A body must not be stored where its digest, length or trailer is wrong, and not every "
        "backend looks.",
        rules.refused(
            (400, "BadDigest"),
            (400, "InvalidDigest"),
            (400, "InvalidRequest"),
            (400, "XAmzContentSHA256Mismatch"),
            (400, "IncompleteBody"),
            (400, "MalformedTrailerError"),
        ),
        named=True,
    ),
    Allowance(
        "documents-read-first",
        "Documents that delete objects, or set versioning or expiry, are read before the backend "
        "sees them; one that readers of XML could take in different ways is refused.",
        rules.refused((400, "MalformedXML")),
        named=True,
    ),
    Allowance(
        "copy-source",
        "A copy source is `bucket/key` or `bucket/key?versionId=id`: of anything else nobody could "
        "tell which object the backend would take it for.",
        rules.refused((400, "InvalidArgument")),
        named=True,
    ),
    Allowance(
        "repeated-parameter",
        "A parameter that occurs twice could mean one thing to the gateway and another to the "
        "backend.",
        rules.refused((400, "InvalidArgument")),
        named=True,
    ),
    Allowance(
        "unknown-subresource",
        "The backend does not know the operation and would do something else, such as a plain "
        "GET, PUT or DELETE.",
        rules.refused((501, "NotImplemented")),
        named=True,
    ),
    Allowance(
        "no-row",
        "What has no row in the table of operations is for admins of whole buckets alone, and "
        "not where it could be taken for something that has one.",
        rules.refused((501, "NotImplemented")),
        named=True,
    ),
    Allowance(
        "dangerous",
        "Settings that would open, copy or brick the backend behind the gateway's back need "
        "`backend_settings: true`.",
        rules.refused((403, "AccessDenied")),
        named=True,
    ),
    Allowance(
        "part-of-a-bucket",
        "A workspace that is a prefix of a bucket takes no settings: they would be others', too.",
        rules.refused((403, "AccessDenied")),
        named=True,
    ),
    Allowance(
        "forms",
        "An upload form is carried out here, as the PUT that it asks for: its answer is S3's, with "
        "`Location`, `ETag` and a redirect's parameters in S3's order.",
        rules.either(rules.form, rules.refused((400, "InvalidArgument"))),
        named=True,
        method="POST",
        backends=("seaweedfs",),
    ),
    Allowance(
        "workspaces",
        "Which buckets there are, and whose, is the gateway's to say: they are its workspaces, and "
        "those of its configuration stay.",
        rules.either(
            rules.owns("ListAllMyBucketsResult"),
            rules.refused((409, "BucketAlreadyOwnedByYou"), (409, "InvalidBucketState")),
        ),
        named=True,
    ),
    Allowance(
        "unknown-bucket",
        "Only known workspaces can be addressed: the backend never hears of another name.",
        rules.refused((404, "NoSuchBucket")),
        named=True,
    ),
    Allowance(
        "private-keys",
        "What the backend keeps for itself under keys of its own, such as old versions, is no "
        "object.",
        rules.refused((400, "InvalidPath")),
        named=True,
        backends=("seaweedfs",),
    ),
    Allowance(
        "folded-keys",
        "Keys that the backend takes for one are one: errors name it as it is stored, and below a "
        "workspace's prefix so do listings.",
        rules.either(rules.own_words, rules.listed),
        named=True,
        backends=("seaweedfs",),
    ),
    Allowance(
        "own-grouping",
        "SeaweedFS's pages never end where the delimiter is not `/`: the gateway groups what does "
        "not fit on one page itself.",
        rules.listed,
        named=True,
        backends=("seaweedfs",),
    ),
    Allowance(
        "rights",
        "A backend has one account; the gateway's callers have rights.",
        rules.refused((403, "AccessDenied")),
        named=True,
        kinds=(READER.name,),
        backends=("seaweedfs",),
    ),
    Allowance(
        "key-length",
        "Keys have at most 1,024 bytes, as S3 says; moto takes any.",
        rules.refused((400, "KeyTooLongError")),
        named=True,
        backends=("moto",),
    ),
    Allowance(
        "no-xml",
        "An answer that is said to be XML and is none can't be translated; moto gives some.",
        rules.refused((503, "ServiceUnavailable")),
        named=True,
        kinds=(PREFIX.name,),
        backends=("moto",),
    ),
    Allowance(
        "no-marker",
        "moto's `NextMarker` is no key, so it is none of the workspace's.",
        rules.elements("NextMarker"),
        named=True,
        kinds=(PREFIX.name,),
        backends=("moto",),
    ),
)
"""Every exception there is."""
