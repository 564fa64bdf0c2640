"""Listings with every parameter: both versions, versions of objects, uploads, buckets."""

from urllib.parse import quote

from tests.differential.client import Client
from tests.differential.scene import EVERY, NAMED, READER, Scene

KEYS = (
    "a.txt",
    "a/1.txt",
    "a/2.txt",
    "a/deep/3.txt",
    "b.txt",
    "b/1.txt",
    "c & d/<e>.txt",
    "dash-1-a",
    "dash-1-b",
    "dash-2",
    "plus+and space",
    "tilde~(1)",
    "ünï/ço∂é.txt",
    "z",
)

PARAMETERS = {
    "plainly": "prefix={at}",
    "a prefix": "prefix={at}a%2F",
    "a part of a name": "prefix={at}da",
    "a prefix that nothing has": "prefix={at}nothing%2F",
    "a prefix to be encoded": "prefix={at}c%20%26%20d%2F",
    "a delimiter": "prefix={at}&delimiter=%2F",
    "a prefix and a delimiter": "prefix={at}a%2F&delimiter=%2F",
    "an empty delimiter": "prefix={at}&delimiter=",
    "another delimiter": "prefix={at}&delimiter=-",
    "another delimiter, few keys": "prefix={at}&delimiter=-&max-keys=3",
    "a long delimiter": "prefix={at}&delimiter=sh-",
    "encoded": "prefix={at}&encoding-type=url",
    "encoded, with a delimiter": "prefix={at}&encoding-type=url&delimiter=%2F",
    "encoded, another delimiter": "prefix={at}&encoding-type=url&delimiter=-",
    "encoded in another way": "prefix={at}&encoding-type=base64",
    "no keys": "prefix={at}&max-keys=0",
    "one key": "prefix={at}&max-keys=1",
    "three keys": "prefix={at}&max-keys=3",
    "three keys, a delimiter": "prefix={at}&max-keys=3&delimiter=%2F",
    "1,000 keys": "prefix={at}&max-keys=1000",
    "1,001 keys": "prefix={at}&max-keys=1001",
    "a negative number of keys": "prefix={at}&max-keys=-1",
    "no number of keys": "prefix={at}&max-keys=abc",
    "an empty number of keys": "prefix={at}&max-keys=",
    "too many keys to count": "prefix={at}&max-keys=99999999999999999999",
    "a prefix with a slash first": "prefix=%2F",
    "x-id": "prefix={at}&x-id=ListObjects",
}
FIRST = {
    "a marker": "prefix={at}&marker={at}b.txt",
    "a marker that is no key": "prefix={at}&marker={at}aaa",
    "a marker behind all": "prefix={at}&marker={at}zz",
    "a marker, a delimiter": "prefix={at}&marker={at}a%2F&delimiter=%2F",
    "an empty marker": "prefix={at}&marker=",
    "a marker and few keys": "prefix={at}&marker={at}a.txt&max-keys=2",
    "another delimiter, a marker": "prefix={at}&delimiter=-&marker={at}b",
}
SECOND = {
    "owners": "prefix={at}&fetch-owner=true",
    "no owners": "prefix={at}&fetch-owner=false",
    "owners, maybe": "prefix={at}&fetch-owner=maybe",
    "start-after": "prefix={at}&start-after={at}b.txt",
    "start-after what is no key": "prefix={at}&start-after={at}aaa",
    "start-after behind all": "prefix={at}&start-after={at}zz",
    "start-after, a delimiter": "prefix={at}&start-after={at}a%2F&delimiter=%2F",
    "an empty start-after": "prefix={at}&start-after=",
    "another delimiter, a start": "prefix={at}&delimiter=-&start-after={at}b",
    "an empty token": "prefix={at}&continuation-token=",
    "a token of nobody's": "prefix={at}&continuation-token=zzzzzzzzzz",
}


GROUPED = (
    "another delimiter, few keys",
    "another delimiter, a marker",
    "another delimiter, a start",
)
"""What SeaweedFS does not get right, and the gateway does itself."""


def _differs(name: str) -> tuple[str, ...]:
    if name == "a prefix with a slash first":
        return ("folded-keys@part@seaweedfs",)
    return ("own-grouping@seaweedfs",) if name in GROUPED else ()


