"""Workspaces that are a whole bucket, a renamed one, or a part of one: nobody can tell.

One list of requests goes to a workspace whose names are the backend's, to a renamed one, and to
one that is a part of a bucket with other people's keys around it. The answers are the same but
for the workspace's own name, on two backends.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

import pytest
import requests

from gateway.s3.xml import parse
from tests.acceptance.harness import KEYS, Backend, Gateway, Response
from tests.acceptance.signer import Signer
from tests.acceptance.silence import code
from tests.acceptance.steps import refused
from tests.acceptance.wire import WireTap

PREFIX = "zqteam ö/a+b%/"
BUCKETS = {"wwhole": "wwhole", "wnamed": "zqnamed", "wpart": "zqshared"}
HIDDEN = (b"zqnamed", b"zqshared", b"zqteam", b"FOREIGN")
FOREIGN = (
    "zqroot.txt",
    "aaa/first.txt",
    "zqteam ö.txt",
    "zqteam ö/a+b%.txt",
    "zqteam ö/other.txt",
    "zqteam ö/a+b%x/beside.txt",
    "zzz/last.txt",
)
VOLATILE = {
    "RequestId",
    "HostId",
    "LastModified",
    "Initiated",
    "UploadId",
    "UploadIdMarker",
    "NextUploadIdMarker",
    "VersionId",
    "VersionIdMarker",
    "NextVersionIdMarker",
    "DeleteMarkerVersionId",
    "ContinuationToken",
    "NextContinuationToken",
    "Expires",
}
PART = hashlib.md5(b"p" * 100, usedforsecurity=False).hexdigest()
COMPLETE = (
    f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{PART}</ETag></Part>"
    "</CompleteMultipartUpload>"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `{w}` is the workspace, `{u}` the id of the newest upload."""

    method: str
    target: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def listings(*queries: str) -> list[Ask]:
    return [Ask("GET", f"/{{w}}?{query}") for query in queries]


ASKED: Sequence[Ask] = [
    *(
        Ask("PUT", "/{w}/" + quote(key), "x")
        for key in ("a.txt", "dir/b c.txt", "dir/ü+%.txt", "dir/sub/d.txt", "dir&more/e.txt")
    ),
    Ask("GET", "/{w}/a.txt"),
    Ask("HEAD", "/{w}/a.txt"),
    Ask("GET", "/{w}/none.txt"),
    Ask("HEAD", "/{w}/none.txt"),
    Ask("GET", "/{w}/dir%26none"),
    Ask("GET", "/{w}/a.txt", headers={"Range": "bytes=90-99"}),
    Ask("GET", "/{w}/a.txt", headers={"If-Match": '"other"'}),
    Ask("PUT", "/{w}/copy.txt", headers={"x-amz-copy-source": "{w}/dir/b%20c.txt"}),
    Ask("PUT", "/{w}/copy.txt", headers={"x-amz-copy-source": "/{w}/dir/%C3%BC%2B%25.txt"}),
    Ask("PUT", "/{w}/copy.txt", headers={"x-amz-copy-source": "{w}/none.txt"}),
    *listings(
        "",
        "prefix=dir/",
        "delimiter=/",
        "prefix=dir/&delimiter=/",
        "prefix=dir&delimiter=%26",
        "marker=dir/b%20c.txt",
        "encoding-type=url&prefix=dir/",
        "list-type=2",
        "list-type=2&prefix=dir/&delimiter=/&encoding-type=url",
        "list-type=2&start-after=dir/&max-keys=3",
        "list-type=2&max-keys=1",
        "list-type=2&max-keys=x",
        "list-type=2&fetch-owner=true&prefix=a",
        "versions",
        "versions&max-keys=2&delimiter=/",
        "versions&key-marker=dir/b%20c.txt&max-keys=1",
        "versions&prefix=dir/&encoding-type=url",
        "location",
        "versioning",
        "acl",
    ),
    Ask("HEAD", "/{w}"),
    Ask("POST", "/{w}/up/big%20one.bin?uploads"),
    Ask("PUT", "/{w}/up/big%20one.bin?partNumber=1&uploadId={u}", "p" * 100),
    Ask(
        "PUT",
        "/{w}/up/big%20one.bin?partNumber=2&uploadId={u}",
        headers={"x-amz-copy-source": "{w}/a.txt"},
    ),
    Ask("GET", "/{w}/up/big%20one.bin?uploadId={u}"),
    Ask("GET", "/{w}/up/big%20one.bin?uploadId=none"),
    *listings("uploads", "uploads&prefix=up/", "uploads&delimiter=/", "uploads&key-marker=a"),
    *listings("uploads&encoding-type=url&max-uploads=1"),
    Ask("POST", "/{w}/up/big%20one.bin?uploadId={u}", COMPLETE.replace(PART, "wrong")),
    Ask("POST", "/{w}/up/big%20one.bin?uploadId={u}", COMPLETE),
    Ask("DELETE", "/{w}/up/none?uploadId=none"),
    Ask(
        "PUT",
        "/{w}/a.txt?tagging",
        "<Tagging><TagSet><Tag><Key>dir/</Key><Value>v</Value></Tag></TagSet></Tagging>",
    ),
    Ask("GET", "/{w}/a.txt?tagging"),
    Ask("GET", "/{w}/none?tagging"),
    Ask("GET", "/{w}/a.txt?acl"),
    Ask("GET", "/{w}/a.txt?attributes", headers={"x-amz-object-attributes": "ETag,ObjectSize"}),
    Ask(
        "POST",
        "/{w}?delete",
        "<Delete><Object><Key>dir/b c.txt</Key></Object><Object><Key>none</Key></Object></Delete>",
    ),
    Ask("DELETE", "/{w}/copy.txt"),
    *listings("prefix=d"),
]
# What a part of a bucket is not told, and what it can't set.
SETTINGS = [
    Ask("GET", "/{w}?cors"),
    Ask("GET", "/{w}?lifecycle"),
    Ask("GET", "/{w}?policy"),
    Ask("GET", "/{w}?tagging"),
    Ask("GET", "/{w}?logging"),
    Ask("GET", "/{w}?notification"),
    Ask("DELETE", "/{w}?tagging"),
    Ask("PUT", "/{w}?versioning", "<VersioningConfiguration><Status>Enabled</Status></Ver>"),
    Ask(
        "PUT",
        "/{w}?lifecycle",
        (
            "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter>"
            "<Prefix>dir/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>"
            "</LifecycleConfiguration>"
        ),
    ),
]


