"""Every method of the registry through the Python client, asynchronous and not."""

import asyncio
from collections.abc import Iterator

import pytest
import requests

from gateway.client import (
    ArtifactExists,
    AsyncClient,
    Client,
    Denied,
    InvalidArgument,
    NoSuchArtifact,
    NotReached,
)
from gateway.client.patience import Patience
from gateway.services.registry.method import METHODS
from tests.acceptance.harness import KEYS, WORKSPACE, Gateway
from tests.acceptance.processes import free_port
from tests.acceptance.pythons import client_of

FORMS = ["sync", "async"]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Each of the two clients in turn."""
    return str(request.param)


@pytest.fixture
def client(gateway: Gateway, form: str) -> Iterator[Client]:
    """Each of the two clients in turn, with the writer's key."""
    with client_of(gateway, form) as made:
        yield made


def put(client: Client, prefix: str, path: str, data: bytes) -> None:
    url = client.put_file(prefix, path, {"download_weight": 2, "expires_in": 60})
    assert isinstance(url, str)
    assert requests.put(url, data=data, timeout=30).status_code == 200


def test_a_life_by_every_method(  # noqa: PLR0915 - there are so many
    gateway: Gateway, client: Client, form: str, prefix: str
) -> None:
    called = set()
    with client_of(gateway, form, "admin") as admin:
        collection = client.create(prefix, {"type": "collection", "name": "All"})
        assert (collection["_version"], collection["type"]) == (1, "collection")
        member = f"{prefix}/one"
        fields = {"type": "dataset", "name": "One"}
        assert client.create(member, fields, stage=True)["_stage"]["added"] == []
        put(client, member, "a.csv", b"a")
        upload = client.put_file(member, "b/c.bin", {"parts": 1, "content_type": "text/csv"})
        assert not isinstance(upload, str)
        etag = requests.put(upload["parts"][0]["url"], data=b"bc", timeout=30).headers["ETag"]
        file = client.complete_file(
            member, "b/c.bin", upload["upload_id"], [{"part_number": 1, "etag": etag}]
        )
        assert (file["name"], file["size"], file["content_type"]) == ("c.bin", 2, "text/csv")
        put(client, member, "gone.csv", b"gone")
        client.remove_file(member, "gone.csv")
        commit = client.commit(member, "the first")
        assert (commit["version"], [pin["path"] for pin in commit["files"]]) == (
            1,
            ["a.csv", "b/c.bin"],
        )
        called |= {"create", "put_file", "complete_file", "remove_file", "commit"}

        assert requests.get(client.get_file(member, "a.csv"), timeout=30).content == b"a"
        client.set_download_weight(member, "a.csv", 0.5)
        listed = client.list_files(member, limit=1)
        assert [(e["name"], e["type"]) for e in listed] == [("a.csv", "file")]
        assert client.list_files(member, offset=1)[0]["type"] == "directory"
        assert client.read(member, silent=True)["_stats"]["download_count"] == 2
        assert client.stats(member)["series"][0]["downloads"] == 1
        assert client.list(prefix) == ["one"]
        assert client.children(prefix, limit=1, order_by=["name"])["total"] == 1
        assert [m["_prefix"] for m in client.search(prefix, ["one"])] == [member]
        assert client.search(prefix, filters={"name": "Two"}) == []
        called |= {"get_file", "set_download_weight", "list_files", "read", "stats"}
        called |= {"list", "children", "search"}

        client.edit(member, {**fields, "name": "Uno"})
        client.discard(member)
        client.edit(member, {**fields, "name": "Eins"})
        assert client.commit(member)["version"] == 2
        assert client.rollback(member, 1)["manifest"]["name"] == "One"
        assert [v["version"] for v in client.versions(member)] == [3, 2, 1]
        assert client.read(member, version=2)["name"] == "Eins"
        assert client.index(prefix)["members"] == 1
        called |= {"edit", "discard", "rollback", "versions", "index"}

        admin.reset_stats(member)
        assert client.read(member, silent=True)["_stats"]["download_count"] == 0
        key = admin.keys.create("passing", {WORKSPACE: "read"})
        assert key["access_key_id"] in {each["access_key_id"] for each in admin.keys.list()}
        token = admin.generate_token({WORKSPACE: "write"}, expires_in=60)
        with client_of(gateway, form, token=token) as bearer:
            assert bearer.list(prefix) == ["one"]
        admin.keys.revoke(key["access_key_id"])
        called |= {"reset_stats", "keys.create", "keys.list", "keys.revoke", "generate_token"}

        client.delete(prefix, recursive=True)
        with pytest.raises(NoSuchArtifact):
            client.read(prefix)
        assert called | {"delete"} == METHODS.keys()


