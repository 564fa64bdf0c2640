"""A delete that goes on while somebody puts the same keys anew takes nothing of theirs."""

from concurrent.futures import ThreadPoolExecutor, wait

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import manifest, publish, put
from tests.acceptance.wire import WireTap


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
