"""fsck names what is wrong, exactly; repairs what can be; and then finds nothing any more.

One gateway's bucket, records and index are damaged in many ways at once, and fsck runs three
times: it looks, it repairs, it looks again.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import pytest

from gateway.artifact.record_key import record_key
from tests.acceptance.damages import (
    AREA,
    DAMAGES,
    SYSTEM,
    Damage,
    House,
    note_of_nobody,
    record_of_nobody,
    without_row,
)
from tests.acceptance.harness import (
    OTHER_WORKSPACE,
    WORKSPACE,
    Backend,
    Document,
    Gateway,
    Outcome,
)
from tests.acceptance.sights import bring, check
from tests.acceptance.steps import keys_below, make_gallery, manifest, publish, put, refused
from tests.acceptance.stopping import stand_still
from tests.acceptance.views import DATA, MANIFEST, Artifact
from tests.acceptance.wire import WireTap

WRITERS = 4
REST_SECONDS = 0.5
"""Between two commits of each writer but one: of what nobody rests from, fsck says nothing."""
ROUNDS = 2
"""More often than this each writer commits while fsck looks."""

PLAIN = "fsck-plain"
"""A workspace whose bucket keeps no versions, and is not to: no damage is done to it."""

Seen = tuple[str, str, str]
"""A finding's kind, prefix and path."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a run of fsck ended, and what it printed."""

    code: int
    findings: Sequence[Document]
    errors: str

    @property
    def seen(self) -> set[Seen]:
        """What was found."""
        return {(each["kind"], each["prefix"], each["path"]) for each in self.findings}


def run(gateway: Gateway, *options: str) -> Outcome:
    """A run of the command as a process."""
    return gateway.command("fsck", *options)


def fsck(gateway: Gateway, *options: str) -> Told:
    """What fsck finds in the gateway's workspace."""
    ended = run(gateway, "--json", "--workspace", WORKSPACE, *options)
    assert ended.returncode in (0, 1), ended.stderr
    return Told(ended.returncode, json.loads(ended.stdout), ended.stderr)


