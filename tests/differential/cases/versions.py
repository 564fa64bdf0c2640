"""Versioned buckets: ids, delete markers, the version null, listings, suspension."""

from urllib.parse import quote

from tests.differential.client import Client, md5
from tests.differential.scene import PLAIN, PREFIX, RENAMED, Scene

versions = Scene("versions", kinds=(PLAIN, PREFIX), versioned=True)


@versions.setup
def _store(client: Client) -> None:
    for name in ("first", "second", "third"):
        answer = client.ask(
            "PUT", "data", body=name.encode(), headers={"x-amz-tagging": f"t={name}"}
        )
        client.saved[name] = answer.header("x-amz-version-id")
        client.saved[f"{name}_etag"] = answer.header("etag")
    client.ask("PUT", "gone", body=b"gone")
    client.saved["marker"] = client.ask("DELETE", "gone").header("x-amz-version-id")


OLD = "versionId={first}"
for _method in ("GET", "HEAD"):
    versions.ask(f"{_method} newest", _method, "data")
    versions.ask(f"{_method} oldest", _method, "data", OLD)
    versions.ask(f"{_method} of no such version", _method, "data", "versionId=nonsense")
    versions.ask(f"{_method} of another key's version", _method, "gone", OLD)
    versions.ask(f"{_method} of an empty version", _method, "data", "versionId=")
    versions.ask(f"{_method} of the version null", _method, "data", "versionId=null")
    versions.ask(f"{_method} of what is deleted", _method, "gone")
    versions.ask(f"{_method} of a delete marker", _method, "gone", "versionId={marker}")
versions.ask("a range of an old version", "GET", "data", OLD, {"Range": "bytes=0-1"})
versions.ask("an old version, If-Match", "GET", "data", OLD, {"If-Match": "{first_etag}"})
versions.ask("an old version, If-None-Match", "GET", "data", OLD, {"If-None-Match": "{first_etag}"})
versions.ask("an old version as another type", "GET", "data", f"{OLD}&response-content-type=a%2Fb")
versions.ask("an old version's tags", "GET", "data", f"tagging&{OLD}")
versions.ask("an old version's ACL", "GET", "data", f"acl&{OLD}")
versions.ask(
    "an old version's attributes",
    "GET",
    "data",
    f"attributes&{OLD}",
    {"x-amz-object-attributes": "ETag,ObjectSize"},
)
versions.ask(
    "a retention where nothing is locked",
    "GET",
    "data",
    f"retention&{OLD}",
    differs=("unknown-subresource?@moto",),
)
versions.ask("a legal hold where nothing is locked", "GET", "data", f"legal-hold&{OLD}")


@versions.case("copied from an old version")
def _copy(client: Client) -> None:
    source = "{bucket}/{prefix}data?versionId={first}"
    client.ask("PUT", "copy", headers={"x-amz-copy-source": source})
    client.ask("GET", "copy")
    client.ask("PUT", "copy", headers={"x-amz-copy-source": "{bucket}/{prefix}gone"})
    marked = "{bucket}/{prefix}gone?versionId={marker}"
    client.ask("PUT", "copy", headers={"x-amz-copy-source": marked})


@versions.case("tags of an old version")
def _tags(client: Client) -> None:
    body = "<Tagging><TagSet><Tag><Key>new</Key><Value>1</Value></Tag></TagSet></Tagging>"
    client.ask("PUT", "data", f"tagging&{OLD}", {"Content-MD5": md5(body.encode())}, body)
    client.ask("GET", "data", f"tagging&{OLD}")
    client.ask("GET", "data", "tagging")
    client.ask("DELETE", "data", f"tagging&{OLD}")
    client.ask("GET", "data", f"tagging&{OLD}")


AT = "versions&prefix={at}"
for _name, _query in {
    "plainly": "",
    "a delimiter": "&delimiter=%2F",
    "encoded": "&encoding-type=url",
    "one": "&max-keys=1",
    "two": "&max-keys=2",
    "none": "&max-keys=0",
    "no number": "&max-keys=abc",
    "a negative number": "&max-keys=-1",
    "a marker": "&key-marker={at}data",
    "a marker that is no key": "&key-marker={at}aaa",
    "a marker and a version": "&key-marker={at}data&version-id-marker={second}",
    "a version without a marker": "&version-id-marker={second}",
    "a version that is none": "&key-marker={at}data&version-id-marker=nonsense",
    "an empty version": "&key-marker={at}data&version-id-marker=",
}.items():

    @versions.case(f"listed: {_name}")
    def _list(client: Client, query: str = f"{AT}{_query}") -> None:
        client.saved["at"] = quote(client.prefix, safe="")
        client.ask("GET", None, query)


