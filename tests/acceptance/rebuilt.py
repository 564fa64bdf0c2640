"""A workspace in which everything has happened, and all that anybody can see of it."""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import requests
import yaml
from sqlalchemy import Table, select, text

from gateway.storage import tables
from gateway.storage.database import Database
from tests.acceptance.harness import ROOT, WORKSPACE, Backend, Document, Gateway, RpcError
from tests.acceptance.processes import clean_environment
from tests.acceptance.steps import content, manifest, publish, put, stage
from tests.acceptance.warm import Run
from tests.acceptance.warm import gateway as program

SECOND = 1.1  # backends tell times in whole seconds

# What a new index can't know: its own numbers, counters, when a file was last on its way, and of an
# edit who opened it when, and under which id where it has announced nothing. A removal's delete
# marker is nobody's to ask for.
EXCEPTED: Mapping[str, frozenset[str]] = {
    "artifact": frozenset(
        {"id", "epoch", "download_micros", "views", "stage_id", "staged_at", "staged_by"}
    ),
    "pin": frozenset({"id"}),
    "arrival": frozenset({"since"}),
}
TABLES: Sequence[Table] = (
    tables.workspace,
    tables.artifact,
    tables.version,
    tables.pin,
    tables.staged_file,
    tables.staged_version,
    tables.announcement,
    tables.arrival,
)
EPHEMERAL = ("opened_at", "opened_by", "id")


def own_gateway(backend: Backend, folder: Path, name: str, **settings: Document) -> Gateway:
    """A gateway of which nobody else uses the bucket, nor the system area."""
    client = backend.client()
    bucket = f"{name}-bucket"
    client.create_bucket(Bucket=bucket)
    return Gateway(
        backend,
        folder,
        {
            "workspaces": {WORKSPACE: {"bucket": bucket}},
            "system": {"bucket": "artifact-gateway-system", "prefix": f"{name}/"},
            **settings,
        },
    )


def bucket_of(gateway: Gateway) -> str:
    """The backend's bucket behind the gateway's workspace."""
    return str(gateway.configuration()["workspaces"][WORKSPACE]["bucket"])


def made_workspace(gateway: Gateway) -> str:
    """The name of the workspace that `build` makes at run time."""
    return f"{bucket_of(gateway)}-made"


def database_url(gateway: Gateway) -> str:
    """The URL of the gateway's database."""
    return str(gateway.configuration()["database_url"])


def start(gateway: Gateway, command: str, out: IO[str], errors: IO[str]) -> Run:
    """A command, running as a process, with the gateway's configuration."""
    gateway.data_dir.mkdir(parents=True, exist_ok=True)
    path = gateway.folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(gateway.configuration(), sort_keys=False))
    arguments = [command, "--config", str(path)]
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    return program().start(arguments, environment, gateway.data_dir, out, errors)


def reindex(gateway: Gateway, *, code: int = 0) -> str:
    """What `reindex` says, as `run` does."""
    return run(gateway, "reindex", code=code)


