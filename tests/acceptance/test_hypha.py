"""The Hypha door, as clients of the real package see it: what is there, and who may."""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping

import pytest

from gateway.services.registry.method import METHODS
from tests.acceptance.harness import KEYS, OTHER_WORKSPACE, WORKSPACE, Document, Gateway
from tests.acceptance.hypha import Service, connected, manager, raw, token
from tests.waiting import wait_until

DATASET = {"type": "dataset", "name": "One", "description": "the first"}
CONNECTIONS, CALLS = 50, 2_000


def held(gateway: Gateway, key: str) -> str:
    """A token with all that a key of the test configuration holds."""
    return token(gateway, KEYS[key].access_key_id, KEYS[key].grants)


async def refusal(call: Document) -> str:
    """The text of the exception that a call ends with."""
    with pytest.raises(Exception, match=r"^RemoteError:") as raised:
        await call
    assert "Traceback" not in str(raised.value)
    assert "gateway/" not in str(raised.value)
    return str(raised.value).removeprefix("RemoteError:")


async def test_every_method_is_there_with_its_arguments(gateway: Gateway) -> None:
    async with manager(gateway, token=held(gateway, "write")) as service:
        for method in METHODS.values():
            found: Document = service
            for part in method.name.split("."):
                found = found[part]
            schema = found.__schema__["parameters"]
            assert list(schema["properties"]) == [each.name for each in method.arguments]
            required = [each.name for each in method.arguments if each.required]
            assert schema.get("required", []) == required


async def test_arguments_come_by_place_and_by_name(gateway: Gateway, prefix: str) -> None:
    async with manager(gateway, token=held(gateway, "write")) as service:
        await service.create(prefix, DATASET, stage=True)
        assert (await service.read(prefix, *[True]))["name"] == "One"
        assert (await service.read(prefix=prefix, stage=True))["name"] == "One"
        told = await refusal(service.read(prefix, prefix=prefix))
        assert told.startswith("ValueError: read got 'prefix' by place and by name")
        told = await refusal(service.read(prefix, stge=True))
        assert told.startswith("ValueError: read has no argument 'stge'; it takes prefix, stage")
        told = await refusal(service.read(*range(5)))
        assert told.startswith("ValueError: read takes 4 arguments, and 5 were given")


async def test_errors_are_named_as_those_that_users_catch(gateway: Gateway, prefix: str) -> None:
    schema = {"type": "object", "required": ["description"]}
    collection = {"type": "collection", "name": "All", "collection_schema": schema}
    member = f"{prefix}/one"
    async with manager(gateway, token=held(gateway, "write")) as service:
        await service.create(prefix=prefix, manifest=collection)
        told = await refusal(service.create(prefix=prefix, manifest=collection))
        assert told.startswith(f"FileExistsError: Artifact under prefix '{prefix}' already exists")
        await service.create(prefix=member, manifest=DATASET, stage=True)
        await service.put_file(prefix=member, file_path="missing.csv")
        told = await refusal(service.commit(prefix=member))
        assert told.startswith("FileNotFoundError: ")
        assert "missing.csv" in told
        await service.remove_file(prefix=member, file_path="missing.csv")
        await service.edit(prefix=member, manifest={"type": "dataset"})
        told = await refusal(service.commit(prefix=member))
        assert told == "ValueError: ValidationError: 'description' is a required property\n"
        told = await refusal(service.read(prefix=f"{prefix}/none"))
        assert told.startswith(f"KeyError: Artifact under prefix '{prefix}/none' does not exist")
        told = await refusal(service.commit(prefix=f"{prefix}/none"))
        assert told.startswith("FileNotFoundError: Artifact under prefix")
        told = await refusal(service.put_file(prefix=prefix, file_path="x"))
        assert told.startswith("ValueError: no edit of")
        told = await refusal(service.read(prefix="../up"))
        assert told.startswith("ValueError: '../up' can't be an artifact's prefix")
        for unfit in (b"bytes", {1, 2}, print, float("nan")):
            told = await refusal(service.edit(member, {"type": "dataset", "field": unfit}))
            assert told.startswith("ValueError: 'manifest' holds "), told


