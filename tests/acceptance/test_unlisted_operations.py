"""What has no row in the table of operations: for admins, where it can cost nobody anything."""

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.silence import code
from tests.acceptance.steps import content, publish, put

UNHEARD_OF = "?unheard-of"


def test_admins_reach_what_only_the_backend_knows(gateway: Gateway, prefix: str) -> None:
    put(gateway.s3(), prefix, {"page.html": b"<p>plain"})
    target = f"/{WORKSPACE}/{prefix}/page.html{UNHEARD_OF}"
    answer = gateway.signed("GET", target, "admin")
    assert (answer.status, answer.body) == (200, b"<p>plain")
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert gateway.signed("PATCH", target, "admin").status == 405
    listing = gateway.signed("GET", f"/{WORKSPACE}{UNHEARD_OF}", "admin")
    assert listing.status != 200 or b"ListBucketResult" in listing.body


@pytest.mark.parametrize("who", ["write", "read", "other"])
def test_others_do_not(gateway: Gateway, prefix: str, who: str) -> None:
    put(gateway.s3(), prefix, {"plain": b"plain"})
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = gateway.signed(method, f"/{WORKSPACE}/{prefix}/plain{UNHEARD_OF}", who)
        assert (answer.status, code(answer)) == (501, "NotImplemented")
    assert content(gateway.s3(), f"{prefix}/plain") == b"plain"


@pytest.mark.parametrize("path", ["data.csv", "manifest.yaml", "_manifest.yaml", "new.csv"])
def test_nobody_does_in_an_artifact(gateway: Gateway, prefix: str, path: str) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    for method in ("GET", "PUT", "DELETE"):
        target = f"/{WORKSPACE}/{prefix}/{path}{UNHEARD_OF}"
        answer = gateway.signed(method, target, "admin", body=b"type: x" * (method == "PUT"))
        assert (answer.status, code(answer)) == (501, "NotImplemented")
    assert content(gateway.s3("read"), f"{prefix}/data.csv") == b"committed"


@pytest.mark.parametrize(
    "path", ["x/manifest.yaml", "x/_manifest.yaml", "k?versionId=1&unheard-of"]
)
def test_nobody_does_where_it_could_make_an_artifact(
    gateway: Gateway, prefix: str, path: str
) -> None:
    target = f"/{WORKSPACE}/{prefix}/{path}"
    target += UNHEARD_OF if "?" not in path else ""
    answer = gateway.signed("PUT", target, "admin", body=b"type: dataset")
    assert (answer.status, code(answer)) == (501, "NotImplemented")
    assert prefix not in gateway.rpc("list", stage=True)


def test_versions_of_a_deleted_artifact_stay(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    gateway.rpc("delete", prefix=prefix)
    target = f"/{WORKSPACE}/{key}?unheard-of&versionId={version}"
    assert gateway.signed("DELETE", target, "admin").status == 501
    kept = gateway.s3().get_object(Bucket=WORKSPACE, Key=key, VersionId=version)
    assert kept["Body"].read() == b"committed"
