"""Which artifact a key belongs to, and which names are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.layout import (
    Node,
    Place,
    Role,
    ancestors,
    check_path,
    check_prefix,
    is_public,
    join,
    place,
)
from gateway.errors import InvalidPath, KeyTooLong

GALLERY = Node("gallery", collection=True)
DATASET = Node("gallery/x", collection=False)
ROOT = Node("", collection=True)

HARMLESS_NAMES = [
    "data.csv",
    "a b/ü/日本.txt",
    "'; DROP TABLE artifact; --.csv",
    "<script>alert(1)</script>.html",
    "100%/%2e%2e/x",
    "...",
    "a..b/.hidden",
    "sub/manifest.yaml",
    "sub/_manifest.yaml",
    "Manifest.yaml",
    "a:b?c=d#e&f+g",
    "~$x*[0]{1}.csv",
]
REFUSED_PATHS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "a\\b",
    "..\\x",
    "a\x00b",
    "a\nb",
    "a\x7f",
    "a\x85b",
    "a\ud800",
    "manifest.yaml",
    "_manifest.yaml",
    "manifest.yaml/x",
    "_manifest.yaml/x",
    "x" * 1025,
    "é" * 513,
]

segments = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), min_size=1, max_size=8
).filter(lambda text: text not in {".", "..", "manifest.yaml", "_manifest.yaml"})
prefixes = st.lists(segments, min_size=1, max_size=5).map("/".join)


def test_ancestors_are_nearest_first_and_end_with_the_root() -> None:
    assert ancestors("a/b/c.csv") == ("a/b", "a", "")
    assert ancestors("c.csv") == ("",)
    assert ancestors("a/b/") == ("a/b", "a", "")


@given(prefixes, segments, st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_key_directly_below_an_artifact_is_that_ones_file_whatever_else_is_there(
    prefix: str, path: str, collections: list[bool]
) -> None:
    key = join(prefix, check_path(path, collection=collections[0]))
    there = ancestors(key)
    assert there[0] == prefix
    nodes = [Node(one, kind) for one, kind in zip(there, collections, strict=False)]
    assert place(key, nodes) == Place(Role.FILE, prefix, path)


def test_ancestors_leave_out_what_can_be_no_prefix() -> None:
    assert ancestors("a//b/c") == ("a", "")
    assert ancestors("/a/b") == ("",)
    assert ancestors("a/../b/c") == ("a", "")
    assert ancestors("a/manifest.yaml/b/c") == ("a", "")


@given(prefixes, segments)
def test_every_ancestor_is_a_valid_prefix_that_the_key_is_below(prefix: str, name: str) -> None:
    key = f"{prefix}/{name}"
    found = ancestors(key)
    assert found[0] == prefix
    for ancestor in found:
        assert check_prefix(ancestor) == ancestor
        assert not ancestor or key.startswith(ancestor + "/")


@pytest.mark.parametrize(
    ("key", "nodes", "expected"),
    [
        ("a/b.csv", [], Place(Role.ORDINARY, "", "a/b.csv")),
        ("b.csv", [], Place(Role.ORDINARY, "", "b.csv")),
        ("a/b/manifest.yaml", [], Place(Role.MANIFEST, "a/b", "manifest.yaml")),
        ("a/b/_manifest.yaml", [], Place(Role.STAGED_MANIFEST, "a/b", "_manifest.yaml")),
        ("manifest.yaml", [], Place(Role.MANIFEST, "", "manifest.yaml")),
        ("a/my_manifest.yaml", [], Place(Role.ORDINARY, "", "a/my_manifest.yaml")),
        ("a/", [], Place(Role.MARKER, "", "a/")),
    ],
)
def test_place_without_an_artifact(key: str, nodes: list[Node], expected: Place) -> None:
    assert place(key, nodes) == expected


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("data.csv", Role.FILE),
        ("sub/data.csv", Role.FILE),
        ("manifest.yaml", Role.MANIFEST),
        ("_manifest.yaml", Role.STAGED_MANIFEST),
        ("sub/manifest.yaml", Role.FILE),
        ("sub/_manifest.yaml", Role.FILE),
        ("sub//x", Role.FILE),
        ("", Role.MARKER),
        ("sub/", Role.MARKER),
    ],
)
def test_a_dataset_owns_everything_below_it(path: str, role: Role) -> None:
    expected = Place(role, "gallery/x", path)
    assert place(f"gallery/x/{path}", [DATASET, GALLERY]) == expected
    assert place(f"gallery/x/{path}", [GALLERY, DATASET]) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("cover.png", Place(Role.FILE, "gallery", "cover.png")),
        ("manifest.yaml", Place(Role.MANIFEST, "gallery", "manifest.yaml")),
        ("_manifest.yaml", Place(Role.STAGED_MANIFEST, "gallery", "_manifest.yaml")),
        ("y/manifest.yaml", Place(Role.MANIFEST, "gallery/y", "manifest.yaml")),
        ("y/z/_manifest.yaml", Place(Role.STAGED_MANIFEST, "gallery/y/z", "_manifest.yaml")),
        ("y/data.csv", Place(Role.ARRIVING, "gallery/y", "data.csv")),
        ("y/z/data.csv", Place(Role.ARRIVING, "gallery/y", "z/data.csv")),
        ("y/", Place(Role.MARKER, "gallery", "y/")),
    ],
)
def test_a_collection_owns_only_what_is_directly_below_it(path: str, expected: Place) -> None:
    assert place(f"gallery/{path}", [GALLERY]) == expected


@pytest.mark.parametrize("path", ["../manifest.yaml", "/manifest.yaml", "y//manifest.yaml"])
def test_a_manifest_in_no_valid_directory_makes_no_artifact(path: str) -> None:
    assert place(f"gallery/{path}", [GALLERY]).role is Role.ARRIVING
    assert place(f"other/{path}", []).role is Role.ORDINARY


def test_a_root_collection_leaves_deeper_keys_to_members() -> None:
    assert place("x.csv", [ROOT]) == Place(Role.FILE, "", "x.csv")
    assert place("a/x.csv", [ROOT]) == Place(Role.ARRIVING, "a", "x.csv")
    assert place("a/manifest.yaml", [ROOT]) == Place(Role.MANIFEST, "a", "manifest.yaml")
    assert place("gallery/x.csv", [GALLERY, ROOT]) == Place(Role.FILE, "gallery", "x.csv")


def test_a_sibling_whose_name_begins_alike_owns_nothing() -> None:
    assert place("gallery2/x.csv", [GALLERY]) == Place(Role.ORDINARY, "", "gallery2/x.csv")


@given(prefixes, prefixes, st.booleans())
def test_prefix_and_path_of_a_place_make_the_key(prefix: str, path: str, collection: bool) -> None:  # noqa: FBT001
    node = Node(prefix, collection=collection)
    found = place(f"{prefix}/{path}", [node])
    assert join(found.prefix, found.path) == f"{prefix}/{path}"
    assert found.role is not Role.ORDINARY


@pytest.mark.parametrize("path", HARMLESS_NAMES)
def test_odd_but_harmless_names_are_paths(path: str) -> None:
    assert check_path(path) == path
    assert join("a/b", path) == f"a/b/{path}"


@pytest.mark.parametrize("path", REFUSED_PATHS, ids=lambda path: ascii(path)[:30])
def test_paths_that_leave_or_name_no_file_are_refused(path: str) -> None:
    with pytest.raises(InvalidPath) as refusal:
        check_path(path)
    assert len(refusal.value.message) < 300


def test_a_collections_path_has_no_slash() -> None:
    assert check_path("cover.png", collection=True) == "cover.png"
    with pytest.raises(InvalidPath, match="member"):
        check_path("member/data.csv", collection=True)


@pytest.mark.parametrize("prefix", ["", "a", "public/collections/gallery/example", "a b/ü"])
def test_prefixes(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix",
    ["/", "/a", "a/", "a//b", "..", "a/../b", "a\\b", "a\nb", "a/manifest.yaml", "a" * 1010],
)
def test_prefixes_that_no_artifact_can_have_are_refused(prefix: str) -> None:
    with pytest.raises(InvalidPath):
        check_prefix(prefix)


def test_the_longest_prefix_leaves_room_for_its_manifest() -> None:
    longest = "a" * (1024 - len("/_manifest.yaml"))
    assert len(join(check_prefix(longest), "_manifest.yaml")) == 1024
    with pytest.raises(KeyTooLong):
        join(longest, "_manifest.yaml2")


def test_join_counts_bytes_not_characters() -> None:
    assert join("é" * 511, "x") == "é" * 511 + "/x"
    with pytest.raises(KeyTooLong):
        join("é" * 511, "xy")


def test_public_is_public_and_what_is_below_it() -> None:
    assert is_public("public")
    assert is_public("public/x")
    assert not is_public("publicity/x")
    assert not is_public("a/public/x")
    assert not is_public("")
