"""A reader tries to reach what is staged: nothing comes, and nothing can be told of it."""

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from urllib.parse import quote

import pytest

from tests.acceptance.backends import s3_client
from tests.acceptance.harness import Document, Gateway, Key, Response
from tests.acceptance.secrecy import (
    CALLERS,
    COMMITTED,
    COPIER,
    LOWERED,
    OPEN,
    OWNER,
    READER,
    SECRET,
    SHUT,
    SOURCES,
    TARGET,
    WRITER,
    Pair,
    Scene,
    Told,
    ask,
    call,
    configured,
    make_scene,
    told,
)

READERS = pytest.mark.parametrize("reader", CALLERS)
WHERE = pytest.mark.parametrize("workspace", SOURCES)

QUERIES = (
    "",
    "acl",
    "acl&versionId={version}",
    "annotation",
    "annotation&annotationName=x",
    "attributes",
    "attributes&versionId={version}",
    "legal-hold",
    "legal-hold&versionId={version}",
    "partNumber=0",
    "partNumber=1",
    "partNumber=1&versionId={version}",
    "partNumber=x",
    "response-content-type=text%2Fplain",
    "retention",
    "retention&versionId={version}",
    "tagging",
    "tagging&versionId={version}",
    "tagging&versionId=null",
    "torrent",
    "uploadId={version}",
    "versionId=",
    "versionId=%00",
    "versionId=garbage",
    "versionId=null",
    "versionId={version}",
    "versionId={version}&versionId=null",
    "versions",
    "unknown",
)
LONG_AGO, SOON = "Mon, 01 Jan 2001 00:00:00 GMT", "Sun, 01 Jan 2040 00:00:00 GMT"
HEADERS: tuple[Mapping[str, str], ...] = (
    {"If-Match": "{etag}"},
    {"If-Match": "*"},
    {"If-None-Match": "{etag}"},
    {"If-None-Match": "*"},
    {"If-Modified-Since": LONG_AGO},
    {"If-Modified-Since": SOON},
    {"If-Unmodified-Since": LONG_AGO},
    {"If-Unmodified-Since": SOON},
    {"If-Range": "{etag}", "Range": "bytes=0-1"},
    {"Range": "bytes=0-1"},
    {"Range": "bytes=1000-"},
    {"Range": "bytes=-0"},
    {"Range": "lines=1"},
    {"x-amz-checksum-mode": "ENABLED"},
    {"x-amz-expected-bucket-owner": "111122223333"},
    {"x-amz-request-payer": "requester"},
    {"x-amz-object-attributes": "ETag,ObjectSize"},
    {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
    {"Authorization": "Bearer none"},
)
BOTH: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("attributes", {"x-amz-object-attributes": "ETag,ObjectSize,ObjectParts"}),
    ("attributes&versionId={version}", {"x-amz-object-attributes": "ETag"}),
    ("versionId={version}", {"If-Match": "{etag}"}),
    ("versionId={version}", {"If-None-Match": "{etag}"}),
    ("versionId={version}", {"Range": "bytes=0-1"}),
    ("partNumber=1", {"Range": "bytes=0-1"}),
)
SELECT = (
    b"<SelectObjectContentRequest><Expression>select * from s3object</Expression>"
    b"<ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization>"
    b"<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"
)
OTHERS = (
    ("POST", "select&select-type=2", SELECT),
    ("POST", "restore", b"<RestoreRequest><Days>1</Days></RestoreRequest>"),
    ("POST", "uploads", b""),
    ("POST", "uploadId=x", b"<CompleteMultipartUpload/>"),
    ("PUT", "", b"x"),
    ("PUT", "tagging", b"<Tagging><TagSet/></Tagging>"),
    ("PUT", "renameObject", b""),
    ("DELETE", "", b""),
    ("DELETE", "versionId={version}", b""),
    ("DELETE", "tagging", b""),
)
# `{directory}` and `{name}` are those of the key.
SPELLINGS = (
    "//{directory}/{name}",
    "/{directory}//{name}",
    "/{directory}/./{name}",
    "/{directory}/x/../{name}",
    "/{directory}/%2e/{name}",
    "/{directory}/x/%2e%2e/{name}",
    "/{directory}%2F{name}",
    "/{directory}%5C{name}",
    "/{directory}\\{name}",
    "/%2F{directory}/{name}",
    "/{directory}/{name}/",
    "/{directory}/{name}//",
    "/{directory}/{name}%2F",
    "/{directory}/{name}%00",
    "/{directory}/{name}%20",
    "/{directory}/{name}.",
    "/{directory}/{name};",
    "/{directory}/{name}%CC%81",
    "/{directory}/{name}%3FversionId={version}",
    "/{directory}/{name}.versions/v_{version}",
    "/{directory}/{name}.versions/",
    "/{directory}/{name}.versions",
    "/{directory}/%252e/{name}",
    "/{directory}%252F{name}",
    "/{DIRECTORY}/{NAME}",
    "/{directory}/{NAME}",
    "/x/../{directory}/{name}",
    "/..%2F{workspace}%2F{directory}/{name}",
)


