"""An artifact that is committed and being edited, for tests that look at it."""

from dataclasses import dataclass

import pytest

from tests.acceptance.harness import WORKSPACE, Document, Gateway, S3Client
from tests.acceptance.steps import manifest, put

COMMITTED = {
    "a!": b"bang",
    "a/b": b"slash",
    "data.csv": b"the committed bytes",
    "dir/deep.csv": b"deep",
    "removed.csv": b"removed",
    "same.csv": b"same",
}
STAGED = {
    "data.csv": b"staged, and longer than what is committed",
    "dir/new.csv": b"n",
    "new": b"n",
}


@dataclass(frozen=True, slots=True)
class Edited:
    """A committed artifact that is being edited."""

    prefix: str
    etags: dict[str, str]  # of the commit, by path
    pinned: dict[str, str]  # version ids of the commit, by path
    staged_etag: str
    staged_version: str
    listed_before: list[Document]  # as the reader was listed before the edit

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}"

    @property
    def whole(self) -> dict[str, bytes]:
        return {**COMMITTED, "manifest.yaml": manifest(name="one")}


def listing(client: S3Client, prefix: str) -> list[Document]:
    return sorted(
        client.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{prefix}/").get("Contents", []),
        key=lambda each: str(each["Key"]),
    )


@pytest.fixture(scope="package")
def edited(gateway: Gateway) -> Edited:
    """One artifact for tests that only read it."""
    prefix, writer = gateway.new_prefix(public=True), gateway.s3()
    put(writer, prefix, {"_manifest.yaml": manifest(name="one")})
    answers = {
        path: writer.put_object(
            Bucket=WORKSPACE,
            Key=f"{prefix}/{path}",
            Body=data,
            ContentType="text/csv",
            Metadata={"state": "committed"},
            Tagging="state=committed",
        )
        for path, data in COMMITTED.items()
    }
    gateway.rpc("commit", prefix=prefix)
    before = listing(gateway.s3("read"), prefix)
    for path, data in STAGED.items():
        staged = writer.put_object(
            Bucket=WORKSPACE,
            Key=f"{prefix}/{path}",
            Body=data,
            ContentType="text/plain",
            Metadata={"state": "staged"},
            Tagging="state=staged",
        )
        if path == "data.csv":
            answers["staged"] = staged
    writer.delete_object(Bucket=WORKSPACE, Key=f"{prefix}/removed.csv")
    put(writer, prefix, {"_manifest.yaml": manifest(name="two")})
    return Edited(
        prefix,
        {path: answers[path]["ETag"] for path in COMMITTED},
        {path: answers[path]["VersionId"] for path in COMMITTED},
        answers["staged"]["ETag"],
        answers["staged"]["VersionId"],
        before,
    )
