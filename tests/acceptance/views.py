"""One artifact, spoken to and looked at as each kind of caller does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname

from botocore.exceptions import ClientError

from tests.acceptance.harness import Document, Gateway, RpcError, S3Client

MANIFEST = "manifest.yaml"
STAGED = "_manifest.yaml"
DATA = "data.csv"
EXTRA = "more/extra.csv"

Files = Mapping[str, bytes]

HIDDEN = ("AccessDenied", "NoSuchKey")


def outcome(call: Callable[[], Document]) -> tuple[int, str]:
    """Status and code of an S3 call: `(200, "")`, `(404, "NoSuchKey")`."""
    try:
        answer = call()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], ""


def refusal(call: Callable[[], Document]) -> tuple[int, str]:
    """Status and code of an RPC call that is refused; `(200, "")` of one that is not."""
    try:
        call()
    except RpcError as error:
        return error.status, error.code
    return 200, ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A prefix of the gateway's workspace, spoken to by name of file."""

    gateway: Gateway
    prefix: str

    @property
    def bucket(self) -> str:
        """The workspace's name."""
        return self.gateway.workspace

    def key(self, path: str) -> str:
        """The key of the file at `path`."""
        return f"{self.prefix}/{path}"

    def put(self, path: str, body: bytes, key: str = "write", **options: Document) -> Document:
        """The answer to PutObject."""
        return self.gateway.s3(key).put_object(
            Bucket=self.bucket, Key=self.key(path), Body=body, **options
        )

    def copy(self, source: str, path: str, key: str = "write") -> Document:
        """The answer to CopyObject from the workspace's key `source`."""
        return self.gateway.s3(key).copy_object(
            Bucket=self.bucket,
            Key=self.key(path),
            CopySource={"Bucket": self.bucket, "Key": source},
        )

    def rename(self, key: str = "write") -> Document:
        """The answer to the COPY that commits: `_manifest.yaml` onto `manifest.yaml`."""
        return self.copy(self.key(STAGED), MANIFEST, key)

    def multipart(self, path: str, body: bytes) -> Document:
        """The answer to CompleteMultipartUpload of one part."""
        client = self.gateway.s3()
        address = {"Bucket": self.bucket, "Key": self.key(path)}
        upload = client.create_multipart_upload(**address)["UploadId"]
        part = client.upload_part(**address, UploadId=upload, PartNumber=1, Body=body)
        return client.complete_multipart_upload(
            **address,
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )

    def delete(self, path: str, **options: Document) -> Document:
        """The answer to DeleteObject."""
        return self.gateway.s3().delete_object(Bucket=self.bucket, Key=self.key(path), **options)

    def delete_batch(self, *paths: str) -> Document:
        """The answer to DeleteObjects."""
        return self.gateway.s3().delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": self.key(path)} for path in paths]}
        )

    def rpc(self, method: str, key: str = "write", **arguments: Document) -> Document:
        """What the RPC method returns for this prefix."""
        return self.gateway.rpc(method, key=key, prefix=self.prefix, **arguments)

    def upload(self, path: str, body: bytes, **options: Document) -> int:
        """The status of a PUT to the URL that `put_file` gives."""
        url = self.rpc("put_file", file_path=path, options=options)
        return self.gateway.anonymous(
            "PUT", url.removeprefix(self.gateway.url), data=body
        ).status_code

    def seen_by(self, key: str) -> dict[str, bytes]:
        """What list and GET show to the access key: path to bytes."""
        return contents(self.gateway.s3(key), self.bucket, self.prefix)

    def seen_unsigned(self) -> dict[str, bytes]:
        """What list and GET show to an unsigned caller."""
        try:
            return contents(unsigned_client(self.gateway), self.bucket, self.prefix)
        except ClientError as error:
            if error.response["Error"]["Code"] not in HIDDEN:
                raise
            return {}

    def held(self) -> dict[str, bytes]:
        """What the backend holds at the plain keys."""
        return contents(backend_client(self.gateway), self.gateway.backend.bucket, self.prefix)

    def held_versions(self, path: str) -> list[str]:
        """The backend's versions of one key that are no delete markers."""
        backend = self.gateway.backend
        answer = backend.client().list_object_versions(Bucket=backend.bucket, Prefix=self.key(path))
        versions = answer.get("Versions", [])
        return [each["VersionId"] for each in versions if each["Key"] == self.key(path)]

    def read(self, **options: Document) -> Document:
        """The merged manifest, None where there is none."""
        try:
            return self.rpc("read", silent=True, **options)
        except RpcError as error:
            if (error.status, error.code) != (404, "NoSuchArtifact"):
                raise
            return None

    @property
    def version(self) -> int | None:
        """The committed version, None where there is none."""
        manifest = self.read()
        return None if manifest is None else manifest["_version"]

    def files(self, path: str = "", **options: Document) -> dict[str, int]:
        """Paths and sizes by RPC `list_files`, folder by folder."""
        found: dict[str, int] = {}
        for each in self.rpc("list_files", path=path, **options):
            assert each["name"] == basename(each["path"])
            if each["type"] == "file":
                found[each["path"]] = each["size"]
            else:
                assert each["type"] == "directory"
                found |= self.files(each["path"], **options)
        return found

    def is_named(self, *, stage: bool) -> bool:
        """Whether the RPC `list` of the folder above has this artifact."""
        names = self.gateway.rpc("list", prefix=dirname(self.prefix), stage=stage)
        assert names == sorted(set(names)), names
        return basename(self.prefix) in names

    @property
    def is_open(self) -> bool:
        """Whether an edit is open. Asking announces a file: ask last."""
        code = refusal(lambda: self.rpc("put_file", file_path="asked.txt"))
        assert code in ((200, ""), (404, "NoSuchArtifact"), (409, "NotStaged")), code
        return code == (200, "")


_clients: dict[str, S3Client] = {}  # making one takes longer than all that it is asked here


def unsigned_client(gateway: Gateway) -> S3Client:
    """A client of the gateway without a key."""
    if gateway.url not in _clients:
        _clients[gateway.url] = gateway.s3("anonymous")
    return _clients[gateway.url]


def backend_client(gateway: Gateway) -> S3Client:
    """A client of the gateway's backend."""
    url = gateway.backend.endpoint_url
    if url not in _clients:
        _clients[url] = gateway.backend.client()
    return _clients[url]


def contents(client: S3Client, bucket: str, prefix: str) -> dict[str, bytes]:
    """Every key below `prefix` that the client lists, GETs and HEADs, with its bytes."""
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
    found: dict[str, bytes] = {}
    for each in listed:
        got = client.get_object(Bucket=bucket, Key=each["Key"])
        body: bytes = got["Body"].read()
        assert (each["Size"], each["ETag"]) == (len(body), got["ETag"]), each["Key"]
        path = each["Key"].removeprefix(f"{prefix}/")
        assert path not in found, f"{path} is listed twice"
        found[path] = body
    return found