@versions.case("listed by boto3")
def _boto(client: Client) -> None:
    client.call("list_object_versions", Prefix="")
    client.call("list_objects_v2", Prefix="")


@versions.case("deleted, version by version")
def _delete(client: Client) -> None:
    client.ask("DELETE", "gone", "versionId={marker}")
    client.ask("GET", "gone")
    client.ask("DELETE", "data", "versionId={third}")
    client.ask("GET", "data")
    client.ask("DELETE", "data", "versionId={third}")
    client.ask("DELETE", "data", "versionId=nonsense")
    client.ask("DELETE", "data")
    client.ask("DELETE", "data")
    client.ask("GET", "data")
    client.saved["at"] = quote(client.prefix, safe="")
    client.ask("GET", None, AT)


@versions.case("deleted, many at once")
def _delete_many(client: Client) -> None:
    answer = client.ask("PUT", "many", body=b"1")
    client.saved["many"] = answer.header("x-amz-version-id")
    client.ask("PUT", "many", body=b"2")
    body = client.fill(
        "<Delete><Object><Key>{prefix}many</Key></Object>"
        "<Object><Key>{prefix}many</Key><VersionId>{many}</VersionId></Object>"
        "<Object><Key>{prefix}absent</Key></Object></Delete>"
    )
    client.ask("POST", None, "delete", {"Content-MD5": md5(body.encode())}, body)
    client.ask("GET", None, "versions&prefix={at}many")


@versions.case("deleted on conditions")
def _conditional(client: Client) -> None:
    client.ask("PUT", "if", body=b"1")
    client.ask("DELETE", "if", headers={"If-Match": '"0000"'})
    client.ask("DELETE", "if", headers={"If-Match": "*"})
    client.ask("PUT", "if", headers={"If-None-Match": "*"}, body=b"2")
    client.ask("PUT", "if", headers={"If-None-Match": "*"}, body=b"3")
    client.ask("GET", "if")


@versions.case("a multipart upload")
def _multipart(client: Client) -> None:
    client.saved["upload"] = client.ask("POST", "parts", "uploads").text("UploadId")
    etag = client.ask("PUT", "parts", "partNumber=1&uploadId={upload}", body=b"1").header("etag")
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        "</CompleteMultipartUpload>"
    )
    client.ask("POST", "parts", "uploadId={upload}", body=body)
    client.ask("GET", "parts")


suspended = Scene("suspension", kinds=(PLAIN, RENAMED), own=True)


def _state(status: str) -> str:
    return (
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Status>{status}</Status></VersioningConfiguration>"
    )


@suspended.case("never on, on, suspended, on again")
def _turns(client: Client) -> None:
    client.ask("GET", None, "versioning")
    client.ask("PUT", "data", body=b"null")
    for number, status in enumerate(("Enabled", "Suspended", "Enabled")):
        client.ask("PUT", None, "versioning", body=_state(status))
        client.ask("GET", None, "versioning")
        client.ask("PUT", "data", body=b"%d" % number)
        client.ask("GET", "data")
        client.ask("GET", "data", "versionId=null")
    client.ask("GET", None, "versions")
    client.ask("DELETE", "data", "versionId=null")
    client.ask("GET", None, "versions")
    client.ask("DELETE", "data")
    client.ask("GET", "data")


suspended.ask(
    "a status that is none",
    "PUT",
    None,
    "versioning",
    body=_state("Perhaps"),
    differs=("documents-read-first",),
)
suspended.ask("no XML", "PUT", None, "versioning", body="what", differs=("documents-read-first",))
suspended.ask("no body", "PUT", None, "versioning", differs=("documents-read-first",))
suspended.add(
    "boto3's versioning",
    lambda client: client.call(
        "put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}
    ),
)

SCENES = (versions, suspended)
