"""Names that a backend folds or keeps for itself lead around nothing; others stay apart."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway
from tests.acceptance.steps import (
    content,
    contents,
    make_gallery,
    manifest,
    publish,
    put,
    refused,
    stage,
    version_of,
)


def spellings(key: str) -> list[str]:
    """Raw paths below the workspace that SeaweedFS takes, or might take, for `key`."""
    head, _, tail = key.rpartition("/")
    return [
        f"/{key}",
        f"%2F{key}",
        f"%5C{key}",
        key.replace("/", "//"),
        key.replace("/", "%2F"),
        key.replace("/", "%2F/"),
        key.replace("/", "%5C"),
        key.replace("/", "/%5C"),
        f"{head}/./{tail}",
        f"{head}/%2E/{tail}",
        f"{head}/x/../{tail}",
        f"{head}/x/%2E%2E/{tail}",
        f"{head}//{tail}",
        f"{head}///{tail}",
    ]


def test_no_spelling_shows_what_is_staged(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {"data.csv": b"committed"})
    put(gateway.s3(), public_prefix, {"data.csv": b"staged", "new.csv": b"staged"})
    put(gateway.s3(), public_prefix, {"_manifest.yaml": manifest(name="staged")})
    for name in ("data.csv", "new.csv", "_manifest.yaml"):
        for spelling in [f"{public_prefix}/{name}", *spellings(f"{public_prefix}/{name}")]:
            target = f"/{WORKSPACE}/{spelling}"
            for answer in (gateway.request("GET", target), gateway.signed("GET", target, "read")):
                assert b"staged" not in answer.body, (spelling, answer)
                if answer.status == 200:
                    assert (name, answer.body) == ("data.csv", b"committed")
            door = gateway.request("GET", f"/{WORKSPACE}/artifact/{spelling}")
            assert b"staged" not in door.body, (spelling, door)


def test_no_spelling_lists_what_is_staged(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {"data.csv": b"committed"})
    put(gateway.s3(), public_prefix, {"data.csv": bytes(31_415), "new.csv": b"staged"})
    for above in (f"{public_prefix}/", public_prefix, f"{public_prefix}/new", "public/"):
        for spelling in [above, *spellings(above)]:
            prefix = quote(spelling, safe="%")
            for query in (f"list-type=2&prefix={prefix}", f"prefix={prefix}&max-keys=999"):
                target = f"/{WORKSPACE}?{query}"
                plain = gateway.request("GET", target)
                for answer in (plain, gateway.signed("GET", target, "read")):
                    listed = answer.body.partition(b"</Prefix>")[2]  # behind the prefix itself
                    new = f"{public_prefix}/new.csv".encode()
                    assert new not in listed, (spelling, answer.body)
                    assert b"<Size>31415</Size>" not in listed, (spelling, answer.body)


def test_no_spelling_leads_out_of_public(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"private"})
    targets = [
        *spellings(f"{prefix}/data.csv"),
        f"public/../{prefix}/data.csv",
        f"public/%2E%2E/{prefix}/data.csv",
        f"public%2F..%2F{prefix}/data.csv",
        f"public/..%5C{prefix}/data.csv",
        f"public%5C..%5C{prefix}%5Cdata.csv",
        f"./public/../{prefix}/data.csv",
    ]
    for target in targets:
        for base in (f"/{WORKSPACE}", f"/{WORKSPACE}/artifact", f"//{WORKSPACE}"):
            answer = gateway.request("GET", f"{base}/{target}")
            assert b"private" not in answer.body, (base, target, answer)
            assert answer.status in {400, 403, 404}, (base, target, answer)


def test_no_spelling_gets_around_a_grant(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"private"})
    key = f"{prefix}/data.csv"
    for spelling in spellings(key):
        answer = gateway.signed("PUT", f"/{WORKSPACE}/{spelling}", "read", body=b"x")
        assert answer.status in {400, 403}, (spelling, answer)
        answer = gateway.signed("DELETE", f"/{WORKSPACE}/{spelling}", "read")
        assert answer.status in {400, 403}, (spelling, answer)
        answer = gateway.signed("GET", f"/{WORKSPACE}/{spelling}", "other")
        assert answer.status in {400, 403, 404}, (spelling, answer)
        for source in (f"/{WORKSPACE}/{spelling}", f"{WORKSPACE}//{spelling}", spelling):
            copied = gateway.signed(
                "PUT",
                f"/{OTHER_WORKSPACE}/{prefix}",
                "other",
                {"x-amz-copy-source": source},
            )
            assert copied.status in {400, 403, 404}, (source, copied)
    assert content(gateway.s3(), key) == b"private"
    assert gateway.rpc("list", prefix=prefix, stage=True) == []


def test_no_spelling_gets_around_a_schema(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix, collection_schema={"required": ["name"]})
    whole = f"{prefix}/member/manifest.yaml"
    for number, key in enumerate(
        [
            whole.replace("/", "//"),
            f"/{whole}",
            whole.replace("/", "\\"),
            whole.replace("/", "/\\"),
            whole.replace("/manifest", "///manifest"),
        ]
    ):
        member = f"{prefix}/member-{number}"
        spelled = key.replace("member", f"member-{number}")
        with refused("SchemaViolation", 400):
            gateway.s3().put_object(Bucket=WORKSPACE, Key=spelled, Body=manifest(id="no name"))
        assert version_of(gateway, member) == 0
        gateway.s3().put_object(Bucket=WORKSPACE, Key=spelled, Body=manifest(name="named"))
        assert version_of(gateway, member) == 1


def test_a_folded_key_changes_the_artifact_it_is_folded_into(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"dir/data.csv": b"committed"})
    gateway.s3().put_object(Bucket=WORKSPACE, Key=f"{prefix}//dir\\data.csv", Body=b"staged")
    assert content(gateway.s3("read"), f"{prefix}/dir/data.csv") == b"committed"
    assert content(gateway.s3(), f"{prefix}/dir/data.csv") == b"staged"
    assert gateway.rpc("commit", prefix=prefix)["version"] == 2
    assert content(gateway.s3("read"), f"{prefix}/dir/data.csv") == b"staged"


def private_keys(gateway: Gateway, prefix: str) -> list[str]:
    """Where SeaweedFS keeps the versions of `data.csv`, and names of that kind."""
    client, bucket = gateway.backend.client(), gateway.backend.bucket
    versions = client.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/data.csv")["Versions"]
    assert len(versions) == 2
    folder = f"{prefix}/data.csv.versions"
    return [
        *(f"{folder}/v_{each['VersionId']}" for each in versions),
        f"{folder}/x",
        f"{prefix}/any.versions/deep/er",
        f"{prefix}//data.csv.versions/v_{versions[0]['VersionId']}",
        f"{prefix}/data.csv.versions\\v_{versions[0]['VersionId']}",
    ]


def test_private_keys_of_seaweedfs_are_refused(gateway: Gateway, public_prefix: str) -> None:
    prefix = public_prefix
    publish(gateway, prefix, {"data.csv": b"committed"})
    put(gateway.s3(), prefix, {"data.csv": b"staged"})
    keys = private_keys(gateway, prefix)
    for key in keys:
        target, above = f"/{WORKSPACE}/{quote(key)}", quote(key.replace("\\", "/"))
        requests: list[tuple[str, str, dict[str, str]]] = [
            ("GET", target, {}),
            ("PUT", target, {}),
            ("DELETE", target, {}),
            ("DELETE", f"{target}?versionId=null", {}),
            ("POST", f"{target}?uploads=", {}),
            ("PUT", f"/{WORKSPACE}/{prefix}-copy", {"x-amz-copy-source": target}),
            ("GET", f"/{WORKSPACE}?list-type=2&prefix={above.rpartition('/')[0]}%2F", {}),
        ]
        for method, where, headers in requests:
            answer = gateway.signed(method, where, "admin", headers)
            assert answer.status == 400, (method, where, answer)
            assert b"<Code>InvalidPath</Code>" in answer.body, (method, where, answer)
        assert gateway.signed("GET", target, "read").status == 400
        assert gateway.signed("HEAD", target, "read").status == 400
        assert gateway.request("GET", target).status == 400
        with contextlib.suppress(ClientError):
            batch = {"Objects": [{"Key": key}]}
            gone = gateway.s3().delete_objects(Bucket=WORKSPACE, Delete=batch)
            assert [each["Code"] for each in gone["Errors"]] == ["InvalidPath"]
    for path in ("a.versions/b", "data.csv.versions/x"):
        with refused("InvalidPath", 400):
            gateway.rpc("put_file", prefix=prefix, file_path=path)
    assert content(gateway.s3("read"), f"{prefix}/data.csv") == b"committed"
    assert content(gateway.s3(), f"{prefix}/data.csv") == b"staged"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of moto's server."""
    backend = Backend(tmp_path_factory.mktemp("moto"), kind="moto")
    running = Gateway(backend, tmp_path_factory.mktemp("gateway-of-moto"))
    try:
        backend.start()
        yield running.start()
    finally:
        running.stop()
        backend.kill()


