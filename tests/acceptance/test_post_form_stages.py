"""Forms into artifacts: what a PUT of the key would do, and nothing else."""

import pytest

from tests.acceptance.forms import LARGE, SUBMIT, Form, sign
from tests.acceptance.harness import (
    WORKSPACE,
    Gateway,
    Response,
)
from tests.acceptance.silence import code
from tests.acceptance.steps import content, keys_below, make_gallery, manifest, publish, stage
from tests.acceptance.views import refusal


def post(gateway: Gateway, key: str, data: bytes, **fields: str) -> Response:
    """The answer to the writer's form for this key; `_` in names of fields stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Form(sign(gateway.s3(), key, named), data).send(gateway.port)


def test_a_form_stages_a_file(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {"data.csv": b"old"})
    key = f"{public_prefix}/data.csv"
    answer = post(gateway, key, b"new", x_amz_meta_download_weight="0.5", Content_Type="text/csv")
    assert answer.status == 204
    assert answer.headers["x-amz-version-id"]
    assert (content(gateway.s3(), key), content(gateway.s3("read"), key)) == (b"new", b"old")
    (staged,) = gateway.rpc("list_files", prefix=public_prefix, stage=True)
    assert (staged["size"], staged["download_weight"]) == (3, 0.5)
    assert gateway.rpc("commit", prefix=public_prefix)["version"] == 2
    assert content(gateway.s3("read"), key) == b"new"


def test_a_form_that_fails_leaves_no_staged_file(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"old"})
    key = f"{prefix}/data.csv"
    form = Form(sign(gateway.s3(), key), LARGE, end=SUBMIT)
    assert form.send(gateway.port).status == 400
    assert post(gateway, key, b"new", x_amz_meta_download_weight="heavy").status == 400
    for client in (gateway.s3(), gateway.s3("read"), gateway.backend.client()):
        assert content(client, key) == b"old"
    listed = gateway.backend.client().list_object_versions(Bucket=WORKSPACE, Prefix=key)
    assert len(listed["Versions"]) == 1
    assert refusal(lambda: gateway.rpc("commit", prefix=prefix)) == (409, "NotStaged")


def test_forms_stage_and_commit_manifests(gateway: Gateway, prefix: str) -> None:
    assert post(gateway, f"{prefix}/_manifest.yaml", manifest(name="A")).status == 204
    assert post(gateway, f"{prefix}/data.csv", b"data").status == 204
    assert gateway.rpc("read", prefix=prefix, stage=True)["name"] == "A"
    answer = post(
        gateway, f"{prefix}/manifest.yaml", manifest(name="B"), success_action_status="201"
    )
    assert answer.status == 204
    told = gateway.rpc("read", prefix=prefix, key="read")
    assert (told["name"], told["_version"]) == ("B", 1)
    assert [each["path"] for each in told["files"]] == ["data.csv"]
    assert content(gateway.s3("read"), f"{prefix}/manifest.yaml") == manifest(name="B")


@pytest.mark.parametrize("name", ["manifest.yaml", "_manifest.yaml"])
@pytest.mark.parametrize("data", [b"type: [broken", b"type: a\n" + LARGE], ids=["bad", "long"])
def test_a_form_with_a_bad_manifest_changes_nothing(
    gateway: Gateway, prefix: str, name: str, data: bytes
) -> None:
    stage(gateway, prefix, {"data.csv": b"data"}, name="A")
    before = keys_below(gateway.backend.client(), prefix)
    answer = post(gateway, f"{prefix}/{name}", data)
    assert (answer.status, code(answer)) == (400, "InvalidManifest")
    assert keys_below(gateway.backend.client(), prefix) == before


def test_a_form_below_a_collection_waits_for_its_manifest(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix)
    key = f"{prefix}/member/data.csv"
    assert post(gateway, key, b"data").status == 204
    assert content(gateway.s3(), key) == b"data"
    assert content(gateway.s3("read"), key) is None
    assert post(gateway, f"{prefix}/member/manifest.yaml", manifest(name="M")).status == 204
    assert content(gateway.s3("read"), key) == b"data"


def test_a_spelling_of_a_key_gets_around_nothing(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"old"})
    for spelled in (f"/{prefix}//data.csv", f"{prefix}\\data.csv"):
        assert post(gateway, spelled, b"new").status == 204
        assert content(gateway.s3("read"), f"{prefix}/data.csv") == b"old"
