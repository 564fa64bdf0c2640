"""PUT and DELETE of objects: bodies, headers, conditions, storage classes, tags at creation."""

from tests.differential.client import Auth, Client, md5
from tests.differential.scene import NAMED, PLAIN, RENAMED, Scene

ONE, TWO = b"one", b"another body"
LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
SSE = "x-amz-server-side-encryption"

puts = Scene("puts")


def looked_at(client: Client, key: str) -> None:
    """What is there after a write, with its headers."""
    client.ask("GET", key)


PUTS: dict[str, dict[str, str]] = {
    "nothing else said": {},
    "a type": {"Content-Type": "application/x-thing; a=b"},
    "an empty type": {"Content-Type": ""},
    "Content-MD5": {"Content-MD5": md5(ONE)},
    "every entity header": {
        "Cache-Control": "max-age=1, must-revalidate",
        "Content-Disposition": "inline",
        "Content-Encoding": "br",
        "Content-Language": "en-GB",
        "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
    },
    "metadata": {"x-amz-meta-a": "1", "x-amz-meta-B-c": "2 3"},
    "metadata in Latin": {"x-amz-meta-name": "Zürich"},
    "metadata encoded": {"x-amz-meta-name": "=?UTF-8?B?WsO8cmljaA==?="},
    "long metadata": {"x-amz-meta-long": "m" * 1900},
    "too much metadata": {"x-amz-meta-long": "m" * 3000, "x-amz-meta-more": "m" * 3000},
    "tags": {"x-amz-tagging": "a=1&b=two%20words"},
    "tags twice": {"x-amz-tagging": "a=1&a=2"},
    "tags that are none": {"x-amz-tagging": "=x"},
    "too many tags": {"x-amz-tagging": "&".join(f"k{n}=v" for n in range(11))},
    "STANDARD": {"x-amz-storage-class": "STANDARD"},
    "REDUCED_REDUNDANCY": {"x-amz-storage-class": "REDUCED_REDUNDANCY"},
    "STANDARD_IA": {"x-amz-storage-class": "STANDARD_IA"},
    "a class that is none": {"x-amz-storage-class": "CHEAP"},
    "a private ACL": {"x-amz-acl": "private"},
    "a redirect": {"x-amz-website-redirect-location": "https://example.org/"},
    "SSE-S3": {SSE: "AES256"},
    "SSE of no kind": {SSE: "ROT13"},
    "SSE-C without a key": {f"{SSE}-customer-algorithm": "AES256"},
    "If-None-Match, a star": {"If-None-Match": "*"},
    "If-None-Match, an ETag": {"If-None-Match": '"0000"'},
    "If-Match, absent": {"If-Match": '"0000"'},
    "If-Match, a star, absent": {"If-Match": "*"},
    "an unknown header": {"x-amz-unheard-of": "1"},
    "a wrong owner": {"x-amz-expected-bucket-owner": "000000000000"},
    "Expect": {"Expect": "100-continue"},
    "an object lock": {"x-amz-object-lock-legal-hold": "ON"},
}
for _number, (_name, _headers) in enumerate(PUTS.items()):

    @puts.case(_name)
    def _put(client: Client, key: str = f"p{_number}", headers: dict[str, str] = _headers) -> None:
        client.ask("PUT", key, headers=headers, body=ONE)
        looked_at(client, key)


for _name, _digest in {"another": md5(TWO), "short": "bm9uZQ==", "no base64": "***"}.items():
    puts.ask(
        f"a wrong Content-MD5: {_name}",
        "PUT",
        "wrong",
        headers={"Content-MD5": _digest},
        body=ONE,
        differs=("body-checked",),
    )


@puts.case("nothing at all")
def _empty(client: Client) -> None:
    client.ask("PUT", "empty")
    looked_at(client, "empty")


@puts.case("again")
def _again(client: Client) -> None:
    client.ask("PUT", "again", body=ONE, headers={"x-amz-meta-a": "1"})
    client.ask("PUT", "again", body=TWO)
    looked_at(client, "again")


@puts.case("an unsigned payload")
def _unsigned(client: Client) -> None:
    client.ask("PUT", "unsigned", body=TWO, auth=Auth.UNSIGNED_PAYLOAD)
    looked_at(client, "unsigned")


@puts.case("a megabyte")
def _megabyte(client: Client) -> None:
    client.ask("PUT", "megabyte", body=bytes(1 << 20))
    looked_at(client, "megabyte")


@puts.case("boto3's put_object, with everything")
def _boto(client: Client) -> None:
    client.call(
        "put_object",
        Key="boto",
        Body=ONE,
        ContentType="a/b",
        CacheControl="no-cache",
        Metadata={"k": "v"},
        Tagging="a=1",
        StorageClass="STANDARD",
    )
    client.call("get_object_tagging", Key="boto")
    client.call("get_object", Key="boto")


conditional = Scene("conditional-writes")


@conditional.setup
def _store(client: Client) -> None:
    for number in range(10):
        client.ask("PUT", f"k{number}", body=ONE)
    client.saved["etag"] = client.ask("HEAD", "k0").header("etag")


