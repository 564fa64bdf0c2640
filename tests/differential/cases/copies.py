"""CopyObject: directives, conditions, sources in every spelling."""

from tests.differential.client import Client
from tests.differential.scene import PREFIX, Scene

BODY = b"what is copied"
LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
FAR_AHEAD = "Fri, 01 Jan 2100 00:00:00 GMT"
SOURCE = "{bucket}/{prefix}source"

copies = Scene("copies", kinds=(PREFIX,))


@copies.setup
def _store(client: Client) -> None:
    headers = {
        "Content-Type": "x/source",
        "Cache-Control": "no-cache",
        "x-amz-meta-a": "1",
        "x-amz-tagging": "t=1",
    }
    answer = client.ask("PUT", "source", headers=headers, body=BODY)
    client.saved["etag"] = answer.header("etag")
    client.saved["modified"] = client.ask("HEAD", "source").header("last-modified")
    client.ask("PUT", "odd/ü + %/ö~(1)", body=BODY)
    client.ask("PUT", "there", body=b"there")


def _copied(client: Client, key: str, headers: dict[str, str]) -> None:
    client.ask("PUT", key, headers=headers)
    client.ask("GET", key)
    if any("tagging" in name for name in headers):
        client.ask("GET", key, "tagging")


NEW = {"Content-Type": "x/new", "x-amz-meta-b": "2"}
for _number, (_name, _headers) in enumerate(
    {
        "plainly": {},
        "metadata copied": {"x-amz-metadata-directive": "COPY", **NEW},
        "metadata replaced": {"x-amz-metadata-directive": "REPLACE", **NEW},
        "metadata replaced by none": {"x-amz-metadata-directive": "REPLACE"},
        "a directive that is none": {"x-amz-metadata-directive": "KEEP"},
        "tags copied": {"x-amz-tagging-directive": "COPY", "x-amz-tagging": "t=2"},
        "tags replaced": {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "t=2"},
        "a tagging directive that is none": {"x-amz-tagging-directive": "KEEP"},
        "another class": {"x-amz-storage-class": "REDUCED_REDUNDANCY"},
        "a private ACL": {"x-amz-acl": "private"},
        "a redirect": {"x-amz-website-redirect-location": "/x"},
        "SSE-S3": {"x-amz-server-side-encryption": "AES256"},
        "a checksum": {"x-amz-checksum-algorithm": "SHA256"},
        "If-Match, the same": {"x-amz-copy-source-if-match": "{etag}"},
        "If-Match, another": {"x-amz-copy-source-if-match": '"0000"'},
        "If-None-Match, the same": {"x-amz-copy-source-if-none-match": "{etag}"},
        "If-None-Match, another": {"x-amz-copy-source-if-none-match": '"0000"'},
        "If-Modified-Since, its time": {"x-amz-copy-source-if-modified-since": "{modified}"},
        "If-Modified-Since, long ago": {"x-amz-copy-source-if-modified-since": LONG_AGO},
        "If-Unmodified-Since, its time": {"x-amz-copy-source-if-unmodified-since": "{modified}"},
        "If-Unmodified-Since, long ago": {"x-amz-copy-source-if-unmodified-since": LONG_AGO},
        "If-Unmodified-Since, no date": {"x-amz-copy-source-if-unmodified-since": "never"},
        "a target that must be absent": {"If-None-Match": "*"},
        "a target that must be there": {"If-Match": "*"},
        "a range, which is for parts": {"x-amz-copy-source-range": "bytes=0-1"},
    }.items()
):

    @copies.case(_name)
    def _copy(client: Client, key: str = f"t{_number}", headers: dict[str, str] = _headers) -> None:
        _copied(client, key, {"x-amz-copy-source": SOURCE, **headers})


@copies.case("over an object that must not be there")
def _over(client: Client) -> None:
    _copied(client, "there", {"x-amz-copy-source": SOURCE, "If-None-Match": "*"})
    _copied(client, "there", {"x-amz-copy-source": SOURCE, "If-Match": '"0000"'})
    _copied(client, "there", {"x-amz-copy-source": SOURCE})


@copies.case("onto itself")
def _itself(client: Client) -> None:
    own = "{bucket}/{prefix}there"
    _copied(client, "there", {"x-amz-copy-source": own})
    _copied(client, "there", {"x-amz-copy-source": own, "x-amz-metadata-directive": "REPLACE"})
    _copied(
        client,
        "there",
        {"x-amz-copy-source": own, "x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "1"},
    )


for _number, (_name, _source) in enumerate(
    {
        "a slash first": "/{bucket}/{prefix}source",
        "percent-encoded": "{bucket}/{prefix}%73ource",
        "a slash encoded": "{bucket}%2F{prefix}source",
        "odd characters": "{bucket}/{prefix}odd/%C3%BC%20%2B%20%25/%C3%B6~%281%29",
        "a plus": "{bucket}/{prefix}odd/%C3%BC+%2B+%25/%C3%B6~(1)",
        "a version that is none": f"{SOURCE}?versionId=nonsense",
        "the version null": f"{SOURCE}?versionId=null",
        "an absent key": "{bucket}/{prefix}absent",
    }.items()
):

    @copies.case(f"source: {_name}")
    def _from(client: Client, key: str = f"s{_number}", source: str = _source) -> None:
        _copied(client, key, {"x-amz-copy-source": source})


copies.ask(
    "source: an absent bucket",
    "PUT",
    "bad",
    headers={"x-amz-copy-source": "no-such-bucket/key"},
    differs=("own-words",),
)
BAD_SOURCES = {
    "no key": "{bucket}",
    "an empty key": "{bucket}/",
    "nothing": "",
    "a slash": "/",
    "another parameter": f"{SOURCE}?acl",
    "an empty version": f"{SOURCE}?versionId=",
    "a bad escape": "{bucket}/%zz",
}
for _name, _source in BAD_SOURCES.items():
    copies.ask(
        f"bad source: {_name}",
        "PUT",
        "bad",
        headers={"x-amz-copy-source": _source},
        differs=("copy-source",),
    )
copies.ask("with a body", "PUT", "bodied", headers={"x-amz-copy-source": SOURCE}, body=b"body")
copies.add(
    "boto3's copy_object",
    lambda client: client.call("copy_object", Key="by-boto", CopySource="source"),
)


@copies.case("boto3's copy_object, replacing")
def _boto(client: Client) -> None:
    client.call(
        "copy_object",
        Key="by-boto",
        CopySource="source",
        MetadataDirective="REPLACE",
        Metadata={"n": "1"},
        ContentType="a/b",
    )
    client.call("head_object", Key="by-boto")


SCENES = (copies,)
