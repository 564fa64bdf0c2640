"""Artifacts copied and moved with S3 tools: whatever arrives, in any order, commits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway, RpcError
from tests.acceptance.steps import content, manifest, publish, put, version_of

# s5cmd writes a blank in a copy source as `+`, which SeaweedFS reads as a plus.
BLANK = "a b+c.csv"
FILES = {
    "data.csv": b"data",
    "dir/a.csv": b"a",
    "dir/deep/b.csv": b"b",
    "é-%.csv": b"odd",
    BLANK: b"blank",
    **{f"part-{number}.csv": str(number).encode() for number in range(6)},
}
TEXT = manifest(name="copied")

Tool = Callable[[Gateway, str, str, str], object]


def aws_cp(gateway: Gateway, source: str, workspace: str, target: str) -> object:
    """`aws s3 cp --recursive`."""
    places = (f"s3://{WORKSPACE}/{source}/", f"s3://{workspace}/{target}/")
    return gateway.aws("s3", "cp", "--recursive", "--only-show-errors", *places, key="admin")


def aws_mv(gateway: Gateway, source: str, workspace: str, target: str) -> object:
    """`aws s3 mv --recursive`."""
    places = (f"s3://{WORKSPACE}/{source}/", f"s3://{workspace}/{target}/")
    return gateway.aws("s3", "mv", "--recursive", "--only-show-errors", *places, key="admin")


def rclone(verb: str) -> Tool:
    """`rclone copy`, `move` or `moveto` of a folder."""

    def run(gateway: Gateway, source: str, workspace: str, target: str) -> object:
        places = (f"gw:{WORKSPACE}/{source}", f"gw:{workspace}/{target}")
        return gateway.rclone(verb, *places, key="admin")

    return run


def s5cmd(verb: str) -> Tool:
    """`s5cmd cp` or `mv`."""

    def run(gateway: Gateway, source: str, workspace: str, target: str) -> object:
        places = (f"s3://{WORKSPACE}/{source}/*", f"s3://{workspace}/{target}/")
        return gateway.s5cmd(verb, *places, key="admin")

    return run


@dataclass(frozen=True, slots=True)
class Case:
    """A tool, where it copies to, and whether it takes the source away."""

    tool: Tool
    moves: bool
    workspace: str = WORKSPACE


CASES = {
    "aws cp": Case(aws_cp, moves=False),
    "aws cp to another workspace": Case(aws_cp, moves=False, workspace=OTHER_WORKSPACE),
    "aws mv": Case(aws_mv, moves=True),
    "rclone copy": Case(rclone("copy"), moves=False),
    "rclone move to another workspace": Case(rclone("move"), moves=True, workspace=OTHER_WORKSPACE),
    "rclone moveto": Case(rclone("moveto"), moves=True),
    "s5cmd cp": Case(s5cmd("cp"), moves=False),
    "s5cmd mv": Case(s5cmd("mv"), moves=True),
}


def files_for(name: str) -> dict[str, bytes]:
    """The files that a case's tool can copy."""
    return {path: data for path, data in FILES.items() if "s5cmd" not in name or path != BLANK}


def commit(gateway: Gateway, prefix: str) -> None:
    """Commit what is staged there, if anything is: `manifest.yaml` may have come last."""
    try:
        gateway.rpc("commit", key="admin", prefix=prefix)
    except RpcError as error:
        if error.code != "NotStaged":
            raise


def read(gateway: Gateway, prefix: str) -> dict[str, bytes]:
    """The files of the last commit, with their bytes."""
    # The other workspace has no reader; no edit is open there when it is read.
    client = gateway.s3("read" if gateway.workspace == WORKSPACE else "admin")
    files: dict[str, bytes] = {}
    for each in gateway.rpc("read", key="admin", prefix=prefix)["files"]:
        path = each if isinstance(each, str) else each["path"]
        found = client.get_object(Bucket=gateway.workspace, Key=f"{prefix}/{path}")
        files[path] = found["Body"].read()
    return files