def _fill(client: Client) -> None:
    for key in KEYS:
        client.ask("PUT", key, body=key.encode())
    client.saved["at"] = quote(client.prefix, safe="")


first = Scene("list-objects", kinds=EVERY)
first.setup(_fill)
for _name, _query in {**PARAMETERS, **FIRST}.items():
    _marker = "no-marker?@part@moto"
    first.ask(_name, "GET", None, _query, differs=(*_differs(_name), _marker))

second = Scene("list-objects-v2", kinds=EVERY)
second.setup(_fill)
for _name, _query in {**PARAMETERS, **SECOND}.items():
    second.ask(_name, "GET", None, f"list-type=2&{_query}", differs=_differs(_name))
second.ask("list-type 1", "GET", None, "list-type=1&prefix={at}")
second.ask("list-type 3", "GET", None, "list-type=3&prefix={at}")


def _pages(client: Client, query: str) -> None:
    """Every page, each asked for with the token of the one before."""
    token = ""
    for _ in range(20):
        following = f"&continuation-token={quote(token, safe='')}" if token else ""
        answer = client.ask("GET", None, query + following)
        token = answer.text("NextContinuationToken")
        if not token:
            return


for _name, _query in {
    "pages of one": "max-keys=1",
    "pages of four": "max-keys=4",
    "pages with a delimiter": "max-keys=2&delimiter=%2F",
    "pages below a folder": "max-keys=1&delimiter=%2F",
}.items():
    _at = "{at}a%2F" if "below" in _name else "{at}"

    @second.case(_name)
    def _walk(client: Client, query: str = f"list-type=2&{_query}&prefix={_at}") -> None:
        _pages(client, query)


@first.case("boto3's pages", "no-marker@part@moto")
def _boto_first(client: Client) -> None:
    client.call("list_objects", Prefix="", Delimiter="/", MaxKeys=2)
    client.call("list_objects", Prefix="", Delimiter="/", MaxKeys=2, Marker="a.txt")


@second.case("boto3's listing")
def _boto_second(client: Client) -> None:
    client.call("list_objects_v2", Prefix="", FetchOwner=True)
    client.call("list_objects_v2", Prefix="a", Delimiter="/")


@second.case("HEAD and existence of the bucket")
def _head(client: Client) -> None:
    client.ask("HEAD")
    client.call("head_bucket")


root = Scene("root-listing", kinds=(*NAMED, READER), own=True)
root.setup(_fill)
for _name, _query in {
    "ListObjects": "",
    "ListObjects, a delimiter": "delimiter=%2F",
    "ListObjects, a delimiter, encoded": "delimiter=%2F&encoding-type=url",
    "ListObjects, few": "max-keys=2",
    "ListObjects, a marker": "marker=b.txt",
    "ListObjectsV2": "list-type=2",
    "ListObjectsV2, a delimiter": "list-type=2&delimiter=%2F",
    "ListObjectsV2, a delimiter, encoded": "list-type=2&delimiter=%2F&encoding-type=url",
    "ListObjectsV2, start-after": "list-type=2&start-after=b.txt",
    "ListObjectsV2, an empty prefix": "list-type=2&prefix=",
}.items():
    root.ask(_name, "GET", None, _query, differs=("no-marker?@part@moto",))


@root.case("ListObjectsV2, pages")
def _all_pages(client: Client) -> None:
    _pages(client, "list-type=2&max-keys=3")


@root.case("a slash behind the bucket")
def _slash(client: Client) -> None:
    client.send("GET", f"/{client.bucket}/")
    client.send("GET", f"/{client.bucket}/", "list-type=2&delimiter=%2F")
    client.send("HEAD", f"/{client.bucket}/")


empty = Scene("empty-listing", kinds=(*NAMED, READER), own=True)


@empty.setup
def _nothing(client: Client) -> None:
    client.ask("HEAD")


for _name, _query in {
    "ListObjects": "",
    "ListObjectsV2": "list-type=2",
    "ListObjectsV2, a delimiter": "list-type=2&delimiter=%2F",
    "ListObjectVersions": "versions",
    "ListMultipartUploads": "uploads",
}.items():
    _right = ("rights@reader",) if _query in {"versions", "uploads"} else ()
    empty.ask(_name, "GET", None, _query, differs=_right)

SCENES = (first, second, root, empty)
