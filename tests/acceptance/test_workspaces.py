"""Workspaces made and removed at run time, by the clients that people have."""

import re
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.acceptance.harness import (
    OTHER_WORKSPACE,
    WORKSPACE,
    Backend,
    Gateway,
    Response,
    S3Client,
)
from tests.acceptance.processes import free_port
from tests.acceptance.races import at_once
from tests.acceptance.silence import code
from tests.acceptance.steps import refused
from tests.acceptance.wire import Pause, When, WireTap
from tests.waiting import wait_until

OK, NO_CONTENT, NOT_FOUND = HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND
SYSTEM = "system-of-workspaces"
JSON = {"Content-Type": "application/json"}
DEFAULTS = {"public": "objects", "backend_settings": False, "versioning": False}
CONFIGURATION = (
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"
)


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """What sees, and stops, what goes to the backend."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def site(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway of two workers. It may be restarted."""
    port = free_port()
    settings = {
        "listen": {"host": "127.0.0.1", "port": port, "workers": 2},
        "system": {"bucket": SYSTEM, "prefix": ""},
        "workspace_defaults": DEFAULTS,
    }
    folder = tmp_path_factory.mktemp("site")
    running = Gateway(backend, folder, settings, endpoint_url=tap.url, port=port)
    try:
        yield running.start()
    finally:
        tap.cut()
        running.stop()


@pytest.fixture
def name() -> str:
    """A name that no bucket and no workspace has."""
    return f"made-{secrets.token_hex(5)}"


def make(gateway: Gateway, name: str, key: str = "admin", **asked: object) -> Response:
    """The answer to CreateBucket, sent over a connection of its own."""
    headers = {str(k).replace("_", "-"): str(v) for k, v in asked.items()}
    return gateway.signed("PUT", f"/{name}", key, headers)


def remove(gateway: Gateway, name: str, key: str = "admin") -> Response:
    """The answer to DeleteBucket, sent over a connection of its own."""
    return gateway.signed("DELETE", f"/{name}", key)


def buckets_of(client: S3Client) -> list[str]:
    return [each["Name"] for each in client.list_buckets()["Buckets"]]


