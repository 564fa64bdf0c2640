"""The operation table: complete, and nothing falls through to a simpler operation."""

from dataclasses import replace

import botocore.session
import pytest
from botocore.model import OperationModel
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import (
    InvalidArgument,
    InvalidRequest,
    NotImplementedByGateway,
)
from gateway.identity import Right
from gateway.s3.address import Address, Query
from gateway.s3.hoisting import lift_headers
from gateway.s3.operation import (
    OPERATIONS,
    Effect,
    Level,
    Operation,
    identify,
    unlisted,
)
from tests.s3.oracle import refusals

MODEL = botocore.session.get_session().get_service_model("s3")
LEFT_OUT = {
    "ListDirectoryBuckets": "directory buckets have an endpoint of their own",
    "WriteGetObjectResponse": "Object Lambda has an endpoint of its own",
    "GetBucketLifecycle": "the old name of GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "the old name of PutBucketLifecycleConfiguration",
    "GetBucketNotification": "the old name of GetBucketNotificationConfiguration",
    "PutBucketNotification": "the old name of PutBucketNotificationConfiguration",
}
REWRITTEN = {"x-amz-copy-source", "x-amz-rename-source", "content-length"}
BY_NAME = {operation.name: operation for operation in OPERATIONS}
ADDRESSES = {
    Level.SERVICE: Address(),
    Level.BUCKET: Address("bucket"),
    Level.OBJECT: Address("bucket", "key"),
}
MODELLED = [MODEL.operation_model(name) for name in MODEL.operation_names if name not in LEFT_OUT]


def members(model: OperationModel, place: str) -> dict[str, bool]:
    """Names of an operation's parameters in one place, and whether each is required."""
    shape = model.input_shape
    if shape is None:
        return {}
    required = set(shape.required_members)
    return {
        member.serialization["name"]: name in required
        for name, member in shape.members.items()
        if member.serialization.get("location") == place
    }


@pytest.mark.parametrize("model", MODELLED, ids=lambda model: model.name)
def test_every_operation_of_botocore_is_identified(model: OperationModel) -> None:
    row = BY_NAME[model.name]
    path, _, flags = model.http["requestUri"].partition("?")
    required = [name for name, needed in members(model, "querystring").items() if needed]
    names = {flag.partition("=")[0]: flag.partition("=")[2] for flag in flags.split("&") if flag}
    query = Query(tuple(names.items()) + tuple((name, "1") for name in required))
    address = ADDRESSES[
        Level.OBJECT if "Key" in path else Level.BUCKET if "Bucket" in path else Level.SERVICE
    ]
    headers: CIMultiDict[str] = CIMultiDict(
        {"x-amz-copy-source": "a/b"} if model.name in ("CopyObject", "UploadPartCopy") else {}
    )
    found = identify(model.http["method"], address, query, headers)
    assert found.name == row.name
    assert (found.right, found.effect) == (row.right, row.effect)


@pytest.mark.parametrize("model", MODELLED, ids=lambda model: model.name)
def test_every_parameter_and_header_of_botocore_goes_on(model: OperationModel) -> None:
    row = BY_NAME[model.name]
    assert set(members(model, "querystring")) <= row.subresources | row.parameters
    headers = {name.lower() for name in members(model, "header")}
    assert headers - REWRITTEN <= row.headers


def test_no_row_is_beyond_the_api() -> None:
    assert set(BY_NAME) - {model.name for model in MODELLED} == {"PostObject"}
    assert len(BY_NAME) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_rights_follow_from_what_an_operation_does(operation: Operation) -> None:
    expected = {
        Effect.SERVICE: Right.NONE,
        Effect.READ_OBJECT: Right.READ,
        Effect.BUCKET_READ: Right.ADMIN,
        Effect.BUCKET_WRITE: Right.ADMIN,
        Effect.LIST: Right.READ,
    }.get(operation.effect, Right.WRITE)
    exceptions = {
        "HeadBucket": Right.READ,
        "GetBucketLocation": Right.READ,
        "ListObjectVersions": Right.WRITE,
        "ListMultipartUploads": Right.WRITE,
    }
    assert operation.right is exceptions.get(operation.name, expected)
    assert (operation.method in ("GET", "HEAD")) <= (
        operation.effect
        in (
            Effect.SERVICE,
            Effect.BUCKET_READ,
            Effect.LIST,
            Effect.READ_OBJECT,
            Effect.READ_UPLOAD,
        )
    )


