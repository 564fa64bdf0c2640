"""Who may keep an answer, what it depends on, and that bytes of users are no pages."""

import pytest

from tests.acceptance.harness import Gateway, Response
from tests.acceptance.publics import ARTIFACTS, HTML, KEPT, NONE, OBJECTS, STAGED
from tests.acceptance.silence import code

PRIVATE = "private, no-store"
PAGE = "public/set/page.html"


def kept(answer: Response) -> str | None:
    named: list[str] = answer.headers.get_all("Cache-Control", [])
    assert len(named) <= 1
    assert len(answer.headers.get_all("Vary", [])) == 1
    return named[0] if named else None


def varies(answer: Response) -> set[str]:
    return set(answer.headers["Vary"].split(", "))


def presigned(gateway: Gateway, key: str, path: str, **parameters: str) -> str:
    url: str = gateway.s3(key).generate_presigned_url(
        "get_object", Params={"Bucket": ARTIFACTS, "Key": path, **parameters}
    )
    return url.removeprefix(gateway.url)


def sandboxed(answer: Response) -> bool:
    guards = answer.headers["X-Content-Type-Options"], answer.headers["Content-Security-Policy"]
    return guards == ("nosniff", "sandbox")


def test_what_everybody_reads_is_kept_as_its_author_says(publics: Gateway) -> None:
    """Also where somebody with a right asks: the answer is the same."""
    target = f"/{ARTIFACTS}/{PAGE}"
    etag = publics.request("HEAD", target).headers["ETag"]
    for method, headers, status in (
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("GET", {"Range": "bytes=0-3"}, 206),
        ("GET", {"If-None-Match": etag}, 304),
    ):
        for answer in (
            publics.request(method, target, headers),
            publics.signed(method, target, "read", headers),
        ):
            assert (answer.status, sandboxed(answer)) == (status, True)
            # This backend leaves the header out of 304: what is kept stays as it is.
            assert kept(answer) == (None if status == 304 else KEPT)
            assert "Authorization" in varies(answer)
    assert kept(publics.request("GET", f"/{OBJECTS}/public/plain.txt")) == KEPT
    assert kept(publics.request("GET", presigned(publics, "read", PAGE))) == KEPT
    assert kept(publics.request("GET", f"/{ARTIFACTS}/artifact/{PAGE}")) == KEPT
    listing = publics.request("GET", f"/{ARTIFACTS}?prefix=public/")
    assert (listing.status, kept(listing)) == (200, None)
    manifest = publics.request("GET", f"/{ARTIFACTS}/artifact/public/set")
    assert (manifest.status, kept(manifest)) == (200, None)


