"""Operations that a backend would take for others, and settings that would cost old versions."""

import base64
import hashlib
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Document, Gateway
from tests.acceptance.steps import content, manifest, publish, put, refused

UNKNOWN = ["annotation&annotationName=x", "encryption"]
OPEN, CLOSE = b"<VersioningConfiguration>", b"</VersioningConfiguration>"
SUSPENDED = (
    OPEN + b"<Status>Suspended</Status>" + CLOSE,
    OPEN + b"<Status>Enabled</Status><Status>Suspended</Status>" + CLOSE,
    OPEN + CLOSE,
    OPEN + b'<q:Status xmlns:q="urn:x">Suspended</q:Status>' + CLOSE,
)
ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
NONCURRENT = (
    b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>"
    b"<Filter><Prefix></Prefix></Filter><NoncurrentVersionExpiration>"
    b"<NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule>"
    b"</LifecycleConfiguration>"
)


def expiring(prefix: str) -> bytes:
    """A lifecycle that expires what lies below a prefix after a day."""
    return (
        "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>"
        f"{prefix}</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule>"
        "</LifecycleConfiguration>"
    ).encode()


@pytest.fixture(scope="module")
def own(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a workspace of its own, whose settings may change."""
    for name in ("settings", "settings-late"):
        backend.client().create_bucket(Bucket=name)
    settings: dict[str, Document] = {
        "workspaces": {
            "settings": {"bucket": "settings"},
            OTHER_WORKSPACE: {"bucket": "settings-late"},
        },
        "system": {"bucket": "settings-system", "prefix": ""},
    }
    running = Gateway(backend, tmp_path_factory.mktemp("settings"), settings, workspace="settings")
    try:
        yield running.start()
    finally:
        running.stop()


def deletion(key: str, version: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a DeleteObjects of one version."""
    body = (
        f"<Delete><Object><Key>{key}</Key><VersionId>{version}</VersionId></Object></Delete>"
    ).encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return body, {"Content-MD5": digest}


@pytest.mark.parametrize("query", UNKNOWN)
@pytest.mark.parametrize("path", ["data.csv", "manifest.yaml", "_manifest.yaml", "ordinary"])
def test_unknown_subresources_of_a_put_write_nothing(
    gateway: Gateway, prefix: str, query: str, path: str
) -> None:
    if path != "ordinary":
        publish(gateway, prefix, {"data.csv": b"committed"})
    else:
        put(gateway.s3(), prefix, {path: b"plain"})
    target = f"/{WORKSPACE}/{prefix}/{path}"
    before = gateway.signed("GET", target)
    answer = gateway.signed("PUT", f"{target}?{query}", body=b"type: [broken")
    assert (answer.status, b"<Code>NotImplemented</Code>" in answer.body) == (501, True)
    after = gateway.signed("GET", target)
    assert (after.status, after.headers["ETag"]) == (before.status, before.headers["ETag"])
    assert prefix not in gateway.rpc("list", stage=True)


def test_unknown_subresources_delete_and_read_nothing(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    query = f"annotation&annotationName=x&versionId={version}"
    assert gateway.signed("DELETE", f"/{WORKSPACE}/{key}?{query}").status == 501
    assert gateway.signed("GET", f"/{WORKSPACE}/{key}?torrent", "read").status == 501
    assert content(gateway.s3("read"), key) == b"committed"


@pytest.mark.parametrize("query", ["metrics&id=a", "analytics&id=a", "intelligent-tiering&id=a"])
def test_settings_that_the_backend_does_not_know_are_refused(own: Gateway, query: str) -> None:
    for method in ("PUT", "DELETE"):
        answer = own.signed(method, f"/settings?{query}", "admin", body=b"")
        assert answer.status in {403, 501}
    assert own.signed("GET", "/settings", "admin").status == 200


def test_tags_of_a_pinned_version_stay(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    answer = gateway.signed("DELETE", f"/{WORKSPACE}/{key}?tagging&versionId={version}")
    assert (answer.status, b"AccessDenied" in answer.body) == (403, True)


def test_versions_of_deleted_artifacts_are_not_destroyed(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    gateway.rpc("delete", prefix=prefix)
    for spelled in (key, f"{key}/", key.replace("/", "//")):
        body, headers = deletion(spelled, version)
        answer = gateway.signed("POST", f"/{WORKSPACE}?delete", headers=headers, body=body)
        assert answer.status == 200
        assert b"<Code>AccessDenied</Code>" in answer.body
        assert b"<Deleted>" not in answer.body
        single = gateway.signed("DELETE", f"/{WORKSPACE}/{spelled}?versionId={version}")
        assert single.status == 403
    kept = gateway.s3().get_object(Bucket=WORKSPACE, Key=key, VersionId=version)
    assert kept["Body"].read() == b"committed"


@pytest.mark.parametrize("reader", ["read", "anonymous"])
def test_versions_of_deleted_artifacts_are_for_writers(gateway: Gateway, reader: str) -> None:
    prefix = gateway.new_prefix(public=True)
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    gateway.rpc("delete", prefix=prefix)
    with refused("NoSuchVersion", 404):
        gateway.s3(reader).get_object(Bucket=WORKSPACE, Key=key, VersionId=version)


def test_object_answers_are_sandboxed_whatever_they_are_called(gateway: Gateway) -> None:
    prefix = gateway.new_prefix(public=True)
    publish(gateway, prefix, {"x.html": b"<script></script>"})
    for query in ("", "?tagging", "?acl"):
        answer = gateway.signed("GET", f"/{WORKSPACE}/{prefix}/x.html{query}", "read")
        if answer.status == 200:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "sandbox"


def test_old_versions_are_kept_while_records_are(own: Gateway) -> None:
    own.s3("admin").put_object(Bucket="settings", Key="set/a.csv", Body=b"one")
    own.rpc("create", key="admin", prefix="set", manifest={"type": "dataset"})
    for document in SUSPENDED:
        answer = own.signed("PUT", "/settings?versioning", "admin", body=document)
        assert answer.status in {400, 409}, document
    for prefix in ("", "se", "set/a"):
        answer = own.signed("PUT", "/settings?lifecycle", "admin", body=expiring(prefix))
        assert (answer.status, b"InvalidBucketState" in answer.body) == (409, True)
    answer = own.signed("PUT", "/settings?lifecycle", "admin", body=expiring("tmp/"))
    assert answer.status == 200
    own.rpc("delete", key="admin", prefix="set")
    for query, document in (("versioning", SUSPENDED[0]), ("lifecycle", NONCURRENT)):
        answer = own.signed("PUT", f"/settings?{query}", "admin", body=document)
        assert (answer.status, b"InvalidBucketState" in answer.body) == (409, True)
    own.signed("PUT", "/settings?versioning", "admin", body=ENABLED)
    state = own.s3("admin").get_bucket_versioning(Bucket="settings")
    assert state["Status"] == "Enabled"


def test_versioning_that_a_client_suspended_is_seen(backend: Backend, own: Gateway) -> None:
    admin = own.s3("admin")
    admin.put_bucket_versioning(
        Bucket=OTHER_WORKSPACE, VersioningConfiguration={"Status": "Enabled"}
    )
    put_manifest = {"Bucket": OTHER_WORKSPACE, "Key": "late/_manifest.yaml", "Body": manifest()}
    admin.put_object(**put_manifest)  # the gateway has seen versioning on
    admin.delete_object(Bucket=OTHER_WORKSPACE, Key="late/_manifest.yaml")
    admin.put_bucket_versioning(
        Bucket=OTHER_WORKSPACE, VersioningConfiguration={"Status": "Suspended"}
    )
    admin.put_object(**put_manifest)
    state = backend.client().get_bucket_versioning(Bucket="settings-late")
    assert state["Status"] == "Enabled"


def test_upload_urls_end_with_their_artifact(gateway: Gateway, prefix: str) -> None:
    gateway.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    url = gateway.rpc("put_file", prefix=prefix, file_path="a.csv")
    target = url.removeprefix(gateway.url)
    assert gateway.request("PUT", target, body=b"one").status == 200
    gateway.rpc("discard", prefix=prefix)
    late = gateway.request("PUT", target, body=b"late")
    assert (late.status, b"NotStaged" in late.body) == (409, True)
    assert content(gateway.s3(), f"{prefix}/a.csv") != b"late"


def test_parts_make_an_ordinary_manifest_yaml_but_no_artifact(
    gateway: Gateway, prefix: str
) -> None:
    client, key = gateway.s3(), f"{prefix}/manifest.yaml"
    place = {"Bucket": WORKSPACE, "Key": key}

    def upload(body: bytes) -> Document:
        made = client.create_multipart_upload(**place)["UploadId"]
        etag = client.upload_part(**place, UploadId=made, PartNumber=1, Body=body)["ETag"]
        parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
        return {**place, "UploadId": made, "MultipartUpload": parts}

    client.complete_multipart_upload(**upload(b"name: no type\n"))
    with refused("InvalidManifest", 400):
        client.complete_multipart_upload(**upload(manifest()))
    assert content(client, key) == b"name: no type\n"
    assert prefix not in gateway.rpc("list")
    begun = upload(b"name: late\n")
    gateway.rpc("create", prefix=prefix, manifest={"type": "dataset", "name": "n"}, overwrite=True)
    with refused("InvalidManifest", 400):
        client.complete_multipart_upload(**begun)
    with refused("InvalidManifest", 400):
        client.create_multipart_upload(Bucket=WORKSPACE, Key=f"{prefix}x/_manifest.yaml")
    assert gateway.rpc("read", prefix=prefix)["name"] == "n"


def test_metrics_are_not_for_whom_a_proxy_speaks(gateway: Gateway) -> None:
    for name in ("Forwarded", "X-Real-IP", "X-Forwarded-For", "Via"):
        answer = gateway.anonymous("GET", "/_metrics", headers={name: "192.0.2.1"})
        assert answer.status_code == 403
    assert gateway.anonymous("GET", "/_metrics").status_code == 200