@pytest.fixture(scope="module")
def scenes(secluded: Gateway) -> Mapping[str, Scene]:
    """One scene in each workspace."""
    client = s3_client(secluded.url, WRITER)
    return {workspace: make_scene(client, workspace) for workspace in SOURCES}


def pairs_of(scenes: Mapping[str, Scene], workspace: str) -> Sequence[Pair]:
    """Hidden keys to try: every kind in one workspace, one in the others."""
    pairs = scenes[workspace].pairs
    return pairs if workspace == OPEN else pairs[3:4]


def filled(text: str, pair: Pair) -> str:
    """A query or header with the staged object's own version id and ETag in it."""
    return text.replace("{version}", pair.version).replace("{etag}", pair.etag)


def compare(answers: Sequence[Response], pair: Pair, asked: object) -> None:
    """Assert that nothing in two answers tells the hidden key from the one that never was."""
    seen, absent = answers
    assert SECRET not in seen.body, asked
    assert seen.status >= 400, f"{asked} of {pair.hidden}"
    assert told(seen, pair.hidden) == told(absent, pair.absent), f"{asked} of {pair.hidden}"


@READERS
@WHERE
def test_no_operation_header_or_version_tells_the_staged_from_the_absent(
    secluded: Gateway, scenes: Mapping[str, Scene], workspace: str, reader: str
) -> None:
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = [
        (method, query, headers, b"")
        for query, headers in (
            *((query, {}) for query in QUERIES),
            *(("", headers) for headers in HEADERS),
            *BOTH,
        )
        for method in ("GET", "HEAD")
    ]
    requests += [(method, query, {}, body) for method, query, body in OTHERS]
    for pair in pairs_of(scenes, workspace):
        for method, query, headers, body in requests:
            sent = {name: filled(value, pair) for name, value in headers.items()}
            key = None if "Authorization" in sent else CALLERS[reader]
            targets = [
                f"/{workspace}/{name}?{filled(query, pair)}" for name in (pair.hidden, pair.absent)
            ]
            answers = [ask(secluded, key, method, target, sent, body) for target in targets]
            compare(answers, pair, (method, query, sent))


@READERS
def test_no_spelling_reaches_what_is_staged(
    secluded: Gateway, scenes: Mapping[str, Scene], reader: str
) -> None:
    for workspace in SOURCES:
        for pair in pairs_of(scenes, workspace):
            for spelling in SPELLINGS:
                answers = []
                for name in (pair.hidden, pair.absent):
                    path = spelled(spelling, name).replace("{version}", pair.version)
                    target = f"/{workspace}{path.replace('{workspace}', workspace)}"
                    answers.append(ask(secluded, CALLERS[reader], "GET", target))
                assert SECRET not in answers[0].body, spelling
                assert answers[0].status >= 400, spelling
                seen, absent = (
                    unspelled(answer, name)
                    for answer, name in zip(answers, (pair.hidden, pair.absent), strict=True)
                )
                assert seen == absent, spelling


def spelled(spelling: str, name: str) -> str:
    """The raw path that spells a key in this way."""
    directory, _, last = name.rpartition("/")
    words = {"directory": directory, "name": last, "DIRECTORY": directory.upper(),
             "NAME": last.upper()}  # fmt: skip
    for word, text in words.items():
        spelling = spelling.replace("{" + word + "}", text)
    return spelling


