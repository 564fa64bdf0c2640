"""Files that were on their way when a manifest made an artifact around them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.harness import WORKSPACE, Document, Gateway, S3Client
from tests.acceptance.steps import contents, make_gallery, manifest, put, refused, version_of
from tests.acceptance.wire import When, WireTap


def put_late(client: S3Client, key: str) -> Document:
    return client.put_object(Bucket=WORKSPACE, Key=key, Body=b"late")


def copy_late(client: S3Client, key: str) -> Document:
    origin = {"Bucket": WORKSPACE, "Key": "late-origin"}
    return client.copy_object(Bucket=WORKSPACE, Key=key, CopySource=origin)


@pytest.mark.parametrize("send", [put_late, copy_late])
@pytest.mark.parametrize("below", [False, True], ids=["alone", "in a collection"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_comes_too_late_for_a_commit_is_staged_for_the_next(
    tapped: Gateway, tap: WireTap, send: Document, when: When, *, below: bool
) -> None:
    above, client = tapped.new_prefix(), tapped.s3()
    if below:
        make_gallery(tapped, above)
    prefix = f"{above}/member"
    client.put_object(Bucket=WORKSPACE, Key="late-origin", Body=b"late")
    put(client, prefix, {"early.csv": b"early"})
    pause = tap.pause_on("PUT", f"/{WORKSPACE}/{prefix}/late.csv", when=when)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send, client, f"{prefix}/late.csv")
        pause.wait()
        put(client, prefix, {"manifest.yaml": manifest()})
        assert version_of(tapped, prefix) == 1
        pause.resume()
        assert sending.result(30)["ResponseMetadata"]["HTTPStatusCode"] == 200
    committed = {"early.csv": b"early", "manifest.yaml": manifest()}
    if when == "before":
        assert contents(tapped.s3("read"), prefix) == committed
        assert tapped.rpc("commit", prefix=prefix)["version"] == 2
    # What the backend had in time, the commit has; and no edit is open.
    assert contents(tapped.s3("read"), prefix) == {**committed, "late.csv": b"late"}
    with refused("NotStaged", 409):
        tapped.rpc("commit", prefix=prefix)