for _number, (_name, _headers) in enumerate(
    {
        "If-None-Match, a star": {"If-None-Match": "*"},
        "If-None-Match, the same": {"If-None-Match": "{etag}"},
        "If-None-Match, another": {"If-None-Match": '"0000"'},
        "If-Match, the same": {"If-Match": "{etag}"},
        "If-Match, unquoted": {"If-Match": "f97c5d29941bfb1b2fdab0874906ab82"},
        "If-Match, another": {"If-Match": '"0000"'},
        "If-Match, a star": {"If-Match": "*"},
        "both": {"If-Match": "{etag}", "If-None-Match": "*"},
        "If-Unmodified-Since": {"If-Unmodified-Since": LONG_AGO},
        "If-Modified-Since": {"If-Modified-Since": "{modified}"},
    }.items()
):

    @conditional.case(f"PUT {_name}")
    def _overwrite(
        client: Client, key: str = f"k{_number}", headers: dict[str, str] = _headers
    ) -> None:
        # Of this key: another may be a second older.
        client.saved["modified"] = client.ask("HEAD", key).header("last-modified")
        client.ask("PUT", key, headers=headers, body=TWO)
        looked_at(client, key)


deletes = Scene("deletes", kinds=(PLAIN, RENAMED))


@deletes.setup
def _store_more(client: Client) -> None:
    for number in range(14):
        client.ask("PUT", f"k{number}", body=ONE)
    client.ask("PUT", "folder/a", body=ONE)
    client.ask("PUT", "folder/b", body=ONE)
    client.saved["etag"] = client.ask("HEAD", "k0").header("etag")


for _number, (_name, _headers) in enumerate(
    {
        "plainly": {},
        "If-Match, the same": {"If-Match": "{etag}"},
        "If-Match, another": {"If-Match": '"0000"'},
        "If-Match, a star": {"If-Match": "*"},
        "If-None-Match": {"If-None-Match": "*"},
        "If-Unmodified-Since, long ago": {"If-Unmodified-Since": LONG_AGO},
        "If-Modified-Since, its time": {"If-Modified-Since": "{modified}"},
        "if its size is so": {"x-amz-if-match-size": "3"},
        "if its size is not so": {"x-amz-if-match-size": "4"},
        "if its time is so": {"x-amz-if-match-last-modified-time": "{modified}"},
        "with an MFA": {"x-amz-mfa": "serial 123456"},
    }.items()
):

    @deletes.case(_name)
    def _delete(
        client: Client, key: str = f"k{_number}", headers: dict[str, str] = _headers
    ) -> None:
        client.saved["modified"] = client.ask("HEAD", key).header("last-modified")
        client.ask("DELETE", key, headers=headers)
        client.ask("HEAD", key)


deletes.ask("of an absent key", "DELETE", "absent")
deletes.ask("of an absent key, If-Match", "DELETE", "absent", headers={"If-Match": "*"})
deletes.ask("of a folder that is none", "DELETE", "folder/")
deletes.ask("of a version that is none", "DELETE", "k11", query="versionId=nonsense")
deletes.ask("of the version null", "DELETE", "k12", query="versionId=null")
deletes.ask("with a body", "DELETE", "k13", body=ONE)


def _many(*objects: str, quiet: str = "") -> str:
    return f"<Delete>{''.join(f'<Object>{each}</Object>' for each in objects)}{quiet}</Delete>"


many = Scene("delete-many", kinds=NAMED)


@many.setup
def _store_many(client: Client) -> None:
    for number in range(8):
        client.ask("PUT", f"k{number}", body=ONE)
    client.ask("PUT", "a & <b>", body=ONE)


MANY = {
    "two": _many("<Key>{prefix}k0</Key>", "<Key>{prefix}k1</Key>"),
    "one of them absent": _many("<Key>{prefix}k2</Key>", "<Key>{prefix}absent</Key>"),
    "quietly": _many("<Key>{prefix}k3</Key>", quiet="<Quiet>true</Quiet>"),
    "with a version": _many("<Key>{prefix}k4</Key><VersionId>null</VersionId>"),
    "a version that is none": _many("<Key>{prefix}k5</Key><VersionId>nonsense</VersionId>"),
    "an escaped key": _many("<Key>{prefix}a &amp; &lt;b&gt;</Key>"),
    "the same one twice": _many("<Key>{prefix}k6</Key>", "<Key>{prefix}k6</Key>"),
    "in its namespace": _many("<Key>{prefix}k7</Key>").replace(
        "<Delete>", '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    ),
}
for _name, _body in MANY.items():

    @many.case(_name)
    def _delete_many(client: Client, body: str = _body) -> None:
        data = client.fill(body).encode()
        client.ask("POST", None, "delete", {"Content-MD5": md5(data)}, data)


BAD = {
    "no XML": "what",
    "nothing": "",
    "no objects": '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></Delete>',
    "another document": "<Remove><Object><Key>a</Key></Object></Remove>",
    "an object without a key": "<Delete><Object></Object></Delete>",
    "cut short": "<Delete><Object><Key>a</Key>",
    "1,001 objects": "<Delete>" + "<Object><Key>a</Key></Object>" * 1001 + "</Delete>",
}
for _name, _body in BAD.items():
    many.ask(
        _name,
        "POST",
        None,
        "delete",
        {"Content-MD5": md5(_body.encode())},
        _body,
        differs=() if _name in {"no objects", "1,001 objects"} else ("documents-read-first",),
    )
many.ask("without a digest", "POST", None, "delete", body=MANY["two"])
many.ask(
    "a wrong digest",
    "POST",
    None,
    "delete",
    {"Content-MD5": md5(b"x")},
    MANY["two"],
    differs=("body-checked",),
)
many.add(
    "boto3's delete_objects",
    lambda client: client.call(
        "delete_objects", Delete={"Objects": [{"Key": f"{client.prefix}k{n}"} for n in range(9)]}
    ),
)

SCENES = (puts, conditional, deletes, many)