def unspelled(answer: Response, name: str) -> Told:
    """What is told to somebody who spelled a name in some way."""
    status, headers, body = told(answer, name)
    directory, _, last = name.rpartition("/")
    for word in (directory, directory.upper(), last, last.upper()):
        body = body.replace(word.encode(), b"NAME").replace(quote(word, "").encode(), b"NAME")
    return status, headers, body


COPY_CONDITIONS: tuple[Mapping[str, str], ...] = (
    {},
    {"x-amz-copy-source-if-match": "{etag}"},
    {"x-amz-copy-source-if-none-match": "{etag}"},
    {"x-amz-copy-source-if-modified-since": LONG_AGO},
    {"x-amz-copy-source-if-unmodified-since": LONG_AGO},
    {"x-amz-source-expected-bucket-owner": "111122223333"},
    {"x-amz-metadata-directive": "REPLACE"},
    {"x-amz-copy-source-range": "bytes=0-1"},
)
COPY_SOURCES = (
    "/{name}",
    "{name}?versionId={version}",
    "{name}?versionId=null",
    "{name}?versionId=garbage",
    "{slashes}",
    "{encoded}",
    "{name}/",
)


def test_no_copy_takes_what_is_staged(secluded: Gateway, scenes: Mapping[str, Scene]) -> None:
    client = s3_client(secluded.url, COPIER)
    upload = client.create_multipart_upload(Bucket=TARGET, Key="parts")["UploadId"]
    copies = [("{name}", condition) for condition in COPY_CONDITIONS]
    copies += [(source, {}) for source in COPY_SOURCES]
    for workspace in SOURCES:
        for pair in pairs_of(scenes, workspace):
            for source, condition in copies:
                for target in (f"/{TARGET}/copy", f"/{TARGET}/a/manifest.yaml",
                               f"/{TARGET}/parts?partNumber=1&uploadId={upload}"):  # fmt: skip
                    sent = [
                        copying(source, condition, pair, f"{workspace}/{name}")
                        for name in (pair.hidden, pair.absent)
                    ]
                    answers = [ask(secluded, COPIER, "PUT", target, headers) for headers in sent]
                    compare(answers, pair, (sent[0], target))
    assert client.list_objects_v2(Bucket=TARGET)["KeyCount"] == 0
    assert "Parts" not in client.list_parts(Bucket=TARGET, Key="parts", UploadId=upload)


def copying(source: str, condition: Mapping[str, str], pair: Pair, name: str) -> Mapping[str, str]:
    """The headers of a copy from `name`, spelled as `source` says."""
    value = source.replace("{name}", name).replace("{slashes}", name.replace("/", "//", 1))
    value = value.replace("{encoded}", quote(name, safe="/").replace("_", "%5F"))
    sent = {each: filled(text, pair) for each, text in condition.items()}
    return {"x-amz-copy-source": filled(value, pair), **sent}


BELOW = ("/", "", "/s", "/_", "/sub/")
PAGES = ("&max-keys=1", "&max-keys=2&delimiter=%2F", "&encoding-type=url", "&delimiter=s")


@READERS
@WHERE
def test_listings_show_the_commit_alone(
    secluded: Gateway, scenes: Mapping[str, Scene], workspace: str, reader: str
) -> None:
    scene, key = scenes[workspace], CALLERS[reader]
    asked = [(below, query) for below in BELOW for query in ("", "&delimiter=%2F")]
    asked += [("/", query) for query in PAGES]
    for version in ("", "list-type=2&"):
        for below, query in asked:
            seen, calm, new, nothing = (
                f"/{workspace}?{version}prefix={name}{below}{query}"
                for name in (scene.edited, scene.calm, scene.new, scene.nothing)
            )
            edited = [
                name.replace(scene.edited, scene.calm) for name in listed(secluded, key, seen)
            ]
            assert sorted(edited) == sorted(listed(secluded, key, calm)), (version, below, query)
            staged, absent = ask(secluded, key, "GET", new), ask(secluded, key, "GET", nothing)
            assert told(staged, scene.new) == told(absent, scene.nothing), (version, below, query)
    marker = quote(f"{scene.edited}/staged.csv")
    for query in (f"marker={marker}", f"list-type=2&start-after={marker}"):
        answer = ask(secluded, key, "GET", f"/{workspace}?{query}&prefix={scene.edited}/")
        assert f"<Key>{scene.edited}/staged.csv".encode() not in answer.body
    for query in ("versions", "uploads"):
        answer = ask(secluded, key, "GET", f"/{workspace}?{query}&prefix={scene.edited}/")
        assert answer.status == 403


