"""The artifact manager's methods by plain HTTP, as web applications written for Hypha call them."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Document, Gateway, Response
from tests.acceptance.hypha import token

DATASET = {"type": "dataset", "name": "One"}
PAGE = {"Origin": "https://app.example"}


def ask(
    gateway: Gateway,
    method: str,
    arguments: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a GET."""
    query = f"?{urlencode(arguments)}" if arguments else ""
    target = f"/{WORKSPACE}/services/artifact-manager/{method}{query}"
    return gateway.request("GET", target, headers)


def post(
    gateway: Gateway, method: str, key: str | None = "write", **arguments: Document
) -> Response:
    """The answer to a POST of JSON, with a token that a key has issued, or without one."""
    headers = {"Content-Type": "application/json"}
    if key is not None:
        issued = token(gateway, KEYS[key].access_key_id, KEYS[key].grants)
        headers["Authorization"] = f"Bearer {issued}"
    target = f"/{WORKSPACE}/services/artifact-manager/{method}"
    return gateway.request("POST", target, headers, json.dumps(arguments).encode())


def refused(answer: Response, status: int) -> str:
    """What a refusal says, as Hypha's HTTP services do."""
    assert answer.status == status, answer.body
    told = json.loads(answer.body)
    assert told["success"] is False
    assert told["error"]["message"]
    return str(told["detail"])


def test_a_post_calls_any_method(gateway: Gateway, prefix: str) -> None:
    made = post(gateway, "create", prefix=prefix, manifest=DATASET, stage=True).json()
    assert made["name"] == "One"
    assert post(gateway, "commit", prefix=prefix).json()["version"] == 1
    assert post(gateway, "read", prefix=prefix).json()["_version"] == 1
    assert post(gateway, "delete", prefix=prefix).json() is None


def test_a_get_reads_with_its_arguments_in_the_query(gateway: Gateway, public_prefix: str) -> None:
    gateway.rpc("create", prefix=public_prefix, manifest={"type": "collection", "name": "All"})
    for number in range(3):
        member = DATASET | {"number": number}
        gateway.rpc("create", prefix=f"{public_prefix}/m{number}", manifest=member)
    here = {"prefix": public_prefix}
    assert ask(gateway, "read", here).json()["name"] == "All"
    assert ask(gateway, "read", here | {"stage": "false", "version": "1"}).json()["name"] == "All"
    assert ask(gateway, "list", here).json() == ["m0", "m1", "m2"]
    found = ask(gateway, "search", here | {"filters": '{"number": {"gte": 1}}', "mode": "AND"})
    assert [item["_prefix"][-2:] for item in found.json()] == ["m1", "m2"]
    for keywords in ("One", '["one"]'):
        found = ask(gateway, "children", here | {"keywords": keywords, "limit": "2"})
        assert (found.json()["total"], len(found.json()["items"])) == (3, 2)


def test_a_get_changes_nothing(gateway: Gateway, prefix: str) -> None:
    for method in ("create", "delete", "keys.create", "generate_token"):
        answer = ask(gateway, method, {"prefix": prefix})
        assert refused(answer, 405).startswith(f"ValueError: {method} changes something")


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"stage": "maybe"}, "ValueError: stage is JSON in the query"),
        ({"stage": "1"}, "ValueError: 'stage' of read is true or false"),
        ({"version": "[1"}, "ValueError: version is JSON in the query"),
        ({"other": "1"}, "ValueError: read has no argument 'other'"),
    ],
)
def test_arguments_that_are_none_are_named(
    gateway: Gateway, arguments: dict[str, str], detail: str
) -> None:
    answer = ask(gateway, "read", {"prefix": "public/x"} | arguments)
    assert refused(answer, 400).startswith(detail)
    twice = f"/{WORKSPACE}/services/artifact-manager/read?prefix=a&prefix=b"
    assert "more than once" in refused(gateway.request("GET", twice), 400)


def test_refusals_have_their_status_and_hypha_names(gateway: Gateway, prefix: str) -> None:
    post(gateway, "create", prefix=prefix, manifest=DATASET)
    answer = post(gateway, "create", prefix=prefix, manifest=DATASET)
    assert refused(answer, 409).startswith(f"FileExistsError: Artifact under prefix '{prefix}'")
    assert json.loads(answer.body)["error"]["code"] == "ArtifactExists"
    assert refused(post(gateway, "read", prefix="none"), 404).startswith("KeyError: Artifact")
    assert refused(post(gateway, "commit", prefix=prefix), 409).startswith("ValueError: ")
    assert refused(post(gateway, "nothing"), 404).startswith("KeyError: there is no method")
    assert refused(post(gateway, "read", key=None, prefix=prefix), 403).startswith(
        "PermissionError"
    )
    assert refused(post(gateway, "edit", key="read", prefix=prefix), 403).startswith("Permission")
    assert refused(ask(gateway, "read", {}, {"Authorization": "Bearer x.y.z"}), 403)
    plain = {"Content-Type": "text/plain"}
    target = f"/{WORKSPACE}/services/artifact-manager/read"
    assert "application/json" in refused(gateway.request("POST", target, plain, b"{}"), 400)


def test_pages_of_any_origin_read_what_is_public_and_nothing_else(
    gateway: Gateway, public_prefix: str, prefix: str
) -> None:
    for each in (public_prefix, prefix):
        gateway.rpc("create", prefix=each, manifest=DATASET)
    answer = ask(gateway, "read", {"prefix": public_prefix}, PAGE)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    for arguments in ({"prefix": prefix}, {"prefix": public_prefix, "stage": "true"}, {}):
        answer = ask(gateway, "read", arguments, PAGE)
        assert answer.status in {400, 403}
        assert answer.headers["Access-Control-Allow-Origin"] is None
    announced = {"Access-Control-Request-Method": "POST"}
    announced["Access-Control-Request-Headers"] = "content-type"
    target = f"/{WORKSPACE}/services/artifact-manager/read"
    assert gateway.request("OPTIONS", target, PAGE | announced).status == 403


def test_what_is_signed_is_for_the_s3_door(gateway: Gateway) -> None:
    key = "services/artifact-manager/read"
    gateway.s3().put_object(Bucket=WORKSPACE, Key=key, Body=b"an object")
    assert gateway.signed("GET", f"/{WORKSPACE}/{key}").body == b"an object"


def test_callers_without_a_token_hold_what_the_configuration_gives_them(hypha: Gateway) -> None:
    prefix = hypha.new_prefix()
    made = post(hypha, "create", key=None, prefix=prefix, manifest=DATASET)
    assert made.json()["name"] == "One"
    assert refused(post(hypha, "generate_token", key=None), 403).startswith("PermissionError")
    assert hypha.anonymous("GET", f"/{WORKSPACE}/artifact/{prefix}").status_code == 403
    assert hypha.anonymous("PUT", f"/{WORKSPACE}/{prefix}/x", data=b"x").status_code == 403
    assert f"whoever reaches this port holds 'write' on {WORKSPACE}" in hypha.logged()
    listed = hypha.rpc("keys.list", key="admin")
    (key,) = (each for each in listed if each["access_key_id"] == "hypha~anonymous")
    assert key["grants"] == {WORKSPACE: "write"}
    forged = {"Authorization": "Bearer hypha~anonymous"}
    assert hypha.request("GET", f"/{WORKSPACE}?list-type=2", forged).status == 400