def test_dangerous_settings_are_those_that_open_copy_or_brick() -> None:
    words = (
        "Policy", "Acl", "PublicAccess", "Ownership", "Website", "Notification", "Replication",
        "Logging", "Inventory", "Analytics", "Metadata",
    )  # fmt: skip
    for operation in OPERATIONS:
        reads = operation.method in ("GET", "HEAD")
        named = any(word in operation.name for word in words)
        assert operation.dangerous == ((named and not reads) or operation.name == "CreateSession")


def test_headers_that_never_go_on_are_in_no_row() -> None:
    never = {
        "authorization", "cookie", "forwarded", "connection", "transfer-encoding", "te",
        "expect", "host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
        "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-copy-source",
        "x-amz-rename-source", "x-minio-force-delete", "accept-encoding", "content-length",
    }  # fmt: skip
    for operation in OPERATIONS:
        assert not operation.headers & never
        assert all(header == header.lower() for header in operation.headers)
        assert not any(header.startswith("x-forwarded-") for header in operation.headers)


@pytest.mark.parametrize(
    ("method", "address", "raw"),
    [
        ("GET", Address("b", "k"), "foo"),
        ("DELETE", Address("b", "k"), "foo"),
        ("DELETE", Address("b"), "x"),
        ("DELETE", Address("b"), "versionId=1"),
        ("PUT", Address("b"), "unknown"),
        ("PUT", Address("b"), "acl&website"),
        ("PUT", Address("b", "k"), "partNumber=1"),
        ("PUT", Address("b", "k"), "uploadId=1"),
        ("PUT", Address("b", "k"), "versionId=1"),
        ("PUT", Address("b", "k"), "append"),
        ("GET", Address("b", "k"), "tagging&acl"),
        ("GET", Address("b", "k"), "uploads"),
        ("GET", Address("b", "k"), "ACL"),
        ("GET", Address("b", "k"), "X-Amz-Unknown=1"),
        ("GET", Address("b", "k"), "x-amz-acl=public-read"),
        ("GET", Address("b"), "versions&list-type=2"),
        ("GET", Address("b"), "events"),
        ("GET", Address("b"), "analytics&id=1&continuation-token=2"),
        ("HEAD", Address("b", "k"), "uploadId=1"),
        ("HEAD", Address("b"), "acl"),
        ("POST", Address("b", "k"), ""),
        ("POST", Address("b", "k"), "select"),
        ("POST", Address("b"), "delete&x=1"),
        ("PATCH", Address("b", "k"), ""),
        ("OPTIONS", Address("b", "k"), ""),
        ("TRACE", Address(), ""),
        ("PUT", Address(), ""),
        ("get", Address("b", "k"), ""),
    ],
)
def test_what_has_no_row_is_not_implemented(method: str, address: Address, raw: str) -> None:
    with pytest.raises(NotImplementedByGateway):
        identify(method, address, Query.parse(raw), CIMultiDict())