def test_what_needed_a_right_is_kept_by_nobody(publics: Gateway) -> None:
    private = f"/{ARTIFACTS}/set/page.html"
    answers = [
        *(publics.signed(m, private, k) for m in ("GET", "HEAD") for k in ("read", "write")),
        publics.signed("GET", private, "read", {"Range": "bytes=0-3"}),
        publics.signed("GET", f"{private}?tagging", "read"),
        publics.signed("GET", f"/{NONE}/{PAGE}", "admin"),
        publics.signed("GET", f"/{ARTIFACTS}?prefix=public/", "read"),
        publics.signed("GET", f"/{ARTIFACTS}?list-type=2", "write"),
        publics.signed("GET", "/", "read"),
        publics.signed("HEAD", f"/{ARTIFACTS}", "read"),
        publics.signed("PUT", f"/{OBJECTS}/private/kept.txt", "admin", {}, b"x"),
        publics.request("GET", presigned(publics, "read", "set/page.html")),
        publics.request(
            "GET", presigned(publics, "read", "set/page.html", ResponseCacheControl="public")
        ),
    ]
    for answer in answers:
        assert (answer.status // 100, kept(answer)) == (2, PRIVATE), answer
        assert varies(answer) == {"Authorization", "Origin"}
    etag = answers[0].headers["ETag"]
    same = publics.signed("GET", private, "read", {"If-None-Match": etag})
    assert (same.status, kept(same)) == (304, PRIVATE)


def test_what_shows_a_stage_is_kept_by_nobody(publics: Gateway) -> None:
    for target in (
        f"/{ARTIFACTS}/{PAGE}",
        f"/{ARTIFACTS}/public/set/new.csv",
        f"/{ARTIFACTS}/public/draft/f.csv",
    ):
        answer = publics.signed("GET", target, "write")
        assert (answer.body, kept(answer)) == (STAGED, PRIVATE)
        assert kept(publics.signed("HEAD", target, "write")) == PRIVATE
        assert kept(publics.signed("GET", f"{target}?tagging", "write")) == PRIVATE
    url = publics.rpc("get_file", prefix="public/set", path="page.html", options={"stage": True})
    answer = publics.request("GET", url.removeprefix(publics.url))
    assert (answer.body, kept(answer)) == (STAGED, PRIVATE)


def test_a_writer_is_told_what_everybody_reads_where_that_is_what_is_there(
    gateway: Gateway, public_prefix: str
) -> None:
    """So that a copy of the object by its metadata keeps what its author said."""
    key = f"{public_prefix}/f.txt"
    client = gateway.s3()

    def put(body: bytes) -> None:
        client.put_object(Bucket=ARTIFACTS, Key=key, Body=body, CacheControl=KEPT)

    def told() -> str | None:
        return kept(gateway.signed("HEAD", f"/{ARTIFACTS}/{key}", "write"))

    gateway.rpc("create", prefix=public_prefix, manifest={"type": "dataset"}, stage=True)
    put(b"one")
    assert told() == PRIVATE
    gateway.rpc("commit", prefix=public_prefix)
    assert told() == KEPT
    put(b"two")
    assert told() == PRIVATE
    assert kept(gateway.signed("HEAD", f"/{ARTIFACTS}/{key}", "read")) == KEPT
    gateway.rpc("commit", prefix=public_prefix)
    assert told() == KEPT
    for stage, expected in ((False, KEPT), (True, PRIVATE)):
        url = gateway.rpc(
            "get_file", prefix=public_prefix, path="f.txt", options={"stage": stage}
        ).removeprefix(gateway.url)
        assert kept(gateway.request("GET", url)) == expected


def test_the_other_doors_keep_nothing_that_needed_a_right(publics: Gateway) -> None:
    token = publics.rpc("generate_token", key="admin", grants={ARTIFACTS: "write"})
    bearer = {"Authorization": f"Bearer {token}"}
    door = f"/{ARTIFACTS}/artifact"
    for path in ("public/set", "public/set/", "set", "set/page.html", "set?format=zip",
                 "public/set?stage=true", "public/set/page.html?stage=true"):  # fmt: skip
        answer = publics.request("GET", f"{door}/{path}", bearer)
        assert (answer.status, kept(answer)) == (200, PRIVATE), path
        assert varies(answer) >= {"Authorization", "Accept"}
    assert kept(publics.request("GET", f"{door}/{PAGE}", bearer)) == KEPT
    headers = bearer | {"Content-Type": "application/json"}
    answer = publics.request(
        "POST", f"/_rpc/{ARTIFACTS}/read", headers, b'{"prefix": "public/set"}'
    )
    assert (answer.status, kept(answer)) == (200, PRIVATE)


def test_refusals_are_kept_by_nobody(publics: Gateway) -> None:
    for target, status in (
        (f"/{ARTIFACTS}/public/absent", 404),
        (f"/{ARTIFACTS}/public/set/new.csv", 404),
        (f"/{ARTIFACTS}/set/page.html", 403),
        (f"/{ARTIFACTS}/artifact/public/absent", 404),
        (f"/{ARTIFACTS}/artifact/set", 403),
        (f"/_rpc/{ARTIFACTS}/nothing", 405),
        ("/no-such-workspace/x", 404),
        (f"/{ARTIFACTS}/public/%zz", 400),
    ):
        for method in ("GET", "HEAD"):
            answer = publics.request(method, target)
            assert (answer.status, kept(answer)) == (status, PRIVATE), target
    answer = publics.request("GET", f"/{ARTIFACTS}/{PAGE}", {"Range": "bytes=999-"})
    assert (answer.status, kept(answer)) == (416, PRIVATE)
    answer = publics.request("GET", f"/{ARTIFACTS}/{PAGE}", {"If-Match": '"other"'})
    assert (answer.status, kept(answer)) == (412, PRIVATE)


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "text/javascript"])
def test_bytes_of_users_are_no_pages_through_any_door(publics: Gateway, content_type: str) -> None:
    url = publics.rpc("get_file", prefix="public/set", path="page.html")
    answers = [
        publics.request("GET", f"/{ARTIFACTS}/{PAGE}"),
        publics.request("GET", f"/{ARTIFACTS}/{PAGE}", {"Range": "bytes=0-"}),
        publics.request("GET", f"/{ARTIFACTS}/artifact/{PAGE}"),
        publics.request("GET", f"/{ARTIFACTS}/artifact/{PAGE}?download=true"),
        publics.request("GET", url.removeprefix(publics.url)),
        publics.request("GET", presigned(publics, "read", PAGE, ResponseContentType=content_type)),
    ]
    for answer in answers:
        assert (answer.body, sandboxed(answer)) == (HTML, True)
    assert answers[-1].headers["Content-Type"] == content_type
    assert sandboxed(publics.request("HEAD", f"/{ARTIFACTS}/{PAGE}"))
    assert sandboxed(publics.request("GET", f"/{ARTIFACTS}/artifact/public/set?format=zip"))
    refused = publics.request("GET", f"/{ARTIFACTS}/set/page.html")
    assert (code(refused), sandboxed(refused)) == ("AccessDenied", False)