def test_workspace_comes_and_goes_with_aws_cli(
    site: Gateway, backend: Backend, name: str, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n")
    site.aws("s3", "mb", f"s3://{name}", key="admin")
    line = rf"^\d{{4}}-\d\d-\d\d .* {name}$"
    assert re.search(line, site.aws("s3", "ls", key="admin").stdout, re.MULTILINE)
    assert name in buckets_of(backend.client())
    site.aws("s3", "cp", tmp_path / "data.csv", f"s3://{name}/deep/data.csv", key="admin")
    assert "BucketNotEmpty" in site.aws("s3", "rb", f"s3://{name}", key="admin", code=1).stderr
    site.aws("s3", "rb", "--force", f"s3://{name}", key="admin")
    assert name not in site.aws("s3", "ls", key="admin").stdout
    assert name not in buckets_of(backend.client())


def test_workspace_comes_and_goes_with_rclone(
    site: Gateway, backend: Backend, name: str, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n")
    site.rclone("mkdir", f"gw:{name}", key="admin")
    site.rclone("copy", tmp_path, f"gw:{name}/deep", "--include", "data.csv", key="admin")
    assert "deep/data.csv\n" in site.rclone("lsf", "-R", f"gw:{name}", key="admin").stdout
    site.rclone("rmdir", f"gw:{name}", key="admin", code=1)
    site.rclone("delete", f"gw:{name}", key="admin")
    site.rclone("rmdir", f"gw:{name}", key="admin")
    assert name not in buckets_of(backend.client())


def test_workspace_comes_and_goes_with_boto3(site: Gateway, backend: Backend, name: str) -> None:
    client = site.s3("admin")
    assert client.create_bucket(Bucket=name)["Location"] == f"/{name}"
    made = {each["Name"]: each["CreationDate"] for each in client.list_buckets()["Buckets"]}
    theirs = {
        each["Name"]: each["CreationDate"] for each in backend.client().list_buckets()["Buckets"]
    }
    assert abs((made[name] - theirs[name]).total_seconds()) < 5
    client.put_object(Bucket=name, Key="public/a.txt", Body=b"a")
    assert client.get_object(Bucket=name, Key="public/a.txt")["Body"].read() == b"a"
    client.delete_object(Bucket=name, Key="public/a.txt")
    client.delete_bucket(Bucket=name)
    with refused("NoSuchBucket", NOT_FOUND):
        client.delete_bucket(Bucket=name)


def test_every_worker_knows_it_in_the_next_request(site: Gateway, name: str) -> None:
    for _ in range(2):
        assert make(site, name).status == OK
        assert {site.signed("HEAD", f"/{name}", "admin").status for _ in range(12)} == {OK}
        listing = site.signed("POST", f"/_rpc/{name}/list", "admin", JSON, b"{}")
        assert (listing.status, listing.body) == (OK, b"[]")
        assert remove(site, name).status == NO_CONTENT
        seen = {site.signed("HEAD", f"/{name}", "admin").status for _ in range(12)}
        assert seen == {NOT_FOUND}


def test_every_replica_knows_it_in_the_next_request(
    site: Gateway, backend: Backend, name: str, tmp_path: Path
) -> None:
    shared = {key: site.configuration()[key] for key in ("system", "database_url")}
    replica = Gateway(backend, tmp_path, shared)
    try:
        replica.start()
        assert make(site, name).status == OK
        assert replica.signed("PUT", f"/{name}/a.txt", "admin", body=b"a").status == OK
        assert code(make(replica, name)) == "BucketAlreadyOwnedByYou"
        assert replica.signed("DELETE", f"/{name}/a.txt", "admin").status == NO_CONTENT
        assert remove(replica, name).status == NO_CONTENT
        assert site.signed("HEAD", f"/{name}", "admin").status == NOT_FOUND
    finally:
        replica.stop()


def test_it_has_the_settings_of_the_defaults(site: Gateway, backend: Backend, name: str) -> None:
    assert make(site, name).status == OK
    site.s3("admin").put_object(Bucket=name, Key="public/a.txt", Body=b"open")
    site.s3("admin").put_object(Bucket=name, Key="b.txt", Body=b"shut")
    assert site.request("GET", f"/{name}/public/a.txt").body == b"open"
    assert site.request("GET", f"/{name}/b.txt").status == HTTPStatus.FORBIDDEN
    assert site.signed("GET", f"/{name}/b.txt", "write").status == HTTPStatus.FORBIDDEN
    with refused("AccessDenied", HTTPStatus.FORBIDDEN):
        site.s3("admin").put_bucket_policy(Bucket=name, Policy="{}")
    assert backend.client().get_object(Bucket=name, Key="b.txt")["Body"].read() == b"shut"


@pytest.mark.parametrize("key", ["other", "write", "read", "copier"])
def test_only_admins_of_all_workspaces_make_and_remove_them(
    site: Gateway, backend: Backend, name: str, key: str
) -> None:
    assert code(make(site, name, key)) == "AccessDenied"
    assert site.request("PUT", f"/{name}").status == HTTPStatus.FORBIDDEN
    assert name not in buckets_of(backend.client())
    assert make(site, name).status == OK
    assert code(make(site, name, key)) == "BucketAlreadyExists"
    assert code(remove(site, name, key)) == "AccessDenied"
    assert site.request("DELETE", f"/{name}").status == HTTPStatus.FORBIDDEN
    assert site.signed("HEAD", f"/{name}", "admin").status == OK
    assert code(remove(site, f"un{name}", key)) == "NoSuchBucket"


def test_a_workspace_that_is_there_is_not_made_again(site: Gateway, name: str) -> None:
    assert make(site, name).status == OK
    for there in (name, WORKSPACE):
        assert code(make(site, there)) == "BucketAlreadyOwnedByYou"
    assert code(make(site, WORKSPACE, "read")) == "BucketAlreadyOwnedByYou"
    assert code(make(site, OTHER_WORKSPACE, "read")) == "BucketAlreadyExists"


def test_what_the_backend_holds_is_never_taken_over(
    site: Gateway, backend: Backend, name: str
) -> None:
    direct = backend.client()
    direct.create_bucket(Bucket=name)
    direct.put_object(Bucket=name, Key="secret.txt", Body=b"theirs")
    for taken in (name, SYSTEM):
        assert code(make(site, taken)) == "BucketAlreadyExists"
        assert site.signed("GET", f"/{taken}/secret.txt", "admin").status == NOT_FOUND
        assert code(remove(site, taken)) == "NoSuchBucket"
    assert direct.get_object(Bucket=name, Key="secret.txt")["Body"].read() == b"theirs"


def test_what_somebody_makes_at_the_same_moment_is_not_taken_over(
    site: Gateway, backend: Backend, tap: WireTap, name: str
) -> None:
    pause = tap.pause_on("PUT", f"^/{name}$")
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make, site, name)
        pause.wait()
        backend.client().create_bucket(Bucket=name)
        pause.resume()
        assert code(making.result()) == "BucketAlreadyExists"
    assert site.signed("HEAD", f"/{name}", "admin").status == NOT_FOUND
    assert code(make(site, name)) == "BucketAlreadyExists"
    assert name in buckets_of(backend.client())


def test_of_many_at_once_one_makes_it(site: Gateway, name: str) -> None:
    def attempt() -> tuple[int, str]:
        answer = make(site, name)
        return answer.status, "" if answer.status == OK else code(answer)

    answers = at_once(*[attempt] * 8)
    assert sorted(answers) == [(OK, "")] + [(HTTPStatus.CONFLICT, "BucketAlreadyOwnedByYou")] * 7
    assert site.signed("HEAD", f"/{name}", "admin").status == OK
    gone = at_once(*[lambda: (remove(site, name).status, "")] * 4)
    assert sorted(gone) == [(NO_CONTENT, "")] + [(NOT_FOUND, "")] * 3


@pytest.mark.parametrize("bad", ["Upper", "ab", "a..b", "192.168.1.1", "under_score", "-dash"])
def test_names_are_those_of_buckets(site: Gateway, bad: str) -> None:
    answer = make(site, bad)
    assert (answer.status, code(answer)) == (HTTPStatus.BAD_REQUEST, "InvalidBucketName")


def test_it_lies_in_the_region_of_the_backend(site: Gateway, name: str) -> None:
    def ask(document: str) -> str:
        answer = site.signed("PUT", f"/{name}", "admin", body=document.encode())
        return "" if answer.status == OK else code(answer)

    assert ask(CONFIGURATION.format("eu-west-1")) == "IllegalLocationConstraintException"
    assert ask("<CreateBucketConfiguration>") == "MalformedXML"
    assert ask(CONFIGURATION.format("us-east-1")) == ""
    # Who takes the gateway itself to be elsewhere asks for no other place.
    away = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}
    command = ["aws", "s3", "mb", f"s3://{name}-2"]
    subprocess.run(command, env=site.env("admin") | away, check=True, capture_output=True)
    assert site.s3("admin").get_bucket_location(Bucket=f"{name}-2")["LocationConstraint"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-acl": "public-read"},
        {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
        {"x-amz-object-ownership": "ObjectWriter"},
    ],
)
def test_nothing_opens_it_on_its_way(
    site: Gateway, backend: Backend, name: str, headers: Mapping[str, str]
) -> None:
    assert code(site.signed("PUT", f"/{name}", "admin", headers)) == "AccessDenied"
    assert name not in buckets_of(backend.client())