async def test_a_field_that_would_be_code_to_a_client_is_left_out(
    gateway: Gateway, prefix: str
) -> None:
    trap = {"_rtype": "method", "_rtarget": "x/y", "_rmethod": "services.x.y", "kept": 2**70}
    gateway.rpc("create", prefix=prefix, manifest=DATASET | {"trap": trap})
    async with manager(gateway, token=held(gateway, "read")) as service:
        manifest = await service.read(prefix=prefix)
    assert manifest["trap"] == {"_rtarget": "x/y", "_rmethod": "services.x.y", "kept": 2.0**70}


async def test_what_is_long_goes_in_pieces_both_ways(gateway: Gateway, prefix: str) -> None:
    text = secrets.token_hex(400_000)
    async with manager(gateway, token=held(gateway, "write")) as service:
        told = await service.create(prefix=prefix, manifest=DATASET | {"text": text}, stage=True)
        assert told["text"] == text
        assert (await service.read(prefix=prefix, stage=True))["text"] == text


async def test_a_token_gives_its_grants_and_no_more(gateway: Gateway, prefix: str) -> None:
    gateway.rpc("create", prefix=prefix, manifest=DATASET)
    async with manager(gateway, token=held(gateway, "read")) as service:
        assert (await service.read(prefix=prefix))["name"] == "One"
        told = await refusal(service.edit(prefix=prefix))
        assert told.startswith("PermissionError: This needs the right 'write' on workspace")
        told = await refusal(service.read(prefix=prefix, stage=True))
        assert told.startswith("PermissionError: ")
    lowered = token(gateway, KEYS["write"].access_key_id, {"*": "admin"})
    async with manager(gateway, token=lowered, workspace=WORKSPACE) as service:
        await service.edit(prefix=prefix)
        assert (await refusal(service.keys.list())).startswith("PermissionError: ")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"token": "x.y.z"}, "PermissionError: This is no token of this gateway"),
        ({"reconnection_token": "x.y.z"}, "PermissionError: This reconnection token is none"),
        ({"workspace": "no-such-workspace"}, "KeyError: The specified bucket does not exist"),
        ({}, "ValueError: Say in which workspace"),  # there are two
    ],
)
async def test_who_shows_no_right_is_told_why(
    gateway: Gateway, config: Mapping[str, str], reason: str
) -> None:
    with pytest.raises(ConnectionAbortedError, match=f"^{re.escape(reason)}"):
        async with connected(gateway, **config):
            pass


async def test_a_token_opens_no_workspace_that_it_holds_nothing_on(gateway: Gateway) -> None:
    reader = held(gateway, "read")
    with pytest.raises(ConnectionAbortedError, match=r"^PermissionError: This needs the right"):
        async with connected(gateway, token=reader, workspace=OTHER_WORKSPACE):
            pass
    expired = token(gateway, KEYS["read"].access_key_id, KEYS["read"].grants, seconds=-1)
    with pytest.raises(ConnectionAbortedError, match=r"^PermissionError: This token expired"):
        async with connected(gateway, token=expired):
            pass
    async with connected(gateway, token=held(gateway, "copier"), workspace=OTHER_WORKSPACE) as api:
        assert api.config.workspace == OTHER_WORKSPACE


async def test_without_a_token_what_is_public_is_read_and_nothing_else(
    gateway: Gateway, prefix: str, public_prefix: str
) -> None:
    for each in (prefix, public_prefix):
        gateway.rpc("create", prefix=each, manifest=DATASET)
    async with manager(gateway, workspace=WORKSPACE) as service:
        assert (await service.read(prefix=public_prefix))["name"] == "One"
        calls = (
            service.read(prefix=prefix),
            service.read(prefix=public_prefix, stage=True),
            service.edit(prefix=public_prefix),
            service.edit(prefix=public_prefix, manifest={"type": "x", "text": "x" * 400_000}),
        )
        for call in calls[:3]:
            assert (await refusal(call)).startswith("PermissionError: ")
        with pytest.raises(Exception, match=r"without a token, a call has at most"):
            await calls[3]
        told = await refusal(service.edit(public_prefix, {"type": "x", "text": "x" * 70_000}))
        assert told.startswith("ValueError: this call has at most 65536 bytes")


