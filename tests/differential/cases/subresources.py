"""What hangs on an object: tags, ACL, attributes, locks; and what few backends know."""

from tests.differential.client import Client, md5
from tests.differential.scene import NAMED, PLAIN, PREFIX, RENAMED, Scene

BODY = b"an object with things that hang on it"

tags = Scene("tags", kinds=(PREFIX,))


@tags.setup
def _store(client: Client) -> None:
    client.ask("PUT", "data", body=BODY, headers={"x-amz-tagging": "a=1"})
    client.ask("PUT", "plain", body=BODY)


def tagging(*pairs: tuple[str, str]) -> str:
    """A Tagging document."""
    told = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{told}</TagSet></Tagging>"


tags.ask("read", "GET", "data", "tagging")
tags.ask("of an object without any", "GET", "plain", "tagging")
tags.ask("of an absent key", "GET", "absent", "tagging")
TAGS = {
    "two": tagging(("b", "2"), ("c", "3")),
    "spaces and signs": tagging(("a b", "+-=._:/@"), ("ü", "ß")),
    "an empty value": tagging(("a", "")),
    "none": tagging(),
    "eleven": tagging(*((f"k{number}", "v") for number in range(11))),
    "one key twice": tagging(("a", "1"), ("a", "2")),
    "a long key": tagging(("k" * 129, "v")),
    "a long value": tagging(("k", "v" * 257)),
    "no XML": "what",
    "another document": "<Tags/>",
    "nothing": "",
}
for _name, _body in TAGS.items():

    @tags.case(f"put {_name}")
    def _put(client: Client, body: str = _body) -> None:
        client.ask("PUT", "data", "tagging", {"Content-MD5": md5(body.encode())}, body)
        client.ask("GET", "data", "tagging")
        client.ask("HEAD", "data")


@tags.case("deleted")
def _delete(client: Client) -> None:
    client.ask("DELETE", "data", "tagging")
    client.ask("GET", "data", "tagging")
    client.ask("DELETE", "absent", "tagging")


@tags.case("by boto3")
def _boto(client: Client) -> None:
    client.call("put_object_tagging", Key="data", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    client.call("get_object_tagging", Key="data")
    client.call("delete_object_tagging", Key="data")


attributes = Scene("attributes", kinds=NAMED)
attributes.setup(_store)
for _name, _headers in {
    "all": {"x-amz-object-attributes": "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"},
    "one": {"x-amz-object-attributes": "ETag"},
    "one that is none": {"x-amz-object-attributes": "Colour"},
    "none": {},
    "few parts": {"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "1"},
}.items():
    attributes.ask(_name, "GET", "data", "attributes", _headers)
attributes.ask(
    "of an absent key", "GET", "absent", "attributes", {"x-amz-object-attributes": "ETag"}
)

acls = Scene("object-acls", kinds=(PLAIN, RENAMED))
acls.setup(_store)
acls.ask("read", "GET", "data", "acl")
acls.ask("of an absent key", "GET", "absent", "acl")
acls.ask("made private", "PUT", "data", "acl", {"x-amz-acl": "private"})
for _name, _headers in {
    "made public": {"x-amz-acl": "public-read"},
    "a grant": {"x-amz-grant-read": 'id="somebody"'},
    "nothing said": {},
}.items():
    acls.ask(_name, "PUT", "data", "acl", _headers, differs=("dangerous",))
acls.ask(
    "a PUT that is public",
    "PUT",
    "public",
    headers={"x-amz-acl": "public-read"},
    body=BODY,
    differs=("dangerous",),
)

rare = Scene("rare-subresources", kinds=(PLAIN,))
rare.setup(_store)
SELECT = (
    "<SelectObjectContentRequest><Expression>select * from s3object</Expression>"
    "<ExpressionType>SQL</ExpressionType><InputSerialization><CSV/></InputSerialization>"
    "<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"
)
RESTORE = "<RestoreRequest><Days>1</Days></RestoreRequest>"
RARE = {
    "an annotation": ("GET", "annotation&annotationName=x", ""),
    "annotations": ("GET", "annotation", ""),
    "a torrent": ("GET", "torrent", ""),
    "an annotation put": ("PUT", "annotation&annotationName=x", "note"),
    "an annotation deleted": ("DELETE", "annotation&annotationName=x", ""),
    "an encryption changed": ("PUT", "encryption", "<ObjectEncryption/>"),
    "a restore": ("POST", "restore", RESTORE),
    "a select": ("POST", "select&select-type=2", SELECT),
}
for _name, (_method, _query, _body) in RARE.items():
    # What the backend does instead would change what the next case finds.
    _key = "data" if _method == "GET" else f"rare-{_query.partition('&')[0]}-{_method}"
    rare.ask(_name, _method, _key, _query, body=_body, differs=("unknown-subresource?",))
rare.ask(
    "a rename",
    "PUT",
    "renamed",
    "renameObject",
    {"x-amz-rename-source": "/{bucket}/{prefix}data"},
    differs=("unknown-subresource?",),
)

locks = Scene("locks", kinds=(PLAIN, RENAMED), own=True, locked=True)


@locks.setup
def _lock(client: Client) -> None:
    client.saved["version"] = client.ask("PUT", "data", body=BODY).header("x-amz-version-id")


HOLD = "<LegalHold><Status>{}</Status></LegalHold>"
RETENTION = (
    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate>"
    "</Retention>"
)
SHORTER = RETENTION.replace("2099", "2098")


@locks.case("a legal hold")
def _hold(client: Client) -> None:
    client.ask("GET", "data", "legal-hold")
    for status in ("ON", "OFF", "MAYBE"):
        body = HOLD.format(status)
        client.ask("PUT", "data", "legal-hold", {"Content-MD5": md5(body.encode())}, body)
        client.ask("GET", "data", "legal-hold")
        client.ask("HEAD", "data")
        if status == "ON":
            client.ask("DELETE", "data", "versionId={version}")


@locks.case("a retention", "unknown-subresource?@moto")
def _retention(client: Client) -> None:
    client.ask("GET", "data", "retention")
    for body in (RETENTION, SHORTER, "<Retention/>", "what"):
        client.ask("PUT", "data", "retention", {"Content-MD5": md5(body.encode())}, body)
        client.ask("GET", "data", "retention")
    bypass = {"x-amz-bypass-governance-retention": "true", "Content-MD5": md5(SHORTER.encode())}
    client.ask("PUT", "data", "retention", bypass, SHORTER)
    client.ask("DELETE", "data", "versionId={version}")
    client.ask("HEAD", "data")
    del bypass["Content-MD5"]
    client.ask("DELETE", "data", "versionId={version}", bypass)


@locks.case("locked when put", "unknown-subresource?@moto")
def _put_locked(client: Client) -> None:
    headers = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    client.ask("PUT", "locked", headers=headers, body=BODY)
    client.ask("HEAD", "locked")
    client.ask("GET", "locked", "retention")
    client.ask("DELETE", "locked")


CONFIGURATION = (
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
    "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>"
)


@locks.case("the bucket's configuration")
def _configuration(client: Client) -> None:
    client.ask("GET", None, "object-lock")
    client.ask(
        "PUT", None, "object-lock", {"Content-MD5": md5(CONFIGURATION.encode())}, CONFIGURATION
    )
    client.ask("GET", None, "object-lock")
    client.ask("PUT", "by-default", body=BODY)
    client.ask("HEAD", "by-default")


locks.ask(
    "versioning can't be suspended",
    "PUT",
    None,
    "versioning",
    body=("<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"),
)

SCENES = (tags, attributes, acls, locks, rare)