@pytest.mark.parametrize(
    ("method", "address", "raw", "name"),
    [
        ("GET", Address("b"), "list-type=2&prefix=a&x-id=ListObjectsV2", "ListObjectsV2"),
        ("GET", Address("b"), "prefix=a&delimiter=/", "ListObjects"),
        ("GET", Address("b"), "versions&prefix=", "ListObjectVersions"),
        ("GET", Address("b", "k"), "versionId=1&X-Amz-Signature=1", "GetObject"),
        ("GET", Address("b", "k"), "partNumber=1", "GetObject"),
        ("GET", Address("b", "k"), "uploadId=1&max-parts=2", "ListParts"),
        ("PUT", Address("b", "k"), "uploadId=1&partNumber=2", "UploadPart"),
        ("POST", Address("b", "k"), "uploads", "CreateMultipartUpload"),
        ("POST", Address("b", "k"), "uploadId=1", "CompleteMultipartUpload"),
        ("POST", Address("b", "k"), "select&select-type=2", "SelectObjectContent"),
        ("DELETE", Address("b", "k"), "uploadId=1", "AbortMultipartUpload"),
        ("POST", Address("b"), "", "PostObject"),
    ],
)
def test_requests_are_what_their_queries_say(
    method: str, address: Address, raw: str, name: str
) -> None:
    assert identify(method, address, Query.parse(raw), CIMultiDict()).name == name


def test_copy_source_makes_a_copy() -> None:
    headers = CIMultiDict({"X-Amz-Copy-Source": "a/b"})
    put = identify("PUT", Address("b", "k"), Query(), headers)
    part = identify("PUT", Address("b", "k"), Query.parse("uploadId=1&partNumber=1"), headers)
    tags = identify("PUT", Address("b", "k"), Query.parse("tagging"), headers)
    assert (put.name, put.copies, put.effect) == ("CopyObject", True, Effect.WRITE_OBJECT)
    assert (part.name, part.copies, part.effect) == ("UploadPartCopy", True, Effect.WRITE_UPLOAD)
    assert (tags.name, tags.copies) == ("PutObjectTagging", False)
    for operation in (put, part, tags):
        assert "x-amz-copy-source" not in operation.onward(headers)


@pytest.mark.parametrize("raw", ["versionId=1&versionId=2", "acl&acl", "prefix=a&prefix=a"])
def test_parameter_that_occurs_twice_is_refused(raw: str) -> None:
    address = Address("b") if raw.startswith("prefix") else Address("b", "k")
    with pytest.raises(InvalidArgument):
        identify("GET", address, Query.parse(raw), CIMultiDict())


def test_listing_of_another_type_is_for_the_backend_to_judge() -> None:
    operation = identify("GET", Address("b"), Query.parse("list-type=1"), CIMultiDict())
    assert operation.onward_query(Query.parse("list-type=1")).encode() == "list-type=1"


def test_what_has_no_row_may_be_an_operation_of_its_own() -> None:
    for method, address, raw in (
        ("GET", Address("b"), "events"),
        ("PUT", Address("b", "k"), "append=1"),
        ("PATCH", Address("b", "k"), ""),
    ):
        found = unlisted(method, address, Query.parse(raw), CIMultiDict())
        assert found is not None
        assert (found.right, found.effect) == (Right.ADMIN, Effect.UNLISTED)
        assert found.onward_query(Query.parse(raw)) == Query.parse(raw)
        sent = CIMultiDict({"x-amz-acl": "public-read", "Content-Type": "a/b", "Cookie": "c"})
        assert dict(found.onward(sent)) == {"content-type": "a/b"}


@pytest.mark.parametrize(
    ("method", "address", "raw"),
    [
        ("GET", Address(), "foo"),
        ("PUT", Address("b"), "foo"),
        ("DELETE", Address("b"), "foo"),
        ("POST", Address("b"), "foo"),
        ("PUT", Address("b", "k"), "acl&foo"),
        ("PUT", Address("b", "k"), "ACL"),
        ("DELETE", Address("b", "k"), "foo&versionId=1"),
        ("GET", Address("b"), "policy&foo"),
        ("GET", Address("b", "k"), "foo&foo"),
        ("CONNECT", Address("b", "k"), ""),
        ("get", Address("b", "k"), ""),
    ],
)
def test_what_could_be_taken_for_a_row_is_none(method: str, address: Address, raw: str) -> None:
    assert unlisted(method, address, Query.parse(raw), CIMultiDict()) is None