def test_object_lock_is_the_backend_s(site: Gateway, backend: Backend, name: str) -> None:
    site.s3("admin").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, ACL="private")
    for client in (site.s3("admin"), backend.client()):
        lock = client.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        assert lock == {"ObjectLockEnabled": "Enabled"}


def test_old_versions_keep_a_workspace(site: Gateway, backend: Backend, name: str) -> None:
    client = site.s3("admin")
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=name, Key="deep/a.txt", Body=b"1")["VersionId"]
    marker = client.delete_object(Bucket=name, Key="deep/a.txt")["VersionId"]
    for version_id in (marker, first):
        with refused("BucketNotEmpty", HTTPStatus.CONFLICT):
            client.delete_bucket(Bucket=name)
        assert backend.client().get_object(Bucket=name, Key="deep/a.txt", VersionId=first)
        client.delete_object(Bucket=name, Key="deep/a.txt", VersionId=version_id)
    client.delete_bucket(Bucket=name)
    assert name not in buckets_of(backend.client())


@contextmanager
def removing_at(
    site: Gateway, tap: WireTap, name: str, method: str, target: str, nth: int
) -> Iterator[tuple[Future[Response], Pause]]:
    """A DeleteBucket that has come to its nth such request to the backend, which waits."""
    pause = tap.pause_on(method, target, nth=nth)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(remove, site, name)
        pause.wait()
        assert site.signed("HEAD", f"/{name}", "admin").status == NOT_FOUND
        try:
            yield answer, pause
        finally:
            pause.resume()


