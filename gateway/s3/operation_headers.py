"""Request headers that go on to the backend, in groups that the operation table names.

Not here, and so never passed on as they came: Authorization, Cookie, Forwarded, hop-by-hop
headers, signing and framing (x-amz-date, x-amz-content-sha256, x-amz-decoded-content-length,
x-amz-trailer), vendors' headers, and x-amz-copy-source and x-amz-rename-source, which name
objects and are written anew.
"""

from gateway.s3.payload import CHECKSUM_LENGTHS

COMMON = frozenset({"x-amz-expected-bucket-owner", "x-amz-request-payer"})
"""What every operation on a bucket or an object takes."""

_SSE = "x-amz-server-side-encryption"
_COPY_SOURCE_IF = (
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
)

HEADER_GROUPS: dict[str, frozenset[str]] = {
    "acl": frozenset(
        {
            "x-amz-acl",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
        }
    ),
    "attributes": frozenset(
        {"x-amz-max-parts", "x-amz-part-number-marker", "x-amz-object-attributes"}
    ),
    "body": frozenset(
        {"content-type", "content-md5", "x-amz-sdk-checksum-algorithm", *CHECKSUM_LENGTHS}
    ),
    "bypass": frozenset({"x-amz-bypass-governance-retention"}),
    "checksum-mode": frozenset({"x-amz-checksum-mode"}),
    "checksum-type": frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type"}),
    "complete": frozenset({"x-amz-mp-object-size"}),
    "copy": frozenset(
        {
            *_COPY_SOURCE_IF,
            f"x-amz-copy-source-{_SSE.removeprefix('x-amz-')}-customer-algorithm",
            f"x-amz-copy-source-{_SSE.removeprefix('x-amz-')}-customer-key",
            f"x-amz-copy-source-{_SSE.removeprefix('x-amz-')}-customer-key-md5",
            "x-amz-source-expected-bucket-owner",
        }
    ),
    "copy-range": frozenset({"x-amz-copy-source-range"}),
    "create-bucket": frozenset(
        {
            "x-amz-bucket-namespace",
            "x-amz-bucket-object-lock-enabled",
            "x-amz-object-ownership",
        }
    ),
    "directives": frozenset(
        {
            "x-amz-metadata-directive",
            "x-amz-object-annotation-directive",
            "x-amz-tagging-directive",
        }
    ),
    "entity": frozenset(
        {
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-type",
            "expires",
            "x-amz-storage-class",
            "x-amz-tagging",
            "x-amz-website-redirect-location",
        }
    ),
    "if-abort": frozenset({"x-amz-if-match-initiated-time"}),
    "if-annotation": frozenset({"x-amz-object-if-match"}),
    "if-delete": frozenset(
        {"if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"}
    ),
    "if-get": frozenset(
        {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"}
    ),
    # S3 knows the first two; a backend that heeds the times (HTTP does) must be told them too.
    "if-put": frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}),
    "lifecycle": frozenset({"x-amz-transition-default-minimum-object-size"}),
    "lock": frozenset(
        {
            "x-amz-object-lock-event-hold",
            "x-amz-object-lock-event-hold-duration-days",
            "x-amz-object-lock-event-hold-duration-years",
            "x-amz-object-lock-legal-hold",
            "x-amz-object-lock-mode",
            "x-amz-object-lock-retain-until-date",
        }
    ),
    "lock-token": frozenset({"x-amz-bucket-object-lock-token"}),
    "mfa": frozenset({"x-amz-mfa"}),
    "notification": frozenset({"x-amz-skip-destination-validation"}),
    "optional-attributes": frozenset({"x-amz-optional-object-attributes"}),
    "policy": frozenset({"x-amz-confirm-remove-self-bucket-access"}),
    "range": frozenset({"range"}),
    "rename": frozenset(
        {
            "if-modified-since",
            "if-unmodified-since",
            "x-amz-client-token",
            "x-amz-rename-source-if-match",
            "x-amz-rename-source-if-modified-since",
            "x-amz-rename-source-if-none-match",
            "x-amz-rename-source-if-unmodified-since",
        }
    ),
    "session": frozenset({"x-amz-create-session-mode"}),
    "sse": frozenset(
        {
            _SSE,
            f"{_SSE}-aws-kms-key-id",
            f"{_SSE}-bucket-key-enabled",
            f"{_SSE}-context",
        }
    ),
    "ssec": frozenset(
        {
            f"{_SSE}-customer-algorithm",
            f"{_SSE}-customer-key",
            f"{_SSE}-customer-key-md5",
        }
    ),
    "write-offset": frozenset({"x-amz-write-offset-bytes"}),
}
"""Names of groups, and the lower-case headers in them."""
