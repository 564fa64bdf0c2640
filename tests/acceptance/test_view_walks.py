"""Readers' listings of artifacts in every state, page by page, against a plain model.

The suite takes a sample of all combinations; VIEW_WALKS in the environment says how many.
"""

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from operator import itemgetter
from urllib.parse import quote, unquote_plus
from xml.etree.ElementTree import Element, fromstring

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Gateway
from tests.acceptance.landscape import Landscape, grouped
from tests.acceptance.signer import Signer
from tests.acceptance.steps import keys_below, manifest, publish, put
from tests.acceptance.wire import WireTap

SUITE_WALKS = 100
SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
PREFIXES = (
    *("", "a", "a/", "ar", "art", "art/", "art/d", "art/dir", "art/dir/", "art1", "art1/", "art5/"),
    *("art 6", "b", "é", "e", "é-art/", "gal", "gal/", "gal/m", "gal/m3/", "gal/m6", "z", "none"),
)
AFTERS = ("", "", "a.b", "art/data.csv", "art/new.csv", "b b", "gal/", "gal/m2/dir/a", "\ue000")


@dataclass(frozen=True, slots=True)
class Walk:
    """One way to list a folder."""

    second: bool
    delimiter: str
    prefix: str
    size: int
    after: str
    encoded: bool


ALL = [
    Walk(*each)
    for each in itertools.product(
        (False, True), ("", "/", "a"), PREFIXES, (1, 2, 3, 7, 1000), AFTERS, (False, True)
    )
]
WALKS = random.Random(7).sample(ALL, int(os.environ.get("VIEW_WALKS", SUITE_WALKS)))  # noqa: S311


@pytest.fixture(scope="module", params=["seaweedfs", "moto"])
def land(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Landscape]:
    """The folder, in front of a backend that lists bytewise, and of one that doesn't."""
    if request.param == "seaweedfs":
        gateway: Gateway = request.getfixturevalue("gateway")
        yield Landscape(gateway, gateway.new_prefix(public=True)).make()
        return
    backend = Backend(tmp_path_factory.mktemp("moto"), kind="moto")
    running = Gateway(backend, tmp_path_factory.mktemp("gateway-of-moto"))
    try:
        backend.start()
        running.start()
        yield Landscape(running, running.new_prefix(public=True)).make()
    finally:
        running.stop()
        backend.kill()