def run(gateway: Gateway, command: str, *, code: int = 0) -> str:
    """What a command says on standard output; AssertionError on another exit code."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        ended = start(gateway, command, out, errors).wait(3600)
        for file in (out, errors):
            file.seek(0)
        told, loud = out.read(), errors.read()
    assert ended == code, f"exit {ended}: {told}\n{loud}"
    assert "Traceback" not in loud, loud
    return told


@dataclass(slots=True)
class Built:
    """What `build` made: the URL that was handed out, and the prefixes there are."""

    upload_url: str
    prefixes: list[str] = field(default_factory=list)


def build(gateway: Gateway) -> Built:
    """A workspace in which everything has happened."""
    rpc, s3 = gateway.rpc, gateway.s3()
    schema = {"type": "object", "required": ["name"]}
    rpc("create", prefix="public", manifest={"type": "collection", "name": "All"})
    gallery = {"type": "collection", "name": "Gallery", "collection_schema": schema}
    rpc("create", prefix="public/gallery", manifest=gallery)
    rpc("create", prefix="public/gallery/inner", manifest={"type": "collection", "name": "Inner"})
    publish(gateway, "public/gallery/inner/deep", {"x.bin": b"x"}, name="Deep äpfel")
    _weigh(gateway)
    _change_data_alone(gateway)
    publish(gateway, "public/gallery/again", {"one.txt": b"1"}, name="First life")
    rpc("delete", prefix="public/gallery/again")
    publish(gateway, "public/gallery/again", {"two.txt": b"22"}, name="Second life")
    publish(gateway, "public/gallery/dead", {"a.txt": b"a"}, name="Dead")
    rpc("delete", prefix="public/gallery/dead")
    put(s3, "public/gallery/dead", {"since.txt": b"an ordinary object"})
    put(s3, "public/gallery/coming", {"early.txt": b"waits"})
    put(s3, "elsewhere", {"plain.txt": b"plain", "manifest.yaml": b"title: no manifest\n"})
    _make_workspace(gateway)
    time.sleep(SECOND)  # commits and edits in seconds of their own
    url = _open_edits(gateway)
    return Built(url, _walk(gateway, ""))


def _weigh(gateway: Gateway) -> None:
    prefix = "public/gallery/weighed"
    s3 = gateway.s3()
    files: Document = [{"path": "listed.csv", "download_weight": 3}]
    s3.put_object(
        Bucket=WORKSPACE, Key=f"{prefix}/_manifest.yaml", Body=manifest(name="W", files=files)
    )
    for name in ("listed.csv", "set.csv"):
        s3.put_object(
            Bucket=WORKSPACE, Key=f"{prefix}/{name}", Body=name.encode(), ContentType="text/csv"
        )
    s3.put_object(
        Bucket=WORKSPACE,
        Key=f"{prefix}/meta.csv",
        Body=b"m",
        ContentType="text/csv",
        Metadata={"download-weight": "0.5"},
    )
    url = gateway.rpc(
        "put_file", prefix=prefix, file_path="told.csv", options={"download_weight": 2}
    )
    assert requests.put(url, data=b"told", timeout=60).status_code == 200
    assert gateway.rpc("commit", prefix=prefix, message="weighed")["version"] == 1
    gateway.rpc("set_download_weight", prefix=prefix, path="set.csv", weight=4.5)


def _change_data_alone(gateway: Gateway) -> None:
    prefix, s3 = "public/gallery/data", gateway.s3()
    publish(gateway, prefix, {"a.csv": b"a1", "b/c.csv": b"c1"}, name="Data")
    for number in (2, 3):
        s3.put_object(Bucket=WORKSPACE, Key=f"{prefix}/a.csv", Body=b"a%d" % number)
        assert gateway.rpc("commit", prefix=prefix, message=f"data {number}")["version"] == number
    s3.delete_object(Bucket=WORKSPACE, Key=f"{prefix}/b/c.csv")
    assert gateway.rpc("commit", prefix=prefix)["version"] == 4
    assert gateway.rpc("rollback", prefix=prefix, version=1)["version"] == 5


def _make_workspace(gateway: Gateway) -> None:
    admin, name = gateway.s3("admin"), made_workspace(gateway)
    admin.create_bucket(Bucket=name)
    admin.put_object(Bucket=name, Key="a/manifest.yaml", Body=manifest(name="Made"))
    admin.put_object(Bucket=name, Key="a/x.txt", Body=b"made", ContentType="text/plain")


def _open_edits(gateway: Gateway) -> str:
    """Open edits of every kind; the upload URL of one."""
    s3, folder = gateway.s3(), "public/gallery"
    publish(
        gateway, f"{folder}/edited", {"keep.txt": b"k", "old.txt": b"o", "go.txt": b"g"}, name="E"
    )
    publish(gateway, f"{folder}/byfile", {"a.txt": b"a"}, name="F")
    publish(gateway, f"{folder}/hidden", {"a.txt": b"a"}, name="H")
    time.sleep(SECOND)
    stage(gateway, f"{folder}/edited", {}, name="E edited")
    url: str = gateway.rpc("put_file", prefix=f"{folder}/edited", file_path="announced.txt")
    for data in (b"first", b"second"):
        for name in ("old.txt", "new.txt"):
            s3.put_object(
                Bucket=WORKSPACE, Key=f"{folder}/edited/{name}", Body=data, ContentType="text/plain"
            )
    gateway.rpc("remove_file", prefix=f"{folder}/edited", file_path="go.txt")
    s3.put_object(
        Bucket=WORKSPACE,
        Key=f"{folder}/byfile/a.txt",
        Body=b"changed",
        ContentType="text/plain",
        Metadata={"download-weight": "7"},
    )
    s3.delete_object(Bucket=WORKSPACE, Key=f"{folder}/hidden/manifest.yaml")
    stage(gateway, "private/anew", {}, name="To be replaced")
    gateway.rpc("put_file", prefix="private/anew", file_path="renounced.txt")
    anew = {"type": "dataset", "name": "Anew"}
    gateway.rpc("create", prefix="private/anew", manifest=anew, stage=True, overwrite=True)
    put(s3, "private/new", {"before.txt": b"was there"})
    time.sleep(SECOND)
    stage(gateway, "private/new", {}, name="New")
    time.sleep(SECOND)
    s3.put_object(
        Bucket=WORKSPACE, Key="private/new/after.txt", Body=b"since", ContentType="text/plain"
    )
    return url


def _walk(gateway: Gateway, prefix: str) -> list[str]:
    """Every artifact at and below a prefix, staged ones too."""
    found = []
    for name in gateway.rpc("list", prefix=prefix, stage=True):
        path = f"{prefix}/{name}" if prefix else str(name)
        found += [path, *_walk(gateway, path)]
    return found


def look(gateway: Gateway, built: Built) -> dict[str, Document]:
    """Everything that writers, readers and anonymous callers are told, but counters."""
    seen: dict[str, Document] = {}
    for key in ("write", "read", "anonymous"):
        seen[f"objects {key}"] = _listing(gateway, key)
    for prefix in built.prefixes:
        seen[prefix] = {
            name: _answer(gateway, method, **arguments)
            for name, (method, arguments) in _questions(prefix).items()
        }
        versions = seen[prefix]["versions"]
        for record in versions if isinstance(versions, list) else ():
            seen[f"{prefix} {record['version']}"] = _version(gateway, prefix, record["version"])
    made = gateway.s3("admin").list_objects_v2(Bucket=made_workspace(gateway))["Contents"]
    seen["made"] = {each["Key"]: each["ETag"] for each in made}
    return seen


def _questions(prefix: str) -> dict[str, tuple[str, dict[str, Document]]]:
    here: dict[str, Document] = {"prefix": prefix}
    return {
        "read": ("read", {**here, "silent": True}),
        "stage": ("read", {**here, "silent": True, "stage": True}),
        "versions": ("versions", here),
        "files": ("list_files", here),
        "staged files": ("list_files", {**here, "stage": True}),
        "children": ("children", here),
        "found": ("search", {**here, "keywords": ["apfel"]}),
        "list": ("list", here),
    }


def _answer(gateway: Gateway, method: str, **arguments: Document) -> Document:
    try:
        answer = gateway.rpc(method, **arguments)
    except RpcError as error:
        return error.code
    if isinstance(answer, dict) and "_stage" in answer:
        for name in EPHEMERAL:
            answer["_stage"].pop(name)
    return answer


def _version(gateway: Gateway, prefix: str, number: int) -> Document:
    """One version, its files with their bytes, as the artifact door gives them."""
    token = gateway.rpc("generate_token", key="admin")
    files = _answer(gateway, "list_files", prefix=prefix, version=number)
    return {
        "read": _answer(gateway, "read", prefix=prefix, version=number, silent=True),
        "files": files,
        "bytes": {
            each["name"]: _fetch(gateway, token, f"{prefix}/{each['name']}", number)
            for each in files
            if each["type"] == "file"
        },
    }


def _fetch(gateway: Gateway, token: str, key: str, number: int) -> str:
    answer = gateway.anonymous(
        "GET",
        f"/{WORKSPACE}/artifact/{key}",
        headers={"Authorization": f"Bearer {token}"},
        params={"version": str(number), "silent": "true"},
    )
    assert answer.status_code == 200, answer.text
    return hashlib.sha256(answer.content).hexdigest()


def _listing(gateway: Gateway, key: str) -> dict[str, Document]:
    client = gateway.s3(key)
    prefix = "public/" if key == "anonymous" else ""
    found = client.list_objects_v2(Bucket=WORKSPACE, Prefix=prefix)
    assert not found["IsTruncated"]
    return {
        each["Key"]: (each["Size"], each["ETag"], content(client, each["Key"]))
        for each in found["Contents"]
    }


def tables_of(gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table that can be built again, without what is EXCEPTED."""
    return asyncio.run(_tables(database_url(gateway)))