async def test_a_key_that_is_revoked_ends_what_its_connection_may(
    gateway: Gateway, public_prefix: str
) -> None:
    gateway.rpc("create", prefix=public_prefix, manifest=DATASET)
    key = gateway.rpc("keys.create", key="admin", name="brief", grants={WORKSPACE: "write"})
    issued = token(gateway, key["access_key_id"], {WORKSPACE: "write"})
    async with raw(gateway) as client:
        info = await client.hello("brief", token=issued)
        assert (await client.manage("read", prefix=public_prefix))[0] == "resolve"
        gateway.rpc("keys.revoke", key="admin", access_key_id=key["access_key_id"])
        outcome, told = await client.manage("read", prefix=public_prefix)
        assert outcome == "reject"
        assert told.startswith("PermissionError: The access key that issued this token has been")
        await client.socket.send_str('{"type": "refresh_token"}')
        assert await client.said() == 1008
    async with raw(gateway) as client:
        again = info["reconnection_token"]
        told = await client.hello("brief", reconnection_token=again)
        assert told["type"] == "error"
        assert told["message"].startswith("PermissionError: The access key")


async def test_pings_are_answered_and_tokens_given_anew(gateway: Gateway) -> None:
    async with raw(gateway) as client:
        info = await client.hello("raw", token=held(gateway, "write"))
        assert (info["workspace"], info["client_id"]) == (WORKSPACE, "raw")
        assert info["public_base_url"] == gateway.url
        assert info["user"]["is_anonymous"] is False
        await client.socket.send_str('{"type": "ping"}')
        assert await client.said() == {"type": "pong"}
        for nothing in ("", "[", '"ping"', '{"type": "other"}', "x" * 5_000):
            await client.socket.send_str(nothing)
        await client.socket.send_str('{"type": "refresh_token"}')
        fresh = (await client.said())["reconnection_token"]
        assert (await client.call("services.built-in.ping", "ping")) == ("resolve", "pong")
    async with raw(gateway) as client:
        info = await client.hello("raw", reconnection_token=fresh)
        assert info["workspace"] == WORKSPACE
        assert (await client.manage("list"))[0] == "resolve"
    for wrong in ({"client_id": "other"}, {"workspace": OTHER_WORKSPACE}):
        async with raw(gateway) as client:
            told = await client.hello(**{"reconnection_token": fresh} | wrong)
            assert told["message"].startswith("PermissionError: This reconnection token is ")


async def test_a_client_takes_no_services_to_the_gateway(gateway: Gateway) -> None:
    async with connected(gateway, token=held(gateway, "write")) as server:
        with pytest.raises(Exception, match=r"this gateway is no Hypha server"):
            await server.register_service({"id": "mine", "hello": lambda: "hello"})
        with pytest.raises(Exception, match=r"KeyError: Service not found: 'public/other'"):
            await server.get_service("public/other")
        (info,) = await server.list_services()
        assert info["id"].endswith(":artifact-manager")
        for name in ("artifact-manager", info["id"], f"{WORKSPACE}/artifact-manager"):
            assert await (await server.get_service(name)).list(prefix="none") == []