def test_what_is_put_while_it_is_removed_keeps_it(
    site: Gateway, backend: Backend, tap: WireTap, name: str
) -> None:
    client = site.s3("admin")
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put = tap.pause_on("PUT", f"/{name}/late.txt")
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(client.put_object, Bucket=name, Key="late.txt", Body=b"late")
        put.wait()
        # It looks twice whether anything is in it: before it is withdrawn, and then.
        with removing_at(site, tap, name, "GET", rf"^/{name}\?.*versions", 2) as (removing, look):
            put.resume()
            assert wait_until(lambda: list_of(backend, name) == ["late.txt"])
            assert not putting.done()
            look.resume()
            assert code(removing.result()) == "BucketNotEmpty"
        putting.result()
    assert client.get_object(Bucket=name, Key="late.txt")["Body"].read() == b"late"
    assert backend.client().get_object(Bucket=name, Key="late.txt")["Body"].read() == b"late"


def list_of(backend: Backend, name: str) -> list[str]:
    """The keys in a bucket of the backend."""
    found = backend.client().list_objects_v2(Bucket=name)
    return [each["Key"] for each in found.get("Contents", [])]


def put_late(site: Gateway, name: str) -> Response:
    return site.signed("PUT", f"/{name}/late.txt", "admin", body=b"late")


def copy_late(site: Gateway, name: str) -> Response:
    source = {"x-amz-copy-source": f"{WORKSPACE}/source-of-late.txt"}
    return site.signed("PUT", f"/{name}/late.txt", "admin", source)


def create_late(site: Gateway, name: str) -> Response:
    document = b'{"prefix": "late", "manifest": {"type": "dataset"}, "stage": true}'
    return rpc(site, name, "create", document)


def test_a_bucket_that_the_backend_has_lost_is_no_failure_of_the_gateway(
    site: Gateway, backend: Backend, name: str
) -> None:
    assert make(site, name).status == OK
    backend.client().delete_bucket(Bucket=name)
    answer = create_late(site, name)
    assert answer.status == NOT_FOUND
    assert b"NoSuchBucket" in answer.body


@pytest.mark.parametrize(
    ("write", "method", "target"),
    [
        (put_late, "PUT", "/late.txt"),
        (copy_late, "PUT", "/late.txt"),
        # The last moment before an artifact is in the index.
        (create_late, "GET", r"\?.*versioning"),
    ],
)
def test_what_goes_with_it_is_never_acknowledged(
    site: Gateway,
    backend: Backend,
    tap: WireTap,
    name: str,
    write: Callable[[Gateway, str], Response],
    method: str,
    target: str,
) -> None:
    """The backend stores it after the last look, then deletes the bucket with all versions."""
    site.s3("admin").put_object(Bucket=WORKSPACE, Key="source-of-late.txt", Body=b"late")
    assert make(site, name).status == OK
    direct = backend.client()
    direct.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    late = tap.pause_on(method, f"^/{name}{target}")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, site, name)
        late.wait()
        with removing_at(site, tap, name, "DELETE", f"^/{name}$", 1) as (removing, deleting):
            late.resume()
            assert wait_until(lambda: list_of(backend, name) != [])
            assert not writing.done()
            deleting.resume()
            assert removing.result().status == NO_CONTENT
        assert writing.result().status == NOT_FOUND
    assert name not in buckets_of(direct)