def check_gone(gateway: Gateway, backend: Backend, prefix: str, pins: Mapping[str, str]) -> None:
    """The source is gone for everybody, and each version that it pinned is still stored."""
    assert version_of(gateway, prefix) == 0
    for key in ("read", "write"):
        listed = gateway.s3(key).list_objects_v2(Bucket=WORKSPACE, Prefix=f"{prefix}/")
        assert listed["KeyCount"] == 0, listed
    client = backend.client()
    for path, version_id in pins.items():
        place = {"Bucket": WORKSPACE, "Key": f"{prefix}/{path}", "VersionId": version_id}
        assert client.head_object(**place)["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as refused:
        gateway.s3().delete_object(
            Bucket=WORKSPACE, Key=f"{prefix}/data.csv", VersionId=pins["data.csv"]
        )
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    # Whoever comes to the prefix next goes on numbering.
    assert publish(gateway, prefix, {"new.csv": b"n"}) == 3


def pinned(backend: Backend, prefix: str) -> dict[str, str]:
    """The version ids of what is stored there now."""
    listed = backend.client().list_object_versions(Bucket=WORKSPACE, Prefix=f"{prefix}/")
    return {
        each["Key"].removeprefix(f"{prefix}/"): each["VersionId"]
        for each in listed["Versions"]
        if each["IsLatest"]
    }


@pytest.mark.parametrize("name", CASES)
def test_a_committed_artifact_arrives_whole(
    gateway: Gateway, backend: Backend, prefix: str, name: str
) -> None:
    case = CASES[name]
    source, target = f"{prefix}/source", f"{prefix}/target"
    files = files_for(name)
    put(gateway.s3(), source, {**files, "_manifest.yaml": TEXT})
    gateway.rpc("commit", prefix=source)
    pins = pinned(backend, source)
    case.tool(gateway, source, case.workspace, target)
    there = replace(gateway, workspace=case.workspace)
    commit(there, target)
    assert read(there, target) == files
    got = there.rpc("read", key="admin", prefix=target)
    assert (got["name"], got["type"]) == ("copied", "dataset")
    kept = there.s3("admin").get_object(Bucket=case.workspace, Key=f"{target}/manifest.yaml")
    assert kept["Body"].read() == TEXT
    if case.moves:
        check_gone(gateway, backend, source, pins)
    else:
        assert read(gateway, source) == files
        assert version_of(gateway, source) == 1


@pytest.mark.parametrize("name", ["aws cp", "aws mv", "rclone copy", "s5cmd cp"])
@pytest.mark.parametrize("staged", [True, False], ids=["manifest staged", "files staged"])
def test_what_is_copied_from_an_open_edit_is_the_stage(
    gateway: Gateway, prefix: str, name: str, *, staged: bool
) -> None:
    case = CASES[name]
    source, target = f"{prefix}/source", f"{prefix}/target"
    files = files_for(name)
    publish(gateway, source, files, name="committed")
    edit = {"data.csv": b"staged", "new.csv": b"new"}
    put(gateway.s3(), source, {**edit, **({"_manifest.yaml": TEXT} if staged else {})})
    gateway.s3().delete_object(Bucket=WORKSPACE, Key=f"{source}/dir/a.csv")
    case.tool(gateway, source, WORKSPACE, target)
    if staged:
        # Only `_manifest.yaml` came: nothing is published until somebody says so.
        assert version_of(gateway, target) == 0
    commit(gateway, target)
    expected = {**files, **edit}
    del expected["dir/a.csv"]
    assert read(gateway, target) == expected
    name_then = "copied" if staged else "committed"
    assert gateway.rpc("read", prefix=target)["name"] == name_then
    if case.moves and not staged:
        assert version_of(gateway, source) == 0
    else:
        # What `_manifest.yaml` stood before was not seen, so it was not moved: readers keep it.
        assert read(gateway, source) == files


@pytest.mark.parametrize("name", ["aws cp", "aws mv", "rclone copy", "rclone moveto", "s5cmd cp"])
def test_a_collection_arrives_with_its_members(gateway: Gateway, prefix: str, name: str) -> None:
    case = CASES[name]
    source, target = f"{prefix}/source", f"{prefix}/target"
    members = ("m1", "m2", "shelf", "shelf/m3")
    publish(gateway, source, {"cover.png": b"c"}, type="collection", name="G")
    publish(gateway, f"{source}/shelf", {}, type="collection", name="S")
    for member in ("m1", "m2", "shelf/m3"):
        publish(gateway, f"{source}/{member}", {"data.csv": member.encode(), "d/x": b"x"}, name="M")
    case.tool(gateway, source, WORKSPACE, target)
    for member in ("", *members):
        commit(gateway, f"{target}/{member}".rstrip("/"))
    read_back = gateway.rpc("read", prefix=target)
    assert (read_back["type"], read_back["_child_count"]) == ("collection", len(members))
    found = gateway.rpc("children", key="read", prefix=target)["items"]
    assert [item["_prefix"] for item in found] == [f"{target}/{member}" for member in members]
    assert read(gateway, target) == {"cover.png": b"c"}
    for member in ("m1", "m2", "shelf/m3"):
        assert read(gateway, f"{target}/{member}") == {"data.csv": member.encode(), "d/x": b"x"}
    everything = gateway.s3().list_objects_v2(Bucket=WORKSPACE, Prefix=f"{source}/")
    assert (everything["KeyCount"] == 0) is case.moves
    for member in ("", *members):
        standing = version_of(gateway, f"{source}/{member}".rstrip("/"))
        assert standing == (0 if case.moves else 1), member


def test_a_manifest_that_lists_files_waits_for_them(gateway: Gateway, prefix: str) -> None:
    source, target = f"{prefix}/source", f"{prefix}/target"
    publish(gateway, source, FILES, name="listed", files=[*FILES])
    client = gateway.s3()
    copy = {"Bucket": WORKSPACE, "Key": f"{target}/manifest.yaml"}
    origin = {"Bucket": WORKSPACE, "Key": f"{source}/manifest.yaml"}
    with pytest.raises(ClientError) as refused:
        client.copy_object(**copy, CopySource=origin)
    assert refused.value.response["Error"]["Code"] == "MissingFiles"
    assert content(client, f"{target}/manifest.yaml") is None
    # The two-line recipe: the files, then the manifest.
    places = (f"s3://{WORKSPACE}/{source}/", f"s3://{WORKSPACE}/{target}/")
    gateway.aws(
        "s3", "cp", "--recursive", "--only-show-errors", "--exclude", "manifest.yaml", *places
    )
    assert version_of(gateway, target) == 0
    client.copy_object(**copy, CopySource=origin)
    assert version_of(gateway, target) == 1
    assert read(gateway, target) == FILES


def test_a_manifest_that_comes_first_publishes_what_is_there(gateway: Gateway, prefix: str) -> None:
    source, target = f"{prefix}/source", f"{prefix}/target"
    publish(gateway, source, FILES, name="first")
    client = gateway.s3()
    for path in ("manifest.yaml", *FILES):
        origin = {"Bucket": WORKSPACE, "Key": f"{source}/{path}"}
        client.copy_object(Bucket=WORKSPACE, Key=f"{target}/{path}", CopySource=origin)
        assert version_of(gateway, target) == 1
    assert read(gateway, target) == {}
    assert gateway.rpc("commit", prefix=target)["version"] == 2
    assert read(gateway, target) == FILES


def test_a_large_file_is_copied_in_parts(gateway: Gateway, prefix: str) -> None:
    source, target = f"{prefix}/source", f"{prefix}/target"
    large = bytes(range(256)) * 4096 * 9
    publish(gateway, source, {"large.bin": large, "small": b"s"})
    aws_mv(gateway, source, WORKSPACE, target)
    commit(gateway, target)
    assert read(gateway, target) == {"large.bin": large, "small": b"s"}
    assert version_of(gateway, source) == 0
