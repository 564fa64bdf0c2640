"""GET and HEAD: ranges, conditions, overridden headers."""

from tests.differential.client import Client
from tests.differential.scene import PLAIN, PREFIX, READER, Scene

BODY = bytes(range(256)) * 8
LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
FAR_AHEAD = "Fri, 01 Jan 2100 00:00:00 GMT"

ranges = Scene("ranges", kinds=(PLAIN, READER))


@ranges.setup
def _store(client: Client) -> None:
    answer = client.ask("PUT", "data.bin", body=BODY, headers={"Content-Type": "x/y"})
    client.saved["etag"] = answer.header("etag")
    client.ask("PUT", "empty")
    client.saved["modified"] = client.ask("HEAD", "data.bin").header("last-modified")


RANGES = {
    "one byte": "bytes=0-0",
    "the first two": "bytes=0-1",
    "the middle": "bytes=100-199",
    "to the end": "bytes=2000-",
    "beyond the end": "bytes=2000-9999",
    "the last ten": "bytes=-10",
    "a suffix longer than all": "bytes=-9999",
    "an empty suffix": "bytes=-0",
    "after the end": "bytes=2048-",
    "far after the end": "bytes=9999-10000",
    "backwards": "bytes=9-1",
    "two ranges": "bytes=0-1,4-5",
    "two that touch": "bytes=0-1,2-3",
    "three, one of them bad": "bytes=0-1,9999-,-3",
    "spaces": "bytes= 0-1",
    "another unit": "lines=0-1",
    "no unit": "0-1",
    "no numbers": "bytes=a-b",
    "nothing": "bytes=",
    "a dash": "bytes=-",
    "large numbers": "bytes=0-99999999999999999999",
    "all of it": "bytes=0-2047",
}
for _name, _range in RANGES.items():
    ranges.ask(_name, "GET", "data.bin", headers={"Range": _range})
for _name in ("the first two", "the last ten", "after the end", "two ranges", "no numbers"):
    ranges.ask(f"HEAD {_name}", "HEAD", "data.bin", headers={"Range": RANGES[_name]})
for _name in ("the first two", "the last ten", "an empty suffix"):
    ranges.ask(f"of nothing, {_name}", "GET", "empty", headers={"Range": RANGES[_name]})
for _name, _condition in {
    "the same ETag": "{etag}",
    "another ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
    "a weak ETag": "W/{etag}",
    "the time": "{modified}",
    "an old time": LONG_AGO,
    "no date": "yesterday",
}.items():
    ranges.ask(
        f"If-Range: {_name}",
        "GET",
        "data.bin",
        headers={"Range": "bytes=0-1", "If-Range": _condition},
    )
ranges.ask("of an absent key", "GET", "absent", headers={"Range": "bytes=0-1"})

conditions = Scene("conditions", kinds=(PLAIN, READER))
conditions.setup(_store)

CONDITIONS: dict[str, dict[str, str]] = {
    "If-Match, the same": {"If-Match": "{etag}"},
    "If-Match, unquoted": {"If-Match": "0000"},
    "If-Match, another": {"If-Match": '"0000"'},
    "If-Match, a star": {"If-Match": "*"},
    "If-Match, a list": {"If-Match": '"0000", {etag}'},
    "If-None-Match, the same": {"If-None-Match": "{etag}"},
    "If-None-Match, another": {"If-None-Match": '"0000"'},
    "If-None-Match, a star": {"If-None-Match": "*"},
    "If-None-Match, a list": {"If-None-Match": '"0000", {etag}'},
    "If-None-Match, weak": {"If-None-Match": "W/{etag}"},
    "If-Modified-Since, its time": {"If-Modified-Since": "{modified}"},
    "If-Modified-Since, long ago": {"If-Modified-Since": LONG_AGO},
    "If-Modified-Since, ahead": {"If-Modified-Since": FAR_AHEAD},
    "If-Modified-Since, no date": {"If-Modified-Since": "yesterday"},
    "If-Unmodified-Since, its time": {"If-Unmodified-Since": "{modified}"},
    "If-Unmodified-Since, long ago": {"If-Unmodified-Since": LONG_AGO},
    "If-Unmodified-Since, no date": {"If-Unmodified-Since": "yesterday"},
    "If-Match wins over If-Unmodified-Since": {
        "If-Match": "{etag}",
        "If-Unmodified-Since": LONG_AGO,
    },
    "If-None-Match wins over If-Modified-Since": {
        "If-None-Match": '"0000"',
        "If-Modified-Since": FAR_AHEAD,
    },
}
for _name, _headers in CONDITIONS.items():
    conditions.ask(_name, "GET", "data.bin", headers=_headers)