def test_a_workspace_of_the_configuration_stays(site: Gateway, backend: Backend) -> None:
    answer = remove(site, OTHER_WORKSPACE)
    assert (answer.status, code(answer)) == (HTTPStatus.CONFLICT, "InvalidBucketState")
    assert code(remove(site, OTHER_WORKSPACE, "other")) == "AccessDenied"
    assert OTHER_WORKSPACE in buckets_of(backend.client())


def rpc(gateway: Gateway, name: str, method: str, document: bytes) -> Response:
    return gateway.signed("POST", f"/_rpc/{name}/{method}", "admin", JSON, document)


def test_one_of_the_same_name_is_another(site: Gateway, name: str) -> None:
    """Nothing of the first one's artifacts is left to the second."""
    create = b'{"prefix": "data", "manifest": {"type": "dataset"}}'
    for _ in range(2):
        assert make(site, name).status == OK
        assert rpc(site, name, "read", b'{"prefix": "data"}').status == NOT_FOUND
        assert rpc(site, name, "create", create).status == OK
        committed = rpc(site, name, "read", b'{"prefix": "data"}').body
        assert b'"_version": 1' in committed, committed
        assert code(remove(site, name)) == "BucketNotEmpty"
        assert rpc(site, name, "delete", b'{"prefix": "data"}').status == OK
        assert remove(site, name).status == NO_CONTENT


@dataclass(frozen=True, slots=True)
class Scene:
    """Where making or removing is stopped and killed, and whether the workspace is there then."""

    verb: Callable[[Gateway, str], Response]
    method: str
    target: str
    when: When
    there: bool


RECORD = f"^/{SYSTEM}/workspaces/"
SCENES = {
    "making, no bucket yet": Scene(make, "PUT", "^/{name}$", "before", there=False),
    "making, bucket made": Scene(make, "PUT", "^/{name}$", "after", there=True),
    "making, no record yet": Scene(make, "PUT", RECORD, "before", there=True),
    "making, recorded": Scene(make, "PUT", RECORD, "after", there=True),
    "removing, bucket there": Scene(remove, "DELETE", "^/{name}$", "before", there=True),
    "removing, bucket gone": Scene(remove, "DELETE", "^/{name}$", "after", there=False),
    "removing, recorded": Scene(remove, "DELETE", RECORD, "before", there=False),
    "removing, no record": Scene(remove, "DELETE", RECORD, "after", there=False),
}


@pytest.fixture(scope="module")
def aftermath(site: Gateway, tap: WireTap) -> Mapping[str, str]:
    """The name of every scene's workspace; all were stopped, then one SIGKILL, and a start."""
    names = {scene: f"killed-{secrets.token_hex(5)}" for scene in SCENES}
    for scene, played in SCENES.items():
        if played.verb is remove:
            assert make(site, names[scene]).status == OK
    with ThreadPoolExecutor(len(SCENES)) as pool:
        for scene, played in SCENES.items():
            target = played.target.format(name=names[scene])
            pause = tap.pause_on(played.method, target, when=played.when)
            pool.submit(ignoring, partial(played.verb, site, names[scene]))
            pause.wait()
        site.kill()
        tap.cut()
    site.start()
    return names


def ignoring(call: Callable[[], Response]) -> None:
    """Call, whatever comes of it: the gateway is going to die."""
    try:
        call()
    except OSError:
        return


@pytest.mark.parametrize("scene", SCENES)
def test_killed_gateway_leaves_a_whole_workspace_or_none(
    aftermath: Mapping[str, str], site: Gateway, backend: Backend, scene: str
) -> None:
    name, there = aftermath[scene], SCENES[scene].there
    assert site.signed("HEAD", f"/{name}", "admin").status == (OK if there else NOT_FOUND)
    assert (name in buckets_of(backend.client())) == there
    assert (name in buckets_of(site.s3("admin"))) == there
    if there:
        site.s3("admin").put_object(Bucket=name, Key="a.txt", Body=b"a")
        site.s3("admin").delete_object(Bucket=name, Key="a.txt")
        assert remove(site, name).status == NO_CONTENT
    assert make(site, name).status == OK
    assert remove(site, name).status == NO_CONTENT


