"""Deletes that go on while others do the same, or put the same keys anew."""

from concurrent.futures import ThreadPoolExecutor, wait

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import manifest, publish, put, version_of
from tests.acceptance.wire import WireTap

NO_CONTENT = 204


def test_what_is_put_while_a_delete_goes_on_stays(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    publish(tapped, prefix, {"a.csv": b"old", "b.csv": b"old"})
    client = tapped.s3()
    slow = tap.pause_on("DELETE", f"{prefix}/a.csv")
    with ThreadPoolExecutor() as pool:
        deleting = pool.submit(tapped.rpc, "delete", prefix=prefix)
        slow.wait()
        anew = pool.submit(
            put, client, prefix, {"a.csv": b"new", "_manifest.yaml": manifest(name="new")}
        )
        wait([anew], timeout=1)  # it would be done by then, if it did not wait
        slow.resume()
        deleting.result(20)
        anew.result(20)
    found = client.get_object(Bucket=WORKSPACE, Key=f"{prefix}/a.csv")
    assert found["Body"].read() == b"new"
    assert tapped.rpc("commit", prefix=prefix)["files"][0]["path"] == "a.csv"


def test_of_two_who_take_the_last_key_away_neither_is_told_of_the_other(
    tapped: Gateway, tap: WireTap, prefix: str
) -> None:
    publish(tapped, prefix, {"a.csv": b"a"})
    client = tapped.s3()

    def delete(name: str) -> int:
        answer = client.delete_object(Bucket=WORKSPACE, Key=f"{prefix}/{name}")
        return int(answer["ResponseMetadata"]["HTTPStatusCode"])

    assert delete("manifest.yaml") == NO_CONTENT
    tombstone = tap.pause_on("PUT", "records/")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(delete, "a.csv")
        tombstone.wait()
        assert delete("a.csv") == NO_CONTENT
        tombstone.resume()
        assert first.result(20) == NO_CONTENT
    assert version_of(tapped, prefix) == 0
    assert publish(tapped, prefix, {"new.csv": b"n"}) == 3
