"""Multipart uploads, from the first request to the last, and everything that goes wrong."""

from tests.differential.cases.parts import ABSENT, LAST, NOBODYS, PART, begin, complete, part, parts
from tests.differential.client import Client, md5
from tests.differential.scene import PLAIN, PREFIX, Scene

uploads = Scene("multipart", kinds=(PLAIN, PREFIX))


@uploads.case("two parts")
def _two_parts(client: Client) -> None:
    begin(
        client, "two", **{"Content-Type": "x/y", "x-amz-meta-a": "1", "Cache-Control": "no-cache"}
    )
    part(client, "two", 1, PART)
    part(client, "two", 2, LAST)
    client.ask("GET", "two", "uploadId={upload}")
    client.ask("GET", "two", "uploadId={upload}&max-parts=1")
    client.ask("GET", "two", "uploadId={upload}&part-number-marker=1")
    client.ask("GET", "two", "uploadId={upload}&max-parts=0")
    client.ask("GET", "two", "uploadId={upload}&max-parts=many")
    client.ask("HEAD", "two")
    complete(client, "two", parts((1, "{part1}"), (2, "{part2}")))
    client.ask("HEAD", "two")
    client.ask("GET", "two", headers={"Range": f"bytes={len(PART) - 2}-{len(PART) + 2}"})
    for number in (1, 2, 3):
        client.ask("HEAD", "two", f"partNumber={number}")
    client.ask("GET", "two", "partNumber=2")
    client.ask(
        "GET",
        "two",
        "attributes",
        headers={"x-amz-object-attributes": "ETag,ObjectParts,ObjectSize,StorageClass"},
    )


@uploads.case("a single small part")
def _single(client: Client) -> None:
    begin(client, "single")
    part(client, "single", 1, LAST)
    complete(client, "single", parts((1, "{part1}")))
    client.ask("GET", "single")


@uploads.case("parts put again")
def _overwritten(client: Client) -> None:
    begin(client, "again")
    part(client, "again", 1, b"first")
    part(client, "again", 1, b"second")
    complete(client, "again", parts((1, "{part1}")))
    client.ask("GET", "again")


@uploads.case("parts left out and numbers with gaps")
def _gaps(client: Client) -> None:
    begin(client, "gaps")
    for number, body in ((7, LAST), (3, PART)):
        part(client, "gaps", number, body)
    client.ask("GET", "gaps", "uploadId={upload}")
    complete(client, "gaps", parts((3, "{part3}")))
    client.ask("HEAD", "gaps")


