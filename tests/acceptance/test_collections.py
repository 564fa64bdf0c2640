"""Collections: members at any depth, searched, counted and paged as the caller may see them."""

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.harness import Backend, Document, Gateway, RpcError
from tests.acceptance.views import refusal

GALLERY = "public/gallery"
SHELF = f"{GALLERY}/shelf"
MEMBERS: dict[str, dict[str, object]] = {
    f"{GALLERY}/cells": {"type": "dataset", "name": "Cells", "size": 12, "tags": ["bio", "2d"]},
    f"{GALLERY}/deja": {"type": "dataset", "name": "Déjà vu", "size": 3, "tags": ["bio"]},
    f"{SHELF}/model": {"type": "model", "name": "Model of cells", "license": {"spdx": "MIT"}},
}
ALL = sorted([*MEMBERS, SHELF])


@pytest.fixture(scope="module")
def gallery(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a gallery of its own, in which one member is being edited and one is new."""
    system = {"bucket": "artifact-gateway-system", "prefix": "collections/"}
    running = Gateway(backend, tmp_path_factory.mktemp("collections"), {"system": system})
    try:
        gateway = running.start()
        for prefix in (GALLERY, SHELF):
            shelf = {"type": "collection", "summary_fields": ["name", "size", "license.spdx"]}
            gateway.rpc("create", prefix=prefix, manifest=shelf)
        for prefix, manifest in MEMBERS.items():
            gateway.rpc("create", prefix=prefix, manifest=manifest)
        edited = MEMBERS[f"{GALLERY}/cells"] | {"name": "Cells, edited"}
        gateway.rpc("edit", prefix=f"{GALLERY}/cells", manifest=edited)
        new = {"type": "dataset", "name": "New cells"}
        gateway.rpc("create", prefix=f"{GALLERY}/new", manifest=new, stage=True)
        secret = {"type": "dataset", "name": "Secret cells"}
        gateway.rpc("create", prefix="secret/cells", manifest=secret)
        for prefix in ("", "public"):
            gateway.rpc("create", prefix=prefix, manifest={"type": "collection"})
        yield gateway
    finally:
        running.stop()


def call(gateway: Gateway, method: str, key: str, **arguments: Document) -> Document:
    """What a method answers to the holder of a key, or to somebody without one."""
    if key != "anonymous":
        return gateway.rpc(method, key=key, **arguments)
    target = f"/_rpc/my-workspace/{method}"
    headers = {"Content-Type": "application/json"}
    answer = gateway.anonymous("POST", target, data=json.dumps(arguments).encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    document: Document = answer.json()
    return document


def found(gateway: Gateway, key: str = "read", **arguments: Document) -> list[str]:
    """The prefixes of the members that `children` finds below the gallery, or `prefix`."""
    answer = call(gateway, "children", key, **{"prefix": GALLERY, **arguments})
    assert answer["total"] == len(answer["items"])
    return [item["_prefix"] for item in answer["items"]]


def test_members_at_any_depth_are_found_by_anybody_who_may_read_them(gallery: Gateway) -> None:
    for key in ("read", "anonymous"):
        assert found(gallery, key) == ALL
        assert found(gallery, key, keywords=["cell"]) == [f"{GALLERY}/cells", f"{SHELF}/model"]
        assert found(gallery, key, keywords="deja VU") == [f"{GALLERY}/deja"]
        assert found(gallery, key, keywords=["edited"]) == []
        assert found(gallery, key, keywords=["new"]) == []
    assert "secret/cells" in found(gallery, "read", prefix="")
    assert found(gallery, "anonymous", prefix="public") == [GALLERY, *ALL]
    with pytest.raises(AssertionError, match="send credentials"):
        found(gallery, "anonymous", prefix="")


def test_filters_say_what_fields_hold(gallery: Gateway) -> None:
    cells, deja, model = f"{GALLERY}/cells", f"{GALLERY}/deja", f"{SHELF}/model"
    assert found(gallery, filters={"type": "dataset"}) == [cells, deja]
    assert found(gallery, filters={"name": "*cells*"}) == [model]
    assert found(gallery, filters={"name": ["C*", "D*"]}) == [cells, deja]
    assert found(gallery, filters={"size": {"gte": 3, "lt": 12}}) == [deja]
    assert found(gallery, filters={"tags": "2d"}) == [cells]
    assert found(gallery, filters={"license.spdx": "MIT"}) == [model]
    assert found(gallery, filters={"license.spdx": None, "type": "dataset"}) == [cells, deja]
    assert found(gallery, filters={"_prefix": f"{SHELF}/*"}) == [model]
    assert found(gallery, keywords=["model"], filters={"size": 3}) == []
    assert found(gallery, keywords=["model"], filters={"size": 3}, mode="OR") == [deja, model]


def test_summaries_are_paged_in_any_order(gallery: Gateway) -> None:
    by_size = gallery.rpc("children", prefix=GALLERY, order_by="-size", limit=2)
    assert by_size == {
        "items": [
            {
                "_prefix": f"{GALLERY}/cells",
                "name": "Cells",
                "size": 12,
                "_stats": {"download_count": 0, "view_count": 0},
            },
            {
                "_prefix": f"{GALLERY}/deja",
                "name": "Déjà vu",
                "size": 3,
                "_stats": {"download_count": 0, "view_count": 0},
            },
        ],
        "total": 4,
        "offset": 0,
        "limit": 2,
    }
    rest = gallery.rpc("children", prefix=GALLERY, order_by=["-size", "_prefix"], offset=2)
    assert [item["_prefix"] for item in rest["items"]] == [SHELF, f"{SHELF}/model"]
    assert rest["items"][1]["license"] == {"spdx": "MIT"}
    assert gallery.rpc("children", prefix=GALLERY, offset=9)["items"] == []
    items = gallery.rpc("search", prefix=GALLERY, filters={"type": "model"})
    assert [item["_prefix"] for item in items] == [f"{SHELF}/model"]


def test_writers_search_what_is_being_edited(gallery: Gateway) -> None:
    edited, new = f"{GALLERY}/cells", f"{GALLERY}/new"
    assert found(gallery, "write", stage=True) == [edited, new]
    assert found(gallery, "write", stage=True, keywords=["edited"]) == [edited]
    assert found(gallery, "write", stage=True, order_by="-name") == [new, edited]
    with pytest.raises(RpcError) as refused:
        found(gallery, "read", stage=True)
    assert refused.value.status == 403


def test_the_collection_itself_is_current(gallery: Gateway) -> None:
    for key, prefix, count in (("read", "", 7), ("anonymous", "public", 5)):
        root = call(gallery, "read", key, prefix=prefix, silent=True)
        assert root["_child_count"] == count == len(root["collection"])
    shown = gallery.rpc("read", prefix=GALLERY, silent=True)
    assert [member["_prefix"] for member in shown["collection"]] == ALL
    assert shown["_child_count"] == len(ALL)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"prefix": f"{GALLERY}/cells"}, 404, "NoSuchArtifact"),
        ({"prefix": "nowhere"}, 404, "NoSuchArtifact"),
        ({"prefix": GALLERY, "mode": "NOT"}, 400, "InvalidArgument"),
        ({"prefix": GALLERY, "filters": {"a\ud800": 1}}, 400, "InvalidArgument"),
        ({"prefix": GALLERY, "filters": {"a": "\0"}}, 400, "InvalidArgument"),
        ({"prefix": GALLERY, "order_by": "a' DESC; --"}, 200, ""),
        ({"prefix": GALLERY, "keywords": ['"quoted" OR x', "')"]}, 200, ""),
    ],
)
def test_what_is_asked_is_read_or_refused(
    gallery: Gateway, arguments: Document, status: int, code: str
) -> None:
    assert refusal(lambda: gallery.rpc("children", **arguments)) == (status, code)