def test_no_record_of_a_removed_workspace_is_left(
    aftermath: Mapping[str, str], site: Gateway, backend: Backend
) -> None:
    direct = backend.client()
    pages = direct.list_objects_v2(Bucket=SYSTEM, Prefix="workspaces/")["Contents"]
    records = [direct.get_object(Bucket=SYSTEM, Key=each["Key"])["Body"].read() for each in pages]
    kept = buckets_of(site.s3("admin"))
    assert not any(name in kept for name in aftermath.values())
    assert len(records) == len(kept)


def test_answer_that_is_lost_leaves_a_whole_workspace_or_none(
    site: Gateway, backend: Backend, tap: WireTap, name: str
) -> None:
    pause = tap.pause_on("PUT", f"^/{name}$", when="after")
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make, site, name)
        pause.wait()
        pause.drop()
        assert making.result().status == HTTPStatus.SERVICE_UNAVAILABLE
    assert code(make(site, name)) == "BucketAlreadyOwnedByYou"
    pause = tap.pause_on("DELETE", f"^/{name}$", when="after")
    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove, site, name)
        pause.wait()
        pause.drop()
        assert removing.result().status == HTTPStatus.SERVICE_UNAVAILABLE
    assert code(remove(site, name)) == "NoSuchBucket"
    assert name not in buckets_of(backend.client())


def test_configuration_may_take_one_over_where_it_lies(site: Gateway, name: str) -> None:
    """With its own name as bucket it is the same one, with other settings; else no start."""
    assert make(site, name).status == OK
    site.s3("admin").put_object(Bucket=name, Key="public/a.txt", Body=b"a")
    site.stop()
    own, listen = site.configuration()["workspaces"], site.configuration()["listen"]

    def start(**workspaces: Mapping[str, str]) -> None:
        one = {**listen, "workers": 1}
        site.settings = {**site.settings, "listen": one, "workspaces": own | workspaces}
        site.start()

    try:
        with pytest.raises(AssertionError, match=rf"\(exit 2\):(.|\n)*workspaces\.new: .*{name}"):
            start(new={"bucket": name, "prefix": "part"})
        start(**{name: {"bucket": name, "public": "none"}})
        assert site.request("GET", f"/{name}/public/a.txt").status == HTTPStatus.FORBIDDEN
        assert site.signed("GET", f"/{name}/public/a.txt", "admin").body == b"a"
        assert code(remove(site, name)) == "InvalidBucketState"
    finally:
        site.stop()
        start()
    assert site.request("GET", f"/{name}/public/a.txt").body == b"a"


def test_a_backend_that_makes_buckets_twice_is_not_believed(tmp_path: Path, name: str) -> None:
    """moto's server, like AWS in its oldest region, says 200 to an owner who does it again."""
    backend = Backend(tmp_path / "moto", kind="moto").start()
    with WireTap(backend.endpoint_url) as tap:
        gateway = Gateway(backend, tmp_path, endpoint_url=tap.url)
        try:
            gateway.start()
            client, direct = gateway.s3("admin"), backend.client()
            client.create_bucket(Bucket=name)
            client.delete_bucket(Bucket=name)
            pause = tap.pause_on("PUT", f"^/{name}$")
            with ThreadPoolExecutor(1) as pool:
                making = pool.submit(make, gateway, name)
                pause.wait()
                direct.create_bucket(Bucket=name)
                direct.put_object(Bucket=name, Key="theirs.txt", Body=b"theirs")
                pause.resume()
                assert code(making.result()) == "BucketAlreadyExists"
            assert gateway.signed("HEAD", f"/{name}", "admin").status == NOT_FOUND
            assert direct.get_object(Bucket=name, Key="theirs.txt")["Body"].read() == b"theirs"
        finally:
            tap.cut()
            gateway.stop()
            backend.kill()
