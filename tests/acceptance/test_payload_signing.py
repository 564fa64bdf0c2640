"""In front of a backend that takes nothing unsigned: each form of a body goes on signed."""

import re
import secrets
from collections.abc import Iterator

import pytest

from tests.acceptance.bodies import Draft, Shape
from tests.acceptance.flaws import SHAPES, flaws
from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Document, Gateway, S3Client
from tests.acceptance.places import content
from tests.acceptance.signer import Signer
from tests.acceptance.wire import WireTap

DATA = content(170_000)  # more than one chunk


@pytest.fixture(scope="module")
def listening(backend: Backend) -> Iterator[WireTap]:
    """What stands between the module's gateway and the backend."""
    with WireTap(backend.endpoint_url) as tap:
        yield tap


@pytest.fixture(scope="module")
def signing(
    backend: Backend, listening: WireTap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that signs each chunk that it sends."""
    gateway = Gateway(
        backend,
        tmp_path_factory.mktemp("signing"),
        settings={"system": {"bucket": "system-of-the-signing"}},
        endpoint_url=listening.url,
    )
    settings: Document = gateway.configuration()["backend"]
    gateway.settings = {**gateway.settings, "backend": settings | {"payload_signing": "chunks"}}
    try:
        yield gateway.start()
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def behind(backend: Backend) -> S3Client:
    """A client of the backend itself."""
    return backend.client()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_body_goes_on_signed_and_arrives(
    signing: Gateway, listening: WireTap, behind: S3Client, shape: Shape
) -> None:
    key = f"signed/{secrets.token_hex(6)}"
    signer = Signer(f"127.0.0.1:{signing.port}", KEYS["write"])
    for flaw in flaws(shape):
        if re.search("flipped last|another|second half", flaw.name):
            draft = Draft(shape, DATA)
            flaw.spoil(draft)
            request = draft.request(signer, "PUT", f"/{WORKSPACE}/{key}")
            assert request.send(signing.port)[0] in {status for status, _ in flaw.refusals}
            assert "Contents" not in behind.list_objects_v2(Bucket=WORKSPACE, Prefix=key)
    request = Draft(shape, DATA).request(signer, "PUT", f"/{WORKSPACE}/{key}")
    assert request.send(signing.port)[0] == 200
    assert behind.get_object(Bucket=WORKSPACE, Key=key)["Body"].read() == DATA
    seen = [each for each in listening.requests if each.path.endswith(key)][-1]
    form = {"hash": None, "signed-trailer": "-TRAILER", "unsigned-trailer": "-TRAILER"}
    end = form.get(shape.name, "")
    if end is not None:
        expected = f"STREAMING-AWS4-HMAC-SHA256-PAYLOAD{end}"
        assert seen.header("x-amz-content-sha256") == expected


def test_nothing_that_the_gateway_sends_is_unsigned(signing: Gateway, listening: WireTap) -> None:
    prefix = signing.new_prefix()
    signing.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    signing.s3().put_object(Bucket=WORKSPACE, Key=f"{prefix}/data.csv", Body=DATA)
    signing.rpc("commit", prefix=prefix)
    assert signing.s3("read").get_object(Bucket=WORKSPACE, Key=f"{prefix}/data.csv")["Body"].read()
    signing.rpc("delete", prefix=prefix)
    hashes = {each.header("x-amz-content-sha256") or "" for each in listening.requests}
    assert hashes
    assert not [each for each in hashes if "UNSIGNED" in each]