def test_refusals_are_builtins_too(client: Client, prefix: str) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        client.read(prefix)
    assert isinstance(missing.value, NoSuchArtifact)
    assert (missing.value.status, missing.value.details["prefix"]) == (404, prefix)
    client.create(prefix, {"type": "dataset"})
    with pytest.raises(FileExistsError) as exists:
        client.create(prefix, {"type": "dataset"})
    assert isinstance(exists.value, ArtifactExists)
    with pytest.raises(ValueError, match="InvalidManifest"):
        client.edit(prefix, {"name": "without a type"})
    with pytest.raises(RuntimeError, match="NotStaged"):
        client.commit(prefix)
    with pytest.raises(PermissionError, match="AccessDenied"):
        client.generate_token()


def test_without_credentials_what_is_public_is_read(
    gateway: Gateway, form: str, public_prefix: str, prefix: str
) -> None:
    with client_of(gateway, form) as writer:
        writer.create(public_prefix, {"type": "dataset", "name": "Open"})
        writer.create(prefix, {"type": "dataset"})
    with client_of(gateway, form, "anonymous") as anyone:
        assert anyone.read(public_prefix)["name"] == "Open"
        with pytest.raises(Denied):
            anyone.read(prefix)


def test_credentials_that_do_not_hold_are_refused(gateway: Gateway, form: str) -> None:
    with (
        client_of(gateway, form, token="no-token") as forger,
        pytest.raises(PermissionError, match="AccessDenied"),
    ):
        forger.list()
    key = KEYS["write"].access_key_id
    with (
        client_of(gateway, form, access_key_id=key, secret_access_key="x") as forger,
        pytest.raises(PermissionError, match="SignatureDoesNotMatch"),
    ):
        forger.list()


def test_half_of_credentials_or_two_kinds_are_refused_at_once() -> None:
    for given in ({"access_key_id": "a"}, {"secret_access_key": "b"}):
        with pytest.raises(InvalidArgument, match="missing"):
            AsyncClient("http://127.0.0.1:1", WORKSPACE, **given)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="not both"):
        AsyncClient("http://127.0.0.1:1", WORKSPACE, token="t", access_key_id="a")
    with pytest.raises(InvalidArgument, match="address"):
        AsyncClient("127.0.0.1:9000", WORKSPACE, token="t")


def test_what_is_no_json_is_not_sent(client: Client, prefix: str) -> None:
    with pytest.raises(InvalidArgument, match="no JSON"):
        client.create(prefix, {"type": b"dataset"})


def test_a_gateway_that_is_not_there_is_a_connection_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasty = Patience(attempts=2, first=0.01)
    monkeypatch.setattr("gateway.client.client.Patience", lambda: hasty)
    with (
        Client(f"http://127.0.0.1:{free_port()}", WORKSPACE) as client,
        pytest.raises(ConnectionError) as caught,
    ):
        client.list()
    assert isinstance(caught.value, NotReached)
    assert caught.value.unsent


async def test_it_works_inside_an_event_loop(gateway: Gateway) -> None:
    with client_of(gateway) as client:
        with pytest.raises(NoSuchArtifact):
            client.get_file("absent", "absent")
        await asyncio.sleep(0)
