"""Open uploads listed, and parts that are copied."""

from tests.differential.cases.parts import LAST, NOBODYS, PART, begin, complete, part, parts
from tests.differential.client import Client
from tests.differential.scene import PLAIN, PREFIX, RENAMED, Scene

OPENED = {"one": "a/1", "two": "b", "three": "c & d/<e>", "four": "dash-1"}
# Below a prefix keys have other hashes, which is how SeaweedFS orders uploads: there, just one.
listed = Scene("list-uploads", kinds=(PLAIN, RENAMED), own=True)
only = Scene("list-the-only-upload", kinds=(PREFIX,), own=True)


@listed.setup
def _open_some(client: Client) -> None:
    for name, key in OPENED.items():
        begin(client, key, name)
        part(client, key, 1, LAST, name)


@only.setup
def _open_one(client: Client) -> None:
    begin(client, "b", "two")
    part(client, "b", 1, LAST, "two")


LISTINGS = {
    "all": "uploads",
    "a prefix": "uploads&prefix=a%2F",
    "a prefix that nothing has": "uploads&prefix=nothing",
    "a delimiter": "uploads&delimiter=%2F",
    "encoded": "uploads&encoding-type=url",
    "one": "uploads&max-uploads=1",
    "none": "uploads&max-uploads=0",
    "1,001": "uploads&max-uploads=1001",
    "no number": "uploads&max-uploads=abc",
    "a marker": "uploads&key-marker=b",
    "a marker and an upload": "uploads&key-marker=b&upload-id-marker={two}",
    "an upload without a marker": "uploads&upload-id-marker={two}",
}
for _scene in (listed, only):
    for _name, _query in LISTINGS.items():
        _scene.ask(_name, "GET", None, _query)
listed.add("boto3's listing", lambda client: client.call("list_multipart_uploads"))


@listed.case("aborted, all of them")
def _abort_all(client: Client) -> None:
    for name, key in OPENED.items():
        client.ask("DELETE", key, f"uploadId={client.saved[name]}")
    client.ask("GET", None, "uploads")


copied = Scene("part-copies", kinds=(PLAIN, RENAMED))


@copied.setup
def _source(client: Client) -> None:
    answer = client.ask("PUT", "source", body=PART + LAST)
    client.saved["etag"] = answer.header("etag")
    begin(client, "target")


SOURCE = "/{bucket}/{prefix}source"
for _name, _headers in {
    "whole": {},
    "a range": {"x-amz-copy-source-range": "bytes=0-99"},
    "an open range": {"x-amz-copy-source-range": "bytes=5-"},
    "a suffix": {"x-amz-copy-source-range": "bytes=-5"},
    "a range behind the end": {"x-amz-copy-source-range": "bytes=99999999-"},
    "no range": {"x-amz-copy-source-range": "what"},
    "If-Match, the same": {"x-amz-copy-source-if-match": "{etag}"},
    "If-Match, another": {"x-amz-copy-source-if-match": '"0000"'},
    "If-None-Match, the same": {"x-amz-copy-source-if-none-match": "{etag}"},
}.items():
    copied.ask(
        _name,
        "PUT",
        "target",
        "partNumber=1&uploadId={upload}",
        {"x-amz-copy-source": SOURCE, **_headers},
    )


@copied.case("completed")
def _complete_copy(client: Client) -> None:
    headers = {"x-amz-copy-source": SOURCE, "x-amz-copy-source-range": "bytes=0-99"}
    answer = client.ask("PUT", "target", "partNumber=2&uploadId={upload}", headers)
    etag = answer.text("ETag").replace("&#34;", "").replace("&quot;", "")
    complete(client, "target", parts((2, etag)))
    client.ask("GET", "target")


copied.ask(
    "from nothing",
    "PUT",
    "target",
    "partNumber=3&uploadId={upload}",
    {"x-amz-copy-source": "/{bucket}/{prefix}absent"},
)
copied.ask(
    "into nobody's upload",
    "PUT",
    "target",
    f"partNumber=3&{NOBODYS}",
    {"x-amz-copy-source": SOURCE},
)

SCENES = (listed, only, copied)