def listed(world: Gateway, key: Key | None, target: str) -> list[str]:
    """Every entry of a listing, its name, size and ETag, page by page."""
    found: list[str] = []
    following = ""
    for _ in range(20):
        answer = ask(world, key, "GET", target + following)
        assert answer.status == 200, answer.body
        assert SECRET not in answer.body
        text = answer.body.decode()
        for _, entry in re.findall(r"<(Contents|CommonPrefixes)>(.*?)</\1>", text, re.DOTALL):
            fields = re.findall(r"<(Key|Prefix|Size|ETag)>([^<]*)<", unescape(entry))
            found.append(repr(sorted(fields)))
        if "<IsTruncated>true" not in text:
            return found
        token = re.search(r"<NextContinuationToken>([^<]*)<", text)
        marker = re.search(r"<NextMarker>([^<]*)<", text)
        last = re.findall(r"<Key>([^<]*)</Key>", text)
        name = f"&marker={quote(marker[1] if marker else last[-1], safe='%')}" if not token else ""
        following = f"&continuation-token={quote(token[1], safe='')}" if token else name
    raise AssertionError(f"the listing does not end: {found}")


@READERS
@WHERE
def test_what_is_committed_answers_as_if_nobody_edited_it(
    secluded: Gateway, scenes: Mapping[str, Scene], workspace: str, reader: str
) -> None:
    scene, names = scenes[workspace], (scenes[workspace].edited, scenes[workspace].calm)
    for path in (*COMMITTED, "manifest.yaml"):
        etag = ask(secluded, READER, "HEAD", f"/{workspace}/{scene.calm}/{path}").headers["ETag"]
        for query in ("", "tagging", "attributes", "partNumber=1", "versionId=null"):
            for headers in ({}, {"Range": "bytes=0-3"}, {"If-Match": etag}, {"If-None-Match": etag},
                            {"x-amz-object-attributes": "ETag,ObjectSize"}):  # fmt: skip
                seen, calm = (
                    undated(told(ask(secluded, CALLERS[reader], "GET", target, headers), name))
                    for name in names
                    for target in [f"/{workspace}/{name}/{path}?{query}"]
                )
                assert seen == calm, (path, query, headers)
        if path in COMMITTED:
            answer = ask(secluded, CALLERS[reader], "GET", f"/{workspace}/{scene.edited}/{path}")
            assert answer.body == COMMITTED[path]


def undated(answer: Told) -> Told:
    """An answer without the time of a commit, and without what was counted since."""
    status, headers, body = answer
    kept = {name: value for name, value in headers.items() if name != "last-modified"}
    return status, kept, re.sub(rb'"(view|download)_count": [0-9.]+', b"", body)


@READERS
@pytest.mark.parametrize("workspace", [OPEN, SHUT])
def test_the_artifact_door_knows_nothing_of_stages(
    secluded: Gateway, scenes: Mapping[str, Scene], workspace: str, reader: str
) -> None:
    scene, headers = scenes[workspace], {}
    if reader == "read":
        token = call(secluded, OWNER, workspace, "generate_token", grants={workspace: "read"})
        headers = {"Authorization": f"Bearer {token}"}
    places = [
        (names, path)
        for names, paths in (
            ((scene.new, scene.nothing), ("", "/", "/sub", "/sub/f.csv", "/_manifest.yaml")),
            ((scene.edited, scene.calm), ("", "/", "/staged.csv", "/changed.csv")),
        )
        for path in paths
    ]  # fmt: skip
    for names, path in places:
        for query in ("", "silent=true", "version=1", "version=2", "stage=true", "format=zip",
                      "download=true", "stage=true&version=1"):  # fmt: skip
            for method in ("GET", "HEAD") if query in ("", "stage=true") else ("GET",):
                answers = [
                    secluded.request(method, f"/{workspace}/artifact/{name}{path}?{query}", headers)
                    for name in names
                ]
                assert SECRET not in answers[0].body
                if query.startswith("stage=true"):
                    assert answers[0].status in (403, 404)
                if answers[0].headers.get_content_type() == "application/zip":
                    lengths = {len(answer.body) for answer in answers}
                    assert len(lengths) == 1
                    continue
                seen, absent = (
                    undated(told(answer, name)) for answer, name in zip(answers, names, strict=True)
                )
                assert seen == absent, (method, names[0], path, query)