COMPLETIONS = {
    "in the wrong order": parts((2, "{part2}"), (1, "{part1}")),
    "with a wrong ETag": parts((1, ABSENT), (2, "{part2}")),
    "with a part that is not there": parts((1, "{part1}"), (3, "{part2}")),
    "of parts that are too small": parts((2, "{part2}"), (3, "{part3}")),
    "without parts": parts(),
    "with the same part twice": parts((1, "{part1}"), (1, "{part1}")),
    "without ETags": "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
    "</CompleteMultipartUpload>",
    "with the part 0": parts((0, "{part1}")),
    "with the part 10,001": parts((10001, "{part1}")),
    "with no XML": "what",
    "with an empty body": "",
    "with another document": "<Nothing/>",
    "cut short": "<CompleteMultipartUpload><Part>",
    "in its namespace": parts((1, "{part1}")).replace(
        "<CompleteMultipartUpload>",
        '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    ),
}
for _number, (_name, _body) in enumerate(COMPLETIONS.items()):

    @uploads.case(f"completed {_name}")
    def _complete(client: Client, key: str = f"c{_number}", body: str = _body) -> None:
        begin(client, key)
        part(client, key, 1, PART if "{part2}" in body and "{part3}" not in body else LAST)
        part(client, key, 2, LAST)
        part(client, key, 3, LAST)
        complete(client, key, body)
        client.ask("HEAD", key)
        client.ask("DELETE", key, "uploadId={upload}")


for _number, (_name, _headers) in enumerate(
    {
        "If-None-Match, a star": {"If-None-Match": "*"},
        "If-Match, a star": {"If-Match": "*"},
        "If-Match, another": {"If-Match": '"0000"'},
        "the size of all": {"x-amz-mp-object-size": str(len(LAST))},
        "another size": {"x-amz-mp-object-size": "1"},
    }.items()
):
    for _there in (False, True):

        @uploads.case(f"completed {_name}{', over an object' if _there else ''}")
        def _conditionally(
            client: Client,
            key: str = f"if{_number}-{_there}",
            headers: dict[str, str] = _headers,
            there: bool = _there,  # noqa: FBT001
        ) -> None:
            if there:
                client.ask("PUT", key, body=b"there")
            begin(client, key)
            part(client, key, 1, LAST)
            complete(client, key, parts((1, "{part1}")), **headers)
            client.ask("GET", key)
            client.ask("DELETE", key, "uploadId={upload}")


@uploads.case("completed, a wrong Content-MD5", "body-checked")
def _wrong_document(client: Client) -> None:
    begin(client, "digest")
    part(client, "digest", 1, LAST)
    complete(client, "digest", parts((1, "{part1}")), **{"Content-MD5": md5(b"else")})


@uploads.case("aborted")
def _aborted(client: Client) -> None:
    begin(client, "aborted")
    part(client, "aborted", 1, LAST)
    client.ask("DELETE", "aborted", "uploadId={upload}")
    client.ask("DELETE", "aborted", "uploadId={upload}")
    client.ask("GET", "aborted", "uploadId={upload}")
    part(client, "aborted", 2, LAST)
    complete(client, "aborted", parts((1, "{part1}")))
    client.ask("HEAD", "aborted")


@uploads.case("completed twice")
def _twice(client: Client) -> None:
    begin(client, "twice")
    part(client, "twice", 1, LAST)
    complete(client, "twice", parts((1, "{part1}")))
    complete(client, "twice", parts((1, "{part1}")))


uploads.ask("a part of nobody's upload", "PUT", "no", f"partNumber=1&{NOBODYS}", body=LAST)
uploads.ask("the parts of nobody's upload", "GET", "no", NOBODYS)
uploads.ask("nobody's upload aborted", "DELETE", "no", NOBODYS)
uploads.ask("nobody's upload completed", "POST", "no", NOBODYS, body=parts((1, ABSENT)))
uploads.ask("an empty upload id", "GET", "no", "uploadId=")
uploads.ask("a part without a number", "PUT", "no", NOBODYS, body=LAST, differs=("no-row",))
for _number_text in ("0", "10001", "-1", "x"):

    @uploads.case(f"part number {_number_text}")
    def _numbered(client: Client, number: str = _number_text) -> None:
        begin(client, "numbered")
        client.ask("PUT", "numbered", f"partNumber={number}&uploadId={{upload}}", body=LAST)
        client.ask("DELETE", "numbered", "uploadId={upload}")


@uploads.case("a part with a wrong digest", "body-checked")
def _wrong_part(client: Client) -> None:
    begin(client, "wrong")
    headers = {"Content-MD5": md5(b"else")}
    client.ask("PUT", "wrong", "partNumber=1&uploadId={upload}", headers, LAST)
    client.ask("DELETE", "wrong", "uploadId={upload}")


for _name, _headers in {
    "every entity header": {
        "Content-Disposition": "inline",
        "Content-Encoding": "br",
        "Content-Language": "de",
        "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
        "x-amz-storage-class": "STANDARD",
        "x-amz-tagging": "a=1",
        "x-amz-acl": "private",
    },
    "a class that is none": {"x-amz-storage-class": "CHEAP"},
    "SSE-S3": {"x-amz-server-side-encryption": "AES256"},
    "a checksum algorithm": {"x-amz-checksum-algorithm": "CRC32"},
    "a checksum of the whole": {
        "x-amz-checksum-algorithm": "CRC64NVME",
        "x-amz-checksum-type": "FULL_OBJECT",
    },
}.items():

    @uploads.case(f"begun with {_name}")
    def _begun(client: Client, headers: dict[str, str] = _headers) -> None:
        begin(client, "begun", **headers)
        part(client, "begun", 1, LAST)
        complete(client, "begun", parts((1, "{part1}")))
        client.ask("HEAD", "begun")
        client.ask("GET", "begun", "tagging")


@uploads.case("boto3's upload, checked")
def _boto(client: Client) -> None:
    made = client.call("create_multipart_upload", Key="boto", ChecksumAlgorithm="CRC32")
    upload = made.get("UploadId", "")
    done = []
    for number, body in ((1, PART), (2, LAST)):
        answer = client.call(
            "upload_part",
            Key="boto",
            UploadId=upload,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm="CRC32",
        )
        kept = {name: answer[name] for name in ("ETag", "ChecksumCRC32") if name in answer}
        done.append({"PartNumber": number, **kept})
    client.call(
        "complete_multipart_upload", Key="boto", UploadId=upload, MultipartUpload={"Parts": done}
    )
    client.call("list_parts", Key="boto", UploadId=upload)
    client.call("head_object", Key="boto", ChecksumMode="ENABLED")


SCENES = (uploads,)