async def test_thousands_of_calls_over_many_connections_are_all_answered_rightly(
    gateway: Gateway, prefix: str
) -> None:
    gateway.rpc("create", prefix=prefix, manifest={"type": "collection", "name": "All"})
    for number in range(5):
        made = {"type": "collection", "name": f"{number}"}
        gateway.rpc("create", prefix=f"{prefix}/{number}", manifest=made)
        gateway.rpc("create", prefix=f"{prefix}/{number}/only-{number}", manifest=DATASET)
    bearer = held(gateway, "read")

    async def ask(service: Service, number: int) -> bool:
        if number % 10 == 9:
            return f"'none-{number}'" in await refusal(service.read(prefix=f"none-{number}"))
        names = await service.list(prefix=f"{prefix}/{number % 5}")
        return bool(names == [f"only-{number % 5}"])

    async def one(first: int) -> list[bool]:
        async with manager(gateway, token=bearer) as service:
            numbers = range(first, CALLS, CONNECTIONS)
            return await asyncio.gather(*(ask(service, number) for number in numbers))

    answers = await asyncio.gather(*(one(first) for first in range(CONNECTIONS)))
    assert [len(each) for each in answers] == [CALLS // CONNECTIONS] * CONNECTIONS
    assert all(map(all, answers))


async def test_a_stop_lets_calls_end_and_clients_come_back_after_it(hypha: Gateway) -> None:
    prefix = hypha.new_prefix()
    bearer = token(hypha, KEYS["write"].access_key_id, KEYS["write"].grants)
    async with manager(hypha, token=bearer) as service, raw(hypha) as client:
        await client.hello("leaving", token=bearer)
        answers = asyncio.gather(client.manage("create", prefix=prefix, manifest=DATASET))
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(asyncio.to_thread(hypha.stop))
        ((outcome, manifest),) = await answers
        assert (outcome, manifest["name"]) == ("resolve", "One")
        assert await client.said() == 1001
        assert await stopping == 0
        await asyncio.to_thread(hypha.start)
        assert await until(service, prefix)


async def until(service: Service, prefix: str, seconds: float = 30) -> bool:
    """Whether a call works within so many seconds: the package reconnects in its own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            async with asyncio.timeout(5):
                return bool((await service.read(prefix=prefix))["name"] == "One")
        except Exception:  # noqa: BLE001 - the package has many ways to say that it is not there yet
            await asyncio.sleep(0.2)
    return False


async def test_a_session_goes_on_at_a_second_gateway_without_its_token(
    gateway: Gateway, hypha: Gateway
) -> None:
    """They share a secret and keys of the configuration, and neither database nor backend."""
    async with raw(gateway) as client:
        info = await client.hello("wanderer", token=held(gateway, "write"))
    async with raw(hypha) as client:
        again = await client.hello("wanderer", reconnection_token=info["reconnection_token"])
        assert again["workspace"] == WORKSPACE
        assert again["manager_id"] != info["manager_id"]
        assert (await client.manage("list"))[0] == "resolve"


async def test_calls_are_told_to_the_log_and_the_metrics(gateway: Gateway, prefix: str) -> None:
    async with manager(gateway, token=held(gateway, "write")) as service:
        await refusal(service.read(prefix=prefix))
        metrics = gateway.anonymous("GET", "/_metrics").text
        assert 'gateway_requests_total{door="hypha",method="other",status="404"}' in metrics
        assert re.search(r"^gateway_hypha_connections [1-9]", metrics, re.MULTILINE)
    lines = [line for line in gateway.logged().splitlines() if '"door": "hypha"' in line]
    assert any('"operation": "read"' in line and '"NoSuchArtifact"' in line for line in lines)
    assert wait_until(
        lambda: any(
            '"operation": "connect"' in line and '"status": 101' in line
            for line in gateway.logged().splitlines()
        )
    )
    assert not any("eyJ" in line for line in lines)


async def test_pages_of_others_open_no_websocket(gateway: Gateway) -> None:
    refused = {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Authorization": "Bearer x"}
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    for headers in refused:
        answer = await asyncio.to_thread(gateway.request, "GET", "/ws", handshake | headers)
        assert answer.status in {400, 403}, headers
    answer = await asyncio.to_thread(gateway.request, "GET", "/ws?token=x.y", handshake)
    assert answer.status == 400
    answer = await asyncio.to_thread(gateway.request, "GET", "/ws")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    async with raw(gateway, Origin=gateway.url) as client:
        assert (await client.hello(workspace=WORKSPACE))["type"] == "connection_info"