CALLS: tuple[tuple[str, Mapping[str, Document]], ...] = (
    ("read", {"silent": True}),
    ("read", {"stage": True}),
    ("read", {"version": 1, "silent": True}),
    ("read", {"version": 2}),
    ("list_files", {}),
    ("list_files", {"stage": True}),
    ("list_files", {"version": 2}),
    ("list_files", {"path": "sub"}),
    ("list", {}),
    ("list", {"stage": True}),
    ("versions", {}),
    ("get_file", {"path": "staged.csv"}),
    ("get_file", {"path": "sub/f.csv"}),
    ("get_file", {"path": "_manifest.yaml"}),
    ("get_file", {"path": "staged.csv", "options": {"stage": True}}),
    ("get_file", {"path": "staged.csv", "options": {"version": 1}}),
    ("put_file", {"file_path": "staged.csv"}),
    ("remove_file", {"file_path": "staged.csv"}),
    ("commit", {}),
    ("discard", {}),
    ("edit", {}),
    ("delete", {}),
    ("rollback", {"version": 1}),
    ("reset_stats", {}),
    ("create", {"manifest": {"type": "dataset"}}),
)


@READERS
@WHERE
def test_rpc_tells_readers_nothing_of_stages(
    secluded: Gateway, scenes: Mapping[str, Scene], workspace: str, reader: str
) -> None:
    scene, key = scenes[workspace], CALLERS[reader]
    for hidden, absent in ((scene.new, scene.nothing), (scene.edited, scene.calm)):
        for method, arguments in CALLS:
            seen, never = (
                timeless(call(secluded, key, workspace, method, prefix=name, **arguments))
                for name in (hidden, absent)
            )
            assert SECRET.decode() not in seen
            assert seen.replace(hidden, absent) == never, (method, arguments)
    names = call(secluded, key, workspace, "list", prefix="public")
    assert set(names) & {"new", "edited", "calm__"} == {"edited", "calm__"}


def timeless(answer: Document) -> str:
    """A JSON answer as text, without times, counts and signatures."""
    text = re.sub(r'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]*"', '""', json.dumps(answer, sort_keys=True))
    text = re.sub(r'"(view|download)_count": [0-9.]+', "", text)
    return re.sub(r"X-Amz-(Date|Signature|Credential)=[^&\"]*", "", text)


def test_urls_are_worth_what_their_key_may_do_now(
    secluded: Gateway, scenes: Mapping[str, Scene]
) -> None:
    scene = scenes[OPEN]
    pair = next(each for each in scene.pairs if each.hidden.endswith("staged.csv"))
    client = s3_client(secluded.url, LOWERED)

    def presigned(name: str, **parameters: str) -> str:
        place = {"Bucket": OPEN, "Key": name, **parameters}
        return str(client.generate_presigned_url("get_object", Params=place))

    def fetch(url: str) -> Response:
        return secluded.request("GET", url.removeprefix(secluded.url))

    own = call(secluded, LOWERED, OPEN, "get_file", prefix=scene.edited, path="staged.csv",
               options={"stage": True})  # fmt: skip
    assert [fetch(url).body for url in (presigned(pair.hidden), own)] == [SECRET, SECRET]
    urls = [
        [presigned(name, **parameters) for name in (pair.hidden, pair.absent)]
        for parameters in ({}, {"VersionId": pair.version})
    ]
    lowered = Key(LOWERED.access_key_id, LOWERED.secret_access_key, LOWERED.name, {OPEN: "read"})
    secluded.stop()
    secluded.settings = {
        **secluded.settings,
        "keys": configured(WRITER, READER, COPIER, lowered, OWNER),
    }
    secluded.start()
    for couple in urls:
        compare([fetch(url) for url in couple], pair, "a presigned URL")
    assert fetch(own).status == 403