@pytest.mark.parametrize("name", ["x-amz-copy-source", "x-amz-rename-source"])
def test_what_names_a_source_needs_a_row(name: str) -> None:
    headers = CIMultiDict({name: "b/other"})
    assert unlisted("PUT", Address("b", "k"), Query.parse("foo"), headers) is None


def test_response_overrides_need_a_signature() -> None:
    address, query = Address("b", "k"), Query.parse("response-content-type=text/html")
    with pytest.raises(InvalidRequest):
        identify("GET", address, query, CIMultiDict())
    signed = CIMultiDict({"Authorization": "AWS4-HMAC-SHA256 …"})
    assert identify("GET", address, query, signed).name == "GetObject"
    presigned = query.adding("X-Amz-Signature", "ab")
    assert identify("GET", address, presigned, CIMultiDict()).name == "GetObject"


@pytest.mark.parametrize(
    ("headers", "dangerous"),
    [
        ([], False),
        ([("x-amz-acl", "private")], False),
        ([("x-amz-acl", "public-read")], True),
        ([("x-amz-acl", "bucket-owner-full-control")], True),
        ([("x-amz-acl", "private"), ("X-Amz-Acl", "public-read")], True),
        ([("x-amz-grant-read", "uri=…")], True),
    ],
)
def test_acl_other_than_private_is_dangerous(
    headers: list[tuple[str, str]], *, dangerous: bool
) -> None:
    fields = CIMultiDict(headers)
    for raw in ("", "uploads"):
        method = "POST" if raw else "PUT"
        found = identify(method, Address("b", "k"), Query.parse(raw), fields)
        assert found.dangerous is dangerous
    assert identify("PUT", Address("b"), Query(), fields).dangerous is dangerous
    assert not identify("GET", Address("b", "k"), Query(), fields).dangerous


@pytest.mark.parametrize(
    ("headers", "dangerous"),
    [
        ({"x-amz-acl": "private"}, False),
        ({"x-amz-acl": "private", "Content-Length": "0"}, False),
        ({"x-amz-acl": "private", "Content-Length": "9"}, True),
        ({"x-amz-acl": "private", "Transfer-Encoding": "chunked"}, True),
        ({"Content-Length": "9"}, True),
        ({"x-amz-acl": "public-read"}, True),
    ],
)
def test_putting_an_acl_is_dangerous_unless_it_is_private(
    headers: dict[str, str], *, dangerous: bool
) -> None:
    for address in (Address("b"), Address("b", "k")):
        found = identify("PUT", address, Query.parse("acl"), CIMultiDict(headers))
        assert found.dangerous is dangerous


def test_object_ownership_of_a_new_bucket_is_dangerous() -> None:
    fields = CIMultiDict({"x-amz-object-ownership": "ObjectWriter"})
    assert identify("PUT", Address("b"), Query(), fields).dangerous
    assert not identify("PUT", Address("b", "k"), Query(), fields).dangerous


@pytest.mark.parametrize(("value", "right"), [("true", Right.ADMIN), ("false", Right.WRITE)])
def test_bypassing_retention_needs_admin(value: str, right: Right) -> None:
    fields = CIMultiDict({"x-amz-bypass-governance-retention": value})
    assert identify("DELETE", Address("b", "k"), Query(), fields).right is right