async def _tables(url: str) -> dict[str, list[dict[str, Any]]]:
    async with Database(url) as database, database.reading() as connection:
        found: dict[str, list[dict[str, Any]]] = {}
        prefixes = {row.id: row.prefix for row in await connection.execute(select(tables.artifact))}
        for table in TABLES:
            rows = [dict(row) for row in (await connection.execute(select(table))).mappings()]
            for row in rows:
                for name in EXCEPTED.get(table.name, ()):
                    row.pop(name)
                if "artifact_id" in row:
                    row["artifact_id"] = prefixes[row["artifact_id"]]
                if row.get("removed"):
                    row["version_id"] = None
            found[table.name] = sorted(rows, key=repr)
        key = "rowid" if database.dialect == "sqlite" else "artifact_id"
        words = await connection.execute(
            text(f"SELECT {key}, words FROM artifact_words")  # noqa: S608
        )
        found["artifact_words"] = sorted(
            [{"prefix": prefixes[row[0]], "words": str(row[1])} for row in words], key=repr
        )
        return found


def forget_database(gateway: Gateway) -> None:
    """The gateway's database is gone, and a new one empty."""
    url = database_url(gateway)
    if url.startswith("sqlite:///"):
        for file in Path(url.removeprefix("sqlite:///")).parent.glob("artifact-gateway.db*"):
            file.unlink()
        return
    asyncio.run(_drop_everything(url))


async def _drop_everything(url: str) -> None:
    async with Database(url) as database, database.writing() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
