"""curl with `--aws-sigv4`: what it signs is the URL as it was written, in order and spelling."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import pytest

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway, Outcome
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, digests
from tests.clients.terminator import Terminator

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

UNSIGNED = ("-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")  # newer curls say it themselves

Curl: TypeAlias = Callable[..., Outcome]


@pytest.fixture
def curl(gateway: Gateway) -> Curl:
    """Runs curl, which signs with the key of a caller; what it prints is what it got."""

    def run(caller: str, *arguments: str | Path, code: int = 0) -> Outcome:
        key = KEYS[caller]
        account = f"{key.access_key_id}:{key.secret_access_key}"
        signing = ("--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", account)
        return gateway.curl(*signing, *arguments, code=code)

    return run


@pytest.fixture
def root(gateway: Gateway) -> str:
    """The workspace's URL."""
    return f"{gateway.url}/{WORKSPACE}"


def keys_of(listing: str) -> set[str]:
    """The keys in the XML of a listing."""
    return set(re.findall("<Key>([^<]*)</Key>", listing))


def test_it_reads_what_its_caller_may_see(
    curl: Curl, root: str, place: Place, caller: str, tmp_path: Path
) -> None:
    expected, below = place.seen_by(caller), quote(f"{place.prefix}/")
    listed = curl(caller, f"{root}?list-type=2&prefix={quote(below, safe='')}")
    assert keys_of(listed.stdout) == {f"{place.prefix}/{path}" for path in expected}
    for number, path in enumerate(expected):
        curl(caller, "-o", tmp_path / f"{number}", f"{root}/{below}{quote(path)}")
    got = {path: (tmp_path / f"{number}").read_bytes() for number, path in enumerate(expected)}
    assert digests(got) == digests(expected)

    part = tmp_path / "part"
    span = f"{PART - 7}-{PART + 12}"
    curl(caller, "-r", span, "-o", part, f"{root}/{below}big.bin")
    assert part.read_bytes() == expected["big.bin"][PART - 7 : PART + 13]
    head = curl(caller, "-I", f"{root}/{below}big.bin").stdout
    assert f"Content-Length: {len(expected['big.bin'])}" in head


def test_it_writes_copies_and_deletes_keys_of_any_spelling(
    curl: Curl, root: str, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(SMALL)
    spellings = {
        "a%20b%2Bc%2520d%20%C3%BCn": "a b+c%20d ün",
        "a+b": "a+b",
        "(par)!'*~": "(par)!'*~",
        "=&;,:@$": "=&;,:@$",
        "lower%c3%bc": "lowerü",
        "%7Etilde": "~tilde",
    }
    there = f"{root}/{target.prefix}"
    for spelling, name in spellings.items():
        curl("write", *UNSIGNED, "-T", tmp_path / "small", f"{there}/{spelling}")
        assert curl("write", f"{there}/{spelling}").stdout.encode() == SMALL, name
    source = quote(f"/{WORKSPACE}/{target.key('a+b')}")
    copying = ("-X", "PUT", "-H", f"x-amz-copy-source: {source}")
    curl("write", *UNSIGNED, *copying, f"{there}/copy")
    curl("write", "-X", "DELETE", f"{there}/a+b")
    body = f"<Delete><Object><Key>{target.key('~tilde')}</Key></Object></Delete>"
    curl("write", *UNSIGNED, "-d", body, f"{root}?delete=")
    target.holds(
        {name: SMALL for name in spellings.values() if name not in ("a+b", "~tilde")}
        | {"copy": SMALL}
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_multipart_upload_by_hand(
    curl: Curl, root: str, secure: Terminator, artifact: Target, tmp_path: Path, scheme: str
) -> None:
    if scheme == "https":
        root = f"{secure.url}/{WORKSPACE}"
    trust = (*UNSIGNED, "--cacert", secure.certificate)
    there = f"{root}/{artifact.key('big.bin')}"
    started = curl("write", *trust, "-X", "POST", f"{there}?uploads=").stdout
    found = re.search("<UploadId>(.*)</UploadId>", started)
    assert found is not None, started
    told = ""
    for number in (1, 2, 3):
        part = tmp_path / f"{number}"
        part.write_bytes(BIG[(number - 1) * PART : number * PART])
        url = f"{there}?partNumber={number}&uploadId={quote(found[1], safe='')}"
        answer = curl("write", *trust, "-D", "-", "-T", part, url).stdout
        etag = re.search("(?i)^etag: (.*?)\r?$", answer, re.MULTILINE)
        assert etag is not None, answer
        told += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag[1]}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{told}</CompleteMultipartUpload>"
    url = f"{there}?uploadId={quote(found[1], safe='')}"
    assert "<ETag>" in curl("write", *trust, "-d", document, url).stdout
    curl("write", *trust, "-o", tmp_path / "down", there)
    assert digest((tmp_path / "down").read_bytes()) == digest(BIG)
    artifact.holds({"big.bin": BIG})


def test_workspaces_are_sub_domains_too(
    curl: Curl, gateway: Gateway, places: Mapping[str, Place]
) -> None:
    # curl takes names below `localhost` for this machine by itself.
    url = f"http://{WORKSPACE}.localhost:{gateway.port}/{places['edited'].prefix}/sub/same.csv"
    assert curl("read", url).stdout == "same"


def test_refusals_are_told(
    curl: Curl, root: str, places: Mapping[str, Place], artifact: Target, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(SMALL)
    upload = ("-T", tmp_path / "small", f"{root}/{artifact.key('x')}")
    edited = f"{root}/{places['edited'].prefix}"
    assert "<Code>NoSuchKey<" in curl("read", f"{edited}/new.csv", code=22).stdout
    assert "<Code>AccessDenied<" in curl("read", *UNSIGNED, *upload, code=22).stdout
    assert "<Code>AccessDenied<" in curl("other", f"{edited}/data.csv", code=22).stdout
    wrong = ("-H", f"x-amz-content-sha256: {digest(b'other')}")
    refusal = curl("write", *wrong, *upload, code=22).stdout
    assert "<Code>XAmzContentSHA256Mismatch<" in refusal
    artifact.holds({})