for _name in (
    "If-Match, another",
    "If-None-Match, the same",
    "If-Modified-Since, its time",
    "If-Unmodified-Since, long ago",
):
    conditions.ask(f"HEAD {_name}", "HEAD", "data.bin", headers=CONDITIONS[_name])
    conditions.ask(f"{_name}, of an absent key", "GET", "absent", headers=CONDITIONS[_name])
conditions.ask(
    "a range of what changed",
    "GET",
    "data.bin",
    headers={"Range": "bytes=0-1", "If-Match": '"0000"'},
)
conditions.ask(
    "a bad range of what is the same",
    "GET",
    "data.bin",
    headers={"Range": "bytes=9999-", "If-None-Match": "{etag}"},
)

metadata = Scene("metadata", kinds=(PLAIN, READER, PREFIX))


@metadata.setup
def _describe(client: Client) -> None:
    client.ask(
        "PUT",
        "described",
        body=b"described",
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "Cache-Control": "max-age=60",
            "Content-Disposition": 'attachment; filename="a b.txt"',
            "Content-Encoding": "gzip",
            "Content-Language": "de, en",
            "Expires": FAR_AHEAD,
            "x-amz-meta-plain": "value",
            "x-amz-meta-Mixed-Case": "Value  with  spaces",
            "x-amz-meta-empty": "",
            "x-amz-storage-class": "STANDARD",
            "x-amz-website-redirect-location": "/elsewhere",
        },
    )
    client.ask("PUT", "bare", body=b"bare")
    client.call("put_object", Key="by-boto", Body=b"boto", Metadata={"a": "1", "long": "x" * 1500})


for _key in ("described", "bare", "by-boto", "absent"):
    metadata.ask(f"GET {_key}", "GET", _key)
    metadata.ask(f"HEAD {_key}", "HEAD", _key)
for _name, _override in {
    "content-type": "response-content-type=text%2Fhtml",
    "content-disposition": "response-content-disposition=attachment%3B%20filename%3D%22x.csv%22",
    "cache-control": "response-cache-control=no-store",
    "content-encoding": "response-content-encoding=identity",
    "content-language": "response-content-language=fr",
    "expires": "response-expires=Thu%2C%2001%20Jan%202099%2000%3A00%3A00%20GMT",
    "two at once": "response-content-type=a%2Fb&response-cache-control=no-cache",
    "an empty one": "response-content-type=",
}.items():
    metadata.ask(f"response-{_name}", "GET", "described", query=_override)
metadata.ask("HEAD response-*", "HEAD", "described", query="response-content-type=text%2Fhtml")
metadata.ask("x-id is passed over", "GET", "described", query="x-id=GetObject")
metadata.ask("partNumber of a plain object", "GET", "described", query="partNumber=1")
metadata.ask("partNumber 2 of a plain object", "HEAD", "described", query="partNumber=2")
metadata.ask("partNumber 0", "GET", "described", query="partNumber=0")
metadata.ask("partNumber abc", "GET", "described", query="partNumber=abc")
metadata.ask("checksum mode", "GET", "by-boto", headers={"x-amz-checksum-mode": "ENABLED"})
metadata.ask(
    "a wrong owner", "GET", "bare", headers={"x-amz-expected-bucket-owner": "000000000000"}
)
metadata.ask("the requester pays", "GET", "bare", headers={"x-amz-request-payer": "requester"})
metadata.ask(
    "SSE-C of what is not encrypted",
    "GET",
    "bare",
    headers={
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "x-amz-server-side-encryption-customer-key-MD5": "GDk4XGo0pm24TeHPxtpHHA==",
    },
)
metadata.add("boto3's get_object", lambda client: client.call("get_object", Key="by-boto"))
metadata.add("boto3's head_object", lambda client: client.call("head_object", Key="by-boto"))
metadata.add("boto3's head_object, absent", lambda client: client.call("head_object", Key="no"))
metadata.add(
    "boto3's ranged get_object",
    lambda client: client.call("get_object", Key="by-boto", Range="bytes=1-2"),
)

SCENES = (ranges, conditions, metadata)