@pytest.fixture(scope="module")
def tap(backend: Backend) -> Iterator[WireTap]:
    """A tap in front of the shared backend."""
    with WireTap(backend.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def house(
    backend: Backend, tap: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A gateway with buckets of its own on the shared backend."""
    own = replace(backend, bucket="fsck")
    client = own.client()
    for bucket in ("fsck", "fsck-other", PLAIN):
        client.create_bucket(Bucket=bucket)
    settings = {
        "system": {"bucket": SYSTEM, "prefix": AREA},
        "workspaces": {
            WORKSPACE: {"bucket": "fsck"},
            OTHER_WORKSPACE: {"bucket": "fsck-other", "prefix": "folder/"},
            PLAIN: {"bucket": "fsck-plain", "versioning": False},
        },
    }
    folder = tmp_path_factory.mktemp("fsck")
    gateway = Gateway(own, folder, settings, endpoint_url=tap.url)
    try:
        yield House(gateway.start(), client)
    finally:
        tap.cut()
        gateway.stop()


@pytest.fixture(scope="module")
def rich(house: House) -> Gateway:
    """The gateway, with artifacts in every state, a gallery, and files that wait."""
    gateway = house.gateway
    for state in ("new", "committed", "editing", "edited"):
        bring(gateway, gateway.new_prefix(public=True), state)
    many = {f"part-{number:02}": b"%d" % number for number in range(40)}
    publish(gateway, "many", many)
    publish(gateway, "many", {**many, "part-00": b"again"}, name="again")
    gateway.rpc("rollback", prefix="many", version=1)
    gateway.rpc("delete", prefix="many")
    publish(gateway, "many", many)
    make_gallery(gateway, "gallery")
    publish(gateway, "gallery/member", {"a/b.csv": b"1", "a.csv": b"2"})
    put(gateway.s3(), "gallery", {"cover.png": b"png", "waiting/data.csv": b"3"})
    gateway.rpc("set_download_weight", prefix="gallery/member", path="a.csv", weight=2)
    gateway.rpc("create", prefix="announced", manifest={"type": "dataset"}, stage=True)
    gateway.rpc("put_file", prefix="announced", file_path="later.csv")
    for key, body in {
        MANIFEST: manifest(type="collection"),
        f"member/{MANIFEST}": manifest(),
        "cover.png": b"png",
        "member/data.csv": b"staged",
        "waiting/data.csv": b"waits",
    }.items():
        gateway.s3("admin").put_object(Bucket=PLAIN, Key=key, Body=body)
    gateway.rpc("create", prefix="gallery/gone", manifest={"type": "dataset"}, stage=True)
    gateway.rpc("discard", prefix="gallery/gone")
    make_gallery(gateway, "closed")
    put(gateway.s3(), "closed", {"waiting/data.csv": b"5"})
    gateway.rpc("delete", prefix="closed")
    put(gateway.s3(), "ordinary", {"manifest.yaml": b"no: type", "data.csv": b"4"})
    return gateway


def test_a_rich_workspace_gives_no_finding(rich: Gateway) -> None:
    ended = run(rich)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.endswith("0 findings, 0 of them repaired\n")


def test_writers_give_no_finding(rich: Gateway) -> None:
    over = threading.Event()
    rounds = [0] * WRITERS

    def commit(number: int, rest: float) -> None:
        while not over.is_set():
            last = rounds[number]
            files = {DATA: b"%d" % last, f"file-{last % 3}": b"x"}
            publish(rich, f"busy-{number}", files, n=last)
            rounds[number] += 1
            over.wait(rest)

    told = []
    with ThreadPoolExecutor(WRITERS) as pool:
        working = [
            pool.submit(commit, number, REST_SECONDS if number else 0) for number in range(WRITERS)
        ]
        try:
            while min(rounds) <= ROUNDS and not any(each.done() for each in working):
                told.append(fsck(rich, "--repair"))
        finally:
            over.set()
        for each in working:
            each.result()
    assert [(each.code, each.findings) for each in told] == [(0, [])] * len(told)
    assert all(each.errors.count("written to all the time") < WRITERS for each in told)
    for number, last in enumerate(rounds):
        assert rich.rpc("read", prefix=f"busy-{number}")["n"] == last - 1


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What three runs of fsck told of a damaged workspace: looking, repairing, looking again."""

    artifacts: Mapping[str, Artifact]
    records: Mapping[str, bytes]
    others: Mapping[str, Seen]
    looked: Told
    repaired: Told
    again: Told


@pytest.fixture(scope="module")
def aftermath(rich: Gateway, house: House, tap: WireTap) -> Aftermath:
    """All damage done at once, to a gateway that was killed in the middle of many things."""
    artifacts = {
        damage.name: bring(rich, rich.new_prefix(public=True), damage.state) for damage in DAMAGES
    }
    rich.rpc("put_file", prefix="announced", file_path="forgotten.csv")
    rich.rpc("set_download_weight", prefix="gallery/member", path="a/b.csv", weight=3)
    put(rich.s3(), "gallery", {"early/data.csv": b"5"})
    stopped = {}
    with ThreadPoolExecutor(len(DAMAGES)) as pool:
        for damage in DAMAGES:
            if damage.call is not None and damage.stop is not None:
                artifact = artifacts[damage.name]
                call = partial(damage.call, artifact)
                stopped[damage.name] = stand_still(tap, pool, damage.stop, artifact.prefix, call)
        rich.kill()
        tap.cut()
    assert all(stopped.values()), stopped
    records = {}
    for damage in DAMAGES:
        if damage.harm is not None:
            if damage.state == "committed":
                records[damage.name] = house.record(artifacts[damage.name])
            damage.harm(house, artifacts[damage.name])
    others = harm_around(house)
    runs = [fsck(rich, *options) for options in ((), ("--repair",), ())]
    rich.start()
    return Aftermath(artifacts, records, others, *runs)


def harm_around(house: House) -> Mapping[str, Seen]:
    """Harm to what lies around artifacts, and what is to be said of it."""
    identity = house.workspace_id(WORKSPACE)
    house.sql("DELETE FROM announcement WHERE path = 'forgotten.csv'")
    without_row(house, Artifact(house.gateway, "many"))
    house.sql("UPDATE pin SET weight = 0 WHERE key = 'gallery/member/a/b.csv'")
    house.sql("DELETE FROM arrival WHERE prefix = 'gallery/early'")
    for directory in ("gallery/nothing", "ordinary/nothing"):
        house.sql("INSERT INTO arrival (workspace_id, prefix) VALUES (?, ?)", identity, directory)
    return {
        "announcement": ("unknown-announcement", "announced", "forgotten.csv"),
        "forgotten": ("unindexed-record", "many", ""),
        "weight": ("unknown-weight", "gallery/member", "a/b.csv"),
        "early": ("missing-arrival", "gallery/early", ""),
        "nothing": ("empty-arrival", "gallery/nothing", ""),
        "ordinary": ("empty-arrival", "ordinary/nothing", ""),
        "note": ("orphan-note", note_of_nobody(house, WORKSPACE), ""),
    }


def expected(aftermath: Aftermath) -> set[Seen]:
    """What is to be found."""
    found = {
        (kind, aftermath.artifacts[damage.name].prefix, path)
        for damage in DAMAGES
        for kind, path in damage.says
    }
    return found | set(aftermath.others.values())


def test_each_damage_is_named_and_nothing_else(aftermath: Aftermath) -> None:
    told = aftermath.looked
    assert told.seen == expected(aftermath)
    assert len(told.findings) == len(told.seen)
    assert told.code == 1
    assert not any(each["repaired"] for each in told.findings)
    assert all(each["meaning"] and "--repair" in each["remedy"] for each in told.findings)


def test_repair_mends_what_was_named_and_then_all_is_clean(aftermath: Aftermath) -> None:
    told = aftermath.repaired
    assert [each for each in told.findings if not each["repaired"]] == []
    assert told.seen >= expected(aftermath)
    assert told.code == 0
    assert (aftermath.again.code, aftermath.again.findings) == (0, [])


def test_what_was_noted_is_known_again(aftermath: Aftermath, house: House) -> None:
    del aftermath
    reader, writer = (house.gateway.s3(key) for key in ("read", "write"))
    assert "early/data.csv" in keys_below(writer, "gallery")
    assert "early/data.csv" not in keys_below(reader, "gallery")
    files = house.gateway.rpc("list_files", key="read", prefix="gallery/member", path="a")
    assert [each["download_weight"] for each in files] == [3]
    with refused("MissingFiles", 409) as refusal:
        house.gateway.rpc("commit", prefix="announced")
    assert refusal.details["missing"] == ["forgotten.csv", "later.csv"]


def test_a_life_that_the_index_forgot_is_read_from_its_records(
    aftermath: Aftermath, house: House
) -> None:
    told = [each for each in aftermath.looked.findings if each["prefix"] == "many"]
    assert [each["versions"] for each in told] == [[1, 2, 3, 4, 5]]
    many = Artifact(house.gateway, "many")
    assert [each["version"] for each in many.rpc("versions")] == [5]
    files = {f"part-{number:02}": b"%d" % number for number in range(40)}
    seen = many.seen_by("read")
    assert seen == many.seen_by("write") == {**files, MANIFEST: manifest()}
    assert not many.is_open


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_everybody_sees_what_is_right_after_a_repair(
    aftermath: Aftermath, house: House, damage: Damage
) -> None:
    artifact = aftermath.artifacts[damage.name]
    check(artifact, damage.after)
    if damage.name in aftermath.records:
        before, now = (
            json.loads(each) for each in (aftermath.records[damage.name], house.record(artifact))
        )
        # Which staged manifest went with it, the index did not know.
        assert {**before, "staged_manifest": None} == {**now, "staged_manifest": None}


@dataclass(frozen=True, slots=True)
class Ruin:
    """What can't be mended, in the other workspace: what is to be said of it, and three runs."""

    expected: set[tuple[str, str]]
    looked: Outcome
    repaired: Outcome
    versioning: str


@pytest.fixture(scope="module")
def ruin(house: House, aftermath: Aftermath) -> Ruin:
    """Lost data, a record that can't be read, a manifest of nobody, versioning suspended."""
    del aftermath  # it has stopped and started the gateway
    gateway, client = house.gateway, house.client
    admin = gateway.s3("admin")
    for prefix in ("lost", "unreadable"):
        for path, body in (("data.csv", b"1"), ("kept.csv", b"2"), (MANIFEST, manifest())):
            admin.put_object(Bucket=OTHER_WORKSPACE, Key=f"{prefix}/{path}", Body=body)
    admin.put_object(Bucket=OTHER_WORKSPACE, Key=f"lost/{MANIFEST}", Body=manifest(n=2))
    place = {"Bucket": "fsck-other", "Key": "folder/lost/data.csv"}
    pinned = client.head_object(**place)["VersionId"]
    client.delete_object(**place, VersionId=pinned)
    key = AREA + record_key(house.workspace_id(OTHER_WORKSPACE), "unreadable", 1)
    client.put_object(Bucket=SYSTEM, Key=key, Body=b"{")
    client.put_object(Bucket="fsck-other", Key=f"folder/nobodys/{MANIFEST}", Body=manifest())
    versioning = {"Status": "Suspended"}
    client.put_bucket_versioning(Bucket="fsck-other", VersioningConfiguration=versioning)
    stranger = record_of_nobody(house)
    looked = run(gateway)
    repaired = run(gateway, "--repair", "--workspace", OTHER_WORKSPACE)
    now = client.get_bucket_versioning(Bucket="fsck-other")["Status"]
    found = {
        ("lost-version", f"{OTHER_WORKSPACE}/lost/data.csv (version 1, 2)"),
        ("unreadable-record", f"{OTHER_WORKSPACE}/unreadable/{key} (version 1)"),
        ("unknown-manifest", f"{OTHER_WORKSPACE}/nobodys/{MANIFEST}"),
        ("unversioned-bucket", OTHER_WORKSPACE),
        ("unknown-workspace", stranger),
    }
    return Ruin(found, looked, repaired, now)


def lines(ended: Outcome) -> set[tuple[str, str]]:
    """Kind and place of each line."""
    found = [tuple(line.split(": ", 2)[:2]) for line in ended.stdout.splitlines()]
    assert len(found) == len(set(found))
    return {(kind, place) for kind, place in found}


def test_what_nobody_can_mend_remains(ruin: Ruin) -> None:
    assert lines(ruin.looked) == ruin.expected
    assert ruin.looked.returncode == 1
    told = dict(line.split(": ", 1) for line in ruin.repaired.stdout.splitlines())
    assert {kind for kind, line in told.items() if line.endswith("; repaired")} == {
        "unversioned-bucket"
    }
    assert set(told) == {kind for kind, _ in ruin.expected} - {"unknown-workspace"}
    assert ruin.repaired.returncode == 1
    assert ruin.versioning == "Enabled"


def test_lost_data_is_not_hidden_and_the_rest_is_read(ruin: Ruin, house: House) -> None:
    del ruin
    admin = house.gateway.s3("admin")
    for prefix in ("lost", "unreadable"):
        key = f"{prefix}/kept.csv"
        assert admin.get_object(Bucket=OTHER_WORKSPACE, Key=key)["Body"].read() == b"2"
    door = f"/{OTHER_WORKSPACE}/lost/data.csv"
    assert house.gateway.signed("GET", door, "admin").status == 404


def test_a_workspace_that_is_not_there_is_a_misconfiguration(house: House) -> None:
    ended = run(house.gateway, "--workspace", "nowhere")
    assert ended.returncode == 2
    assert ended.stderr.endswith(
        f"--workspace: there is no 'nowhere', only {PLAIN}, {WORKSPACE}, {OTHER_WORKSPACE}\n"
    )
