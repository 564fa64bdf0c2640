"""The steps of a multipart upload."""

from tests.differential.client import Answer, Client

PART = bytes(range(256)) * (5 << 12)
"""5 MiB, the least that a part other than the last may have."""

LAST = b"the last part"
ABSENT = '"00000000000000000000000000000000"'


def begin(client: Client, key: str, name: str = "upload", **headers: str) -> Answer:
    """Open an upload, whose id is saved under `name`."""
    answer = client.ask("POST", key, "uploads", headers)
    client.saved[name] = answer.text("UploadId")
    return answer


def part(client: Client, key: str, number: int, body: bytes, upload: str = "upload") -> str:
    """The ETag of a part that is put."""
    query = f"partNumber={number}&uploadId={{{upload}}}"
    etag = client.ask("PUT", key, query, body=body).header("etag")
    client.saved[f"part{number}"] = etag
    return etag


def parts(*each: tuple[int, str], extra: str = "") -> str:
    """The document of CompleteMultipartUpload."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{extra}</Part>"
        for number, etag in each
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"


def complete(client: Client, key: str, body: str, upload: str = "upload", **headers: str) -> Answer:
    """The answer to CompleteMultipartUpload."""
    return client.ask("POST", key, f"uploadId={{{upload}}}", headers, body)


NOBODYS = "uploadId=bm9ib2R5cw"
"""An upload id that no server has given."""