def test_keys_that_moto_keeps_apart_stay_apart(plain: Gateway) -> None:
    prefix, client = plain.new_prefix(), plain.s3()
    keys = [
        f"{prefix}/a/b",
        f"{prefix}//a/b",
        f"{prefix}/a//b",
        f"/{prefix}/a/b",
        f"{prefix}/a\\b",
        f"{prefix}\\a\\b",
        f"{prefix}/./a/b",
        f"{prefix}/a/../a/b",
        f"{prefix}/a%2Fb",
        f"{prefix}/a/b.versions/c",
    ]
    for key in keys:
        client.put_object(Bucket=WORKSPACE, Key=key, Body=key.encode())
    direct = plain.backend.client()
    for key in keys:
        assert content(client, key) == key.encode()
        assert direct.get_object(Bucket=WORKSPACE, Key=key)["Body"].read() == key.encode()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=WORKSPACE)
    listed = {each["Key"] for page in pages for each in page["Contents"]}
    assert set(keys) <= listed
    client.delete_object(Bucket=WORKSPACE, Key=keys[0])
    assert content(client, keys[0]) is None
    assert all(content(client, key) == key.encode() for key in keys[1:])


def test_an_artifact_lives_on_moto_too(plain: Gateway) -> None:
    prefix = plain.new_prefix(public=True)
    stage(plain, prefix, {"data.csv": b"one", "a//b": b"two"}, name="one")
    with refused("InvalidPath", 400) as refusal:
        plain.rpc("commit", prefix=prefix)
    assert "a//b" in refusal.message
    plain.s3().delete_object(Bucket=WORKSPACE, Key=f"{prefix}/a//b")
    assert plain.rpc("commit", prefix=prefix)["version"] == 1
    put(plain.s3(), prefix, {"data.csv": b"staged", "a/b": b"another"})
    committed = {"data.csv": b"one", "manifest.yaml": manifest(name="one")}
    assert contents(plain.s3("read"), prefix) == committed
    assert content(plain.s3("anonymous"), f"{prefix}/a/b") is None
    assert plain.rpc("commit", prefix=prefix)["version"] == 2
    assert contents(plain.s3("read"), prefix) == {
        **committed,
        "data.csv": b"staged",
        "a/b": b"another",
    }