class Lister:
    """Lists over one connection that is kept, as a reader or without credentials."""

    def __init__(self, port: int, key: str | None) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._signer = Signer(f"127.0.0.1:{port}", KEYS[key]) if key else None

    def ask(self, **parameters: str) -> Element:
        """The document of one page."""
        pairs = sorted((quote(k, safe=""), quote(v, safe="")) for k, v in parameters.items())
        target = f"/{WORKSPACE}?" + "&".join(f"{name}={value}" for name, value in pairs)
        headers = self._signer.headers("GET", target) if self._signer else {}
        headers.pop("host", None)
        self._connection.request("GET", target, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (target, body)
        return fromstring(body)  # noqa: S314 (the gateway wrote it)

    def close(self) -> None:
        """Nothing; the connection is gone."""
        self._connection.close()


@pytest.fixture(scope="module", params=["read", "anonymous"])
def lister(request: pytest.FixtureRequest, land: Landscape) -> Iterator[Lister]:
    """Each kind of caller who sees commits alone."""
    listing = Lister(land.gateway.port, None if request.param == "anonymous" else request.param)
    yield listing
    listing.close()


Shown = dict[str, tuple[int, str] | None]


def text(document: Element, tag: str) -> str:
    """The text of one element, "" where there is none."""
    return document.findtext(f"{SPACE}{tag}") or ""


def walked(lister: Lister, root: str, walk: Walk) -> list[Shown]:
    """What each page of a listing shows, in its order: objects first."""
    parameters = {"prefix": f"{root}/{walk.prefix}", "max-keys": str(walk.size)}
    if walk.second:
        parameters["list-type"] = "2"
    if walk.delimiter:
        parameters["delimiter"] = walk.delimiter
    if walk.encoded:
        parameters["encoding-type"] = "url"
    if walk.after:
        parameters["start-after" if walk.second else "marker"] = f"{root}/{walk.after}"
    pages: list[Shown] = []
    found: set[str] = set()
    while True:
        document = lister.ask(**parameters)
        page = shown(document, root, encoded=walk.encoded)
        assert found.isdisjoint(page), (walk, found & set(page))
        assert len(page) <= walk.size
        assert text(document, "Name") == WORKSPACE
        assert text(document, "MaxKeys") == str(walk.size)
        if walk.second:
            assert text(document, "KeyCount") == str(len(page))
        found |= page.keys()
        pages.append(page)
        assert len(pages) < 500, walk
        if text(document, "IsTruncated") == "false":
            assert not text(document, "NextContinuationToken")
            return pages
        assert page, (walk, pages)
        if walk.second:
            parameters["continuation-token"] = text(document, "NextContinuationToken")
        else:
            following = text(document, "NextMarker")
            following = unquote_plus(following) if walk.encoded else following
            parameters["marker"] = following or f"{root}/{max(page)}"


def left_out(land: Landscape, walk: Walk) -> set[str]:
    """What the backend itself lists on one page, and not on pages of this walk's size.

    SeaweedFS leaves a key out at a page's border where others lie below it as a folder.
    """
    client, root = land.gateway.backend.client(), land.root
    pages = client.get_paginator("list_objects_v2" if walk.second else "list_objects")
    listings = []
    for size in (1000, walk.size):
        found = pages.paginate(
            Bucket=land.gateway.backend.bucket,
            Prefix=f"{root}/{walk.prefix}",
            Delimiter=walk.delimiter,
            PaginationConfig={"PageSize": size},
        )
        keys = [each["Key"] for page in found for each in page.get("Contents", [])]
        listings.append({key.removeprefix(f"{root}/") for key in keys})
    whole, paged = listings
    return whole - paged


def shown(document: Element, root: str, *, encoded: bool) -> Shown:
    """The lines of a page, by name relative to the root."""

    def name(element: Element, tag: str) -> str:
        spelled = text(element, tag)
        key = unquote_plus(spelled) if encoded else spelled
        assert key.startswith(f"{root}/"), key
        return key.removeprefix(f"{root}/")

    page: Shown = {}
    lines = 0
    for each in document.iterfind(f"{SPACE}Contents"):
        page[name(each, "Key")] = (int(text(each, "Size")), text(each, "ETag"))
        lines += 1
    for each in document.iterfind(f"{SPACE}CommonPrefixes"):
        page[name(each, "Prefix")] = None
        lines += 1
    assert len(page) == lines, "a page says something twice"
    return page


def test_every_key_is_listed_once_as_it_is_committed(
    land: Landscape, lister: Lister, request: pytest.FixtureRequest
) -> None:
    anonymous = "anonymous" in request.node.callspec.params.values()
    moto = "moto" in request.node.callspec.params.values()
    seen = {name: each for name, each in land.seen.items() if not anonymous or name in land.pinned}
    for walk in WALKS:
        expected = grouped(seen, walk.prefix, walk.delimiter, walk.after)
        pages = walked(lister, land.root, walk)
        found = {name: each for page in pages for name, each in page.items()}
        if anonymous or moto:
            listed = [each for page in pages for each in sorted(page.items(), key=itemgetter(0))]
            assert listed == list(expected.items()), walk
            assert all(len(page) == walk.size for page in pages[:-1]), walk
            for page in pages:
                assert list(page) == sorted(page, key=lambda name: (page[name] is None, name))
        elif not walk.after:
            assert found.items() <= expected.items(), walk
            missing = expected.keys() - found.keys()
            assert not missing or missing <= left_out(land, walk) - land.marked, walk
        else:
            # Where a listing starts that has no order, only the backend knows. What is inside
            # marks begins after the name.
            everything = grouped(seen, walk.prefix, walk.delimiter, "")
            assert found.items() <= everything.items(), walk
            assert {name for name in expected if name in land.marked} <= found.keys(), walk
        inside = [name for name in found if name in land.marked and found[name]]
        assert inside == sorted(inside), walk


@pytest.mark.parametrize("ending", ["commit", "discard"])
def test_an_edit_that_ends_between_two_pages_hides_no_name(gateway: Gateway, ending: str) -> None:
    root = gateway.new_prefix()
    for name in ("b", "d"):
        publish(gateway, f"{root}/{name}", {f"{number}.csv": b"x" for number in range(4)})
    put(gateway.s3(), root, dict.fromkeys(("a", "c", "e", "f/g"), b"o"))
    put(gateway.s3(), f"{root}/b", {"1.csv": b"staged", "_manifest.yaml": manifest(name="next")})
    put(gateway.s3(), f"{root}/n", {"x": b"x", "_manifest.yaml": manifest()})
    everything = keys_below(gateway.s3("read"), root).keys()
    reader = Lister(gateway.port, "read")
    for turn in range(len(everything)):
        if turn:
            put(gateway.s3(), f"{root}/b", {"1.csv": f"staged {turn}".encode()})
        found: list[str] = []
        parameters = {"list-type": "2", "prefix": f"{root}/", "max-keys": "1"}
        while True:
            document = reader.ask(**parameters)
            found += shown(document, root, encoded=False)
            if len(found) == turn + 1:
                gateway.rpc(ending, prefix=f"{root}/b")
            if text(document, "IsTruncated") == "false":
                break
            parameters["continuation-token"] = text(document, "NextContinuationToken")
        assert sorted(found) == sorted(everything), turn
    reader.close()


def test_a_listing_without_marks_costs_one_request_of_the_backend(
    tapped: Gateway, tap: WireTap
) -> None:
    root = tapped.new_prefix(public=True)
    publish(tapped, f"{root}/still", {f"{number}.csv": b"x" for number in range(5)})
    put(tapped.s3(), root, {"plain": b"p", "folder/x": b"x"})
    # An edit somewhere else costs nobody anything here.
    publish(tapped, f"{root}-other", {"a": b"a"})
    put(tapped.s3(), f"{root}-other", {"a": b"staged"})
    for key, cost in (("read", 1), ("write", 1), (None, 0)):
        reader = Lister(tapped.port, key)
        for second, delimiter, prefix in itertools.product(
            (False, True), ("", "/"), (f"{root}/", f"{root}/still/", f"{root}/fol", f"{root}/none")
        ):
            parameters = {"prefix": prefix, **({"list-type": "2"} if second else {})}
            tap.forget()
            reader.ask(**parameters, **({"delimiter": delimiter} if delimiter else {}))
            heard = [(each.method, each.target) for each in tap.requests]
            assert len(heard) == cost, heard
        reader.close()
    marked = Lister(tapped.port, "read")
    tap.forget()
    marked.ask(prefix=f"{root}-other/", **{"list-type": "2"})
    assert len(tap.requests) == 1
    marked.close()