@dataclass(slots=True)
class Site:
    """A backend, and a gateway with three kinds of workspaces in front of it."""

    backend: Backend
    gateway: Gateway
    tap: WireTap
    uploads: dict[str, str] = field(default_factory=dict)

    def ask(self, workspace: str, asked: Ask) -> Response:
        upload = self.uploads.get(workspace, "")
        target = asked.target.replace("{w}", workspace).replace("{u}", upload)
        headers = {name: text.replace("{w}", workspace) for name, text in asked.headers.items()}
        answer = self.gateway.signed(asked.method, target, "admin", headers, asked.body.encode())
        made = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body)
        if made and asked.target.endswith("?uploads"):
            self.uploads[workspace] = made[1].decode()
        return answer


@pytest.fixture(scope="module", params=["seaweedfs", "moto"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(f"translation-{request.param}")
    backend = Backend(folder / "backend", kind=request.param).start()
    direct = backend.client()
    for bucket in BUCKETS.values():
        direct.create_bucket(Bucket=bucket)
    for key in FOREIGN:
        direct.put_object(Bucket="zqshared", Key=key, Body=b"FOREIGN")
    workspaces = {
        name: {
            "bucket": bucket,
            "prefix": PREFIX if name == "wpart" else "",
            "public": "objects",
            "backend_settings": True,
        }
        for name, bucket in BUCKETS.items()
    }
    with WireTap(backend.endpoint_url) as tap:
        gateway = Gateway(backend, folder, {"workspaces": workspaces}, tap.url)
        try:
            yield Site(backend, gateway.start(), tap)
        finally:
            tap.cut()
            gateway.stop()
            backend.kill()


@pytest.fixture(scope="module")
def answers(site: Site) -> Mapping[str, Sequence[Response]]:
    """What each workspace answers to the list."""
    return {name: [site.ask(name, asked) for asked in ASKED] for name in BUCKETS}


def shape(answer: Response, workspace: str) -> object:
    """Status, headers and document of an answer, without what is each request's own."""
    headers = {
        name.lower(): text.replace(workspace, "W")
        for name, text in answer.headers.items()
        if name.lower() not in ("date", "last-modified", "content-length", "x-amzn-requestid")
        and not name.lower().endswith(("request-id", "id-2"))
    }
    if b"<?xml" not in answer.body[:10]:
        return answer.status, headers, answer.body
    return answer.status, headers, tree(parse(answer.body), workspace)


def tree(item: Element, workspace: str) -> object:
    """An element as values; a Prefix that says nothing is none, and NextMarker may be."""
    inner = [
        tree(child, workspace)
        for child in item
        if local(child) not in VOLATILE
        and not (local(child) in ("Prefix", "NextMarker") and len(item) > 1 and not child.text)
    ]
    return local(item), (item.text or "").replace(workspace, "W"), inner


def local(item: Element) -> str:
    return item.tag.rpartition("}")[2]


@pytest.mark.parametrize("workspace", ["wnamed", "wpart"])
@pytest.mark.parametrize("number", range(len(ASKED)), ids=lambda n: f"{n}-{ASKED[n].method}")
def test_answers_are_those_of_a_whole_bucket(
    answers: Mapping[str, Sequence[Response]], workspace: str, number: int
) -> None:
    answer, whole = answers[workspace][number], answers["wwhole"][number]
    assert shape(answer, workspace) == shape(whole, "wwhole"), ASKED[number]


@pytest.mark.parametrize("workspace", ["wnamed", "wpart"])
def test_no_answer_names_the_backend_s_bucket_or_prefix(
    answers: Mapping[str, Sequence[Response]], workspace: str
) -> None:
    for asked, answer in zip(ASKED, answers[workspace], strict=True):
        # Tokens are the backend's own words, and pass untouched.
        body = re.sub(rb"<(Next)?ContinuationToken>[^<]*<", b"<", answer.body)
        told = body + str(answer.headers.items()).encode()
        assert not [name for name in HIDDEN if name in told], (asked, answer)


def foreign(site: Site) -> Mapping[str, bytes]:
    """What lies in the shared bucket beside the workspace, as the backend has it."""
    direct = site.backend.client()
    keys = [each["Key"] for each in direct.list_objects_v2(Bucket="zqshared")["Contents"]]
    return {
        key: direct.get_object(Bucket="zqshared", Key=key)["Body"].read()
        for key in keys
        if not key.startswith(PREFIX)
    }


SPELLINGS = (
    "../../zzz/last.txt",
    "..%2f..%2fzzz/last.txt",
    "%2e%2e/%2e%2e/zzz/last.txt",
    "%2E%2E%2Fother.txt",
    "//zzz/last.txt",
    "/../other.txt",
    "..%5c..%5czzz%5clast.txt",
    "a/../../../zzz/last.txt",
    "..",
    "../.txt",
    "../x/beside.txt",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_key_leaves_the_prefix(site: Site, spelling: str) -> None:
    key = f"/wpart/{spelling}"
    delete = f"<Delete><Object><Key>{unquote(spelling)}</Key></Object></Delete>"
    for asked in (
        Ask("GET", key),
        Ask("GET", key + "?tagging"),
        Ask("PUT", "/wpart/got.txt", headers={"x-amz-copy-source": f"wpart/{spelling}"}),
        Ask("PUT", key, "mine"),
        Ask("PUT", key, headers={"x-amz-copy-source": "wpart/a.txt"}),
        Ask("POST", key + "?uploads"),
        Ask("DELETE", key),
        Ask("POST", "/wpart?delete", delete),
        *listings(
            f"prefix={quote(unquote(spelling), safe='')}",
            f"list-type=2&start-after={quote(unquote(spelling), safe='')}",
            f"versions&key-marker={quote(unquote(spelling), safe='')}",
        ),
    ):
        answer = site.ask("wpart", asked)
        assert b"FOREIGN" not in answer.body, asked
        shown = re.sub(rb"<ContinuationToken>[^<]*<", b"<", answer.body)
        assert not [name for name in HIDDEN if name in shown], (asked, answer)
        listed = re.findall(rb"<Contents>.*?<Key>([^<]*)</Key>", answer.body)
        assert not [name for name in listed if name.decode() in FOREIGN], (asked, answer)
    assert foreign(site) == dict.fromkeys(FOREIGN, b"FOREIGN")


@pytest.mark.parametrize("token", ["aaa/", "zzz/", "zqteam ö.txt", "zqteam ö/", "zqteam ö/a+b%x/"])
def test_tokens_of_others_lead_nowhere(site: Site, token: str) -> None:
    for query in ("list-type=2", "list-type=2&delimiter=/"):
        asked = Ask("GET", f"/wpart?{query}&continuation-token={quote(token, safe='')}")
        answer = site.ask("wpart", asked)
        listed = re.findall(
            rb"<(?:Contents|CommonPrefixes)>.*?<(?:Key|Prefix)>([^<]*)<", answer.body
        )
        assert not [name for name in listed if name.decode() in FOREIGN or not name], answer


def test_uploads_of_others_are_not_seen(site: Site) -> None:
    direct = site.backend.client()
    keys = ("zqteam ö/other-upload", "zzz/upload", PREFIX + "own-upload")
    ids = {
        key: direct.create_multipart_upload(Bucket="zqshared", Key=key)["UploadId"] for key in keys
    }
    for query in ("", "&delimiter=/", "&encoding-type=url", "&prefix=o"):
        answer = site.ask("wpart", Ask("GET", f"/wpart?uploads{query}"))
        assert b"<Key>own-upload</Key>" in answer.body, answer
        assert not [ids[key] for key in keys[:2] if ids[key].encode() in answer.body], answer
        assert not [name for name in HIDDEN if name in answer.body], answer
    for key in keys:
        direct.abort_multipart_upload(Bucket="zqshared", Key=key, UploadId=ids[key])


def test_the_folder_that_the_workspace_is_has_no_name_in_it(site: Site) -> None:
    direct = site.backend.client()
    direct.put_object(Bucket="zqshared", Key=PREFIX, Body=b"")
    for query in ("", "list-type=2", "delimiter=/", "versions"):
        answer = site.ask("wpart", Ask("GET", f"/wpart?{query}"))
        assert answer.status == HTTPStatus.OK
        assert b"<Key></Key>" not in answer.body
        assert b"<Key/>" not in answer.body
    direct.delete_object(Bucket="zqshared", Key=PREFIX)


def test_copies_go_from_one_workspace_to_the_other(site: Site) -> None:
    client, direct = site.gateway.s3("admin"), site.backend.client()
    client.put_object(Bucket="wpart", Key="from/ü+.txt", Body=b"part")
    client.copy_object(Bucket="wnamed", Key="to.txt", CopySource="wpart/from/ü+.txt")
    assert direct.get_object(Bucket="zqnamed", Key="to.txt")["Body"].read() == b"part"
    client.copy_object(Bucket="wpart", Key="back.txt", CopySource="wnamed/to.txt")
    assert direct.get_object(Bucket="zqshared", Key=PREFIX + "back.txt")["Body"].read() == b"part"
    for source in ("zqshared/zzz/last.txt", "zqnamed/to.txt"):
        with refused("NoSuchBucket", HTTPStatus.NOT_FOUND):
            client.copy_object(Bucket="wpart", Key="got.txt", CopySource=source)


@pytest.mark.parametrize("asked", SETTINGS, ids=lambda asked: f"{asked.method} {asked.target[5:]}")
def test_a_part_of_a_bucket_has_no_settings(site: Site, asked: Ask) -> None:
    site.tap.forget()
    answer = site.ask("wpart", asked)
    assert (answer.status, code(answer)) == (HTTPStatus.FORBIDDEN, "AccessDenied")
    assert not site.tap.requests


def test_long_listing_streams_while_it_is_translated(site: Site) -> None:
    """Of a listing of which the backend has said half, the client has some."""
    names = [f"long/{'/'.join(['n' * 200] * 3)}/{number:04}" for number in range(300)]
    direct = site.backend.client()
    with ThreadPoolExecutor(8) as pool:
        put = partial(direct.put_object, Bucket="zqshared", Body=b"")
        list(pool.map(lambda name: put(Key=PREFIX + name), names))
    signer = Signer(f"127.0.0.1:{site.gateway.port}", KEYS["admin"])
    for query in ("list-type=2&prefix=long%2F", "prefix=long%2F&versions="):
        pause = site.tap.pause_on("GET", r"^/zqshared\?.*long/", when="within")
        target = f"/wpart?{query}"
        headers = signer.headers("GET", target)
        with requests.get(
            site.gateway.url + target, headers=headers, stream=True, timeout=30
        ) as answer:
            pieces = answer.iter_content(1024)
            first = next(pieces)
            assert pause.reached
            assert first.startswith(b"<?xml"), first
            pause.resume()
            document = first + b"".join(pieces)
        assert re.findall(rb"<Key>([^<]*)</Key>", document) == [name.encode() for name in names]


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::BUCKET/public/*",
        }
    ],
}


def test_settings_name_the_bucket_as_each_side_knows_it(site: Site) -> None:
    client, direct = site.gateway.s3("admin"), site.backend.client()
    client.put_bucket_policy(Bucket="wnamed", Policy=policy_of("wnamed"))
    for each, bucket in ((direct, "zqnamed"), (client, "wnamed")):
        told = each.get_bucket_policy(Bucket=bucket)["Policy"]
        assert f'"arn:aws:s3:::{bucket}/public/*"' in told
    client.delete_bucket_policy(Bucket="wnamed")


def policy_of(bucket: str) -> str:
    return json.dumps(POLICY).replace("BUCKET", bucket)


def test_a_form_is_answered_with_the_workspace_s_names(site: Site) -> None:
    form = site.gateway.s3("admin").generate_presigned_post(
        "wpart",
        "form/ü &.txt",
        {"success_action_status": "201"},
        [{"success_action_status": "201"}],
    )
    answer = requests.post(
        f"{site.gateway.url}/wpart", form["fields"], files={"file": b"form"}, timeout=30
    )
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    place = f"{site.gateway.url}/wpart/form/%C3%BC%20%26.txt"
    assert answer.headers["Location"] == place
    assert local_texts(answer.content) == {
        "Location": place,
        "Bucket": "wpart",
        "Key": "form/ü &.txt",
        "ETag": answer.headers["ETag"],
    }
    direct = site.backend.client()
    stored = direct.get_object(Bucket="zqshared", Key=PREFIX + "form/ü &.txt")
    assert stored["Body"].read() == b"form"


def local_texts(document: bytes) -> dict[str, str | None]:
    return {local(item): item.text for item in parse(document)}


@pytest.mark.parametrize("workspace", ["wnamed", "wpart"])
def test_artifacts_live_in_every_kind_of_workspace(site: Site, workspace: str) -> None:
    """Staged, committed, read, archived, edited: nothing of it knows where the workspace lies."""
    gateway, client = site.gateway, site.gateway.s3("admin")
    base = f"/{workspace}/artifact/public/set"
    client.put_object(Bucket=workspace, Key="public/set/_manifest.yaml", Body=b"type: dataset\n")
    client.put_object(Bucket=workspace, Key="public/set/data/ü.csv", Body=b"one")
    client.copy_object(
        Bucket=workspace,
        Key="public/set/manifest.yaml",
        CopySource=f"{workspace}/public/set/_manifest.yaml",
    )
    manifest = gateway.anonymous("GET", base).json()
    assert (manifest["_version"], [each["path"] for each in manifest["files"]]) == (
        1,
        ["data/ü.csv"],
    )
    assert gateway.anonymous("GET", base + "/data/ü.csv").content == b"one"
    client.put_object(Bucket=workspace, Key="public/set/data/ü.csv", Body=b"two!")
    assert gateway.anonymous("GET", base + "/data/ü.csv").content == b"one"
    assert gateway.anonymous("GET", f"/{workspace}/public/set/data/ü.csv").content == b"one"
    archive = gateway.anonymous("GET", base, params={"format": "zip"})
    assert zipfile.ZipFile(io.BytesIO(archive.content)).read("set/data/ü.csv") == b"one"
    listed = gateway.s3("anonymous").list_objects_v2(Bucket=workspace, Prefix="public/set/")
    assert [(each["Key"], each["Size"]) for each in listed["Contents"]] == [
        ("public/set/data/ü.csv", 3),
        ("public/set/manifest.yaml", 14),
    ]
    direct, bucket = site.backend.client(), BUCKETS[workspace]
    start = PREFIX if workspace == "wpart" else ""
    kept = direct.get_object(Bucket=bucket, Key=start + "public/set/manifest.yaml")
    assert kept["Body"].read() == b"type: dataset\n"