def test_headers_and_parameters_go_on_by_the_row() -> None:
    fields = CIMultiDict(
        [
            ("Content-Encoding", "aws-chunked, gzip"),
            ("Content-Type", "text/csv"),
            ("X-Amz-Meta-A", "1"),
            ("x-amz-meta-a", "2"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("If-None-Match", "*"),
            ("Authorization", "AWS4…"),
            ("Cookie", "a=b"),
            ("X-Forwarded-For", "::1"),
            ("x-minio-force-delete", "true"),
            ("x-amz-copy-source-if-match", "x"),
            ("Content-Length", "3"),
        ]
    )
    query = Query.parse("x-id=PutObject&X-Amz-Date=1")
    put = identify("PUT", Address("b", "k"), query, fields)
    assert sorted(put.onward(fields).items()) == [
        ("content-encoding", "gzip"),
        ("content-type", "text/csv"),
        ("if-none-match", "*"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-meta-a", "1"),
        ("x-amz-meta-a", "2"),
    ]
    assert put.onward_query(query) == Query()
    only = CIMultiDict({"Content-Encoding": "aws-chunked"})
    assert "content-encoding" not in put.onward(only)
    listing = identify("GET", Address("b"), Query.parse("list-type=2&prefix=a&x-id=1"), fields)
    assert listing.onward_query(Query.parse("list-type=2&prefix=a&x-id=1")).encode() == (
        "list-type=2&prefix=a"
    )


def test_headers_in_a_presigned_url_are_headers() -> None:
    query = Query.parse("x-id=PutObject&x-amz-acl=public-read&X-Amz-Signature=ab&X-Amz-Date=1")
    rest, lifted = lift_headers(query, CIMultiDict({"Host": "h"}))
    assert rest == query.without({"x-amz-acl"})
    assert dict(lifted) == {"Host": "h", "x-amz-acl": "public-read"}
    assert identify("PUT", Address("b", "k"), rest, lifted).dangerous


def test_other_requests_are_not_lifted() -> None:
    headers = CIMultiDict({"Host": "h"})
    for raw in ("prefix=a&X-Amz-Signature=ab", "x-amz-acl=public-read"):
        query = Query.parse(raw)
        assert lift_headers(query, headers) == (query, headers)


@pytest.mark.parametrize(
    "raw",
    [
        "x-amz-acl=a&X-Amz-Acl=b&X-Amz-Signature=ab",
        "x-amz-meta-a=1&X-Amz-Signature=ab",
        "x-amz-meta-b=1%0D%0Ax-amz-acl:public-read&X-Amz-Signature=ab",
    ],
)
def test_lifted_header_is_one_header(raw: str) -> None:
    with pytest.raises(InvalidArgument):
        lift_headers(Query.parse(raw), CIMultiDict({"x-amz-meta-a": "2"}))


def test_version_is_taken_by_what_reads_or_deletes_one() -> None:
    names = {operation.name for operation in OPERATIONS if operation.reads_version}
    assert {"GetObject", "HeadObject", "DeleteObject", "GetObjectTagging"} <= names
    assert not names & {"PutObject", "ListObjects", "UploadPart", "CompleteMultipartUpload"}


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "LIST"]),
    st.sampled_from(list(ADDRESSES.values())),
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from(
                sorted({name for row in OPERATIONS for name in row.subresources | row.parameters})
            ),
        ),
        max_size=4,
    ),
)
def test_any_query_is_identified_or_refused(
    method: str, address: Address, names: list[str]
) -> None:
    query = Query(tuple((name, "1") for name in names))
    with refusals(400, 501):
        found = identify(method, address, query, CIMultiDict())
        assert {*names} - {"x-id"} <= found.subresources | found.parameters
        assert found.subresources <= {*names}
    assert (apart := unlisted(method, address, query, CIMultiDict())) is None or address.bucket
    assert apart is None or apart.onward_query(query) == query.without({"x-id"})


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("public", [False, True])
def test_what_each_request_asks_of_a_row_follows_its_changes(
    effect: Effect, right: Right, *, public: bool
) -> None:
    row = replace(BY_NAME["GetObject"], effect=effect, right=right, public=public)
    assert row.lists is (effect is Effect.LIST)
    assert row.reads_object is (effect is Effect.READ_OBJECT)
    assert row.opens is (public and right <= Right.READ)
