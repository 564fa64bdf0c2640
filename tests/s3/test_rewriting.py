"""Listings rewritten whole are what the translator makes of them, and hide what it hides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML
from gateway.s3 import rewriting
from gateway.s3.address import KeyRules
from gateway.s3.listing import Entry, Listing, ListingKind, Owner, render_listing
from gateway.s3.naming import Names
from gateway.s3.rewriting import Hiding, Rewriter, rewrite
from gateway.s3.translation import Translator, translate

RULES = KeyRules(
    folds=True,
    private_suffixes=(".versions",),
    private_segments=(".uploads",),
    bytewise_listing=False,
)
HIDING = Hiding((".versions", ".uploads"), RULES.is_private)
NOTHING = Hiding((), RULES.is_private)
NAMES = Names("shown", "backend-bucket", "team a/ä/")
NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12
)
KEYS = st.lists(
    st.one_of(
        NAME.map("team a/ä/{}".format),
        st.sampled_from(["team a/ä/x.versions/v_1", "team a/ä/.uploads/1", "elsewhere/x"]),
    ),
    max_size=6,
)


def listed(keys: list[str], folders: list[str], *, encoded: bool) -> bytes:
    return render_listing(
        Listing(
            ListingKind.OBJECTS_V2,
            "backend-bucket",
            prefix="team a/ä/",
            next_token="t",
            url_encoded=encoded,
            entries=tuple(Entry(key, "2026-01-01", '"e"', 1, owner=Owner("Key")) for key in keys),
            common_prefixes=tuple(folders),
        )
    )


@given(KEYS, KEYS, st.sampled_from([HIDING, NOTHING, None]), st.integers(1, 400))
def test_it_is_what_the_translator_makes_of_it_in_whatever_pieces(
    keys: list[str], folders: list[str], hiding: Hiding | None, size: int
) -> None:
    for encoded in (False, True):
        document = listed(keys, folders, encoded=encoded)
        for names in (NAMES, Names("shown", "backend-bucket")):
            hides = None if hiding is None else hiding.hides
            expected = translate(document, names, hides, encoded=encoded)
            rewriter = Rewriter(names, hiding, encoded=encoded)
            said = b"".join(
                rewriter.feed(document[start : start + size])
                for start in range(0, len(document), size)
            )
            assert said + rewriter.close() == expected


def test_ordinary_listings_need_no_look_at_each_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []

    class Measured(Translator):
        def feed(self, data: bytes) -> bytes:
            fed.append(len(data))
            return super().feed(data)

    monkeypatch.setattr(rewriting, "Translator", Measured)
    keys = [f"team a/ä/{number:04d}.csv" for number in range(1000)]
    for encoded in (False, True):
        document = listed(keys, ["team a/ä/d/"], encoded=encoded)
        found = rewrite(document, NAMES, HIDING, encoded=encoded)
        assert b"<Key>0000.csv</Key>" in found
        assert b"<CommonPrefixes><Prefix>d/</Prefix>" in found
    assert sum(fed) < 1000


def test_entries_come_before_the_next_piece_does() -> None:
    document = listed(["team a/ä/x", "team a/ä/y"], [], encoded=False)
    rewriter = Rewriter(NAMES, HIDING)
    assert rewriter.feed(document[: document.index(b"team a/\xc3\xa4/y")]).endswith(b"</Contents>")
    assert b"<Key>y</Key>" in rewriter.feed(document[document.index(b"team a/\xc3\xa4/y") :])


@pytest.mark.parametrize(
    "entry",
    [
        "<Contents><Key>a/x</Key><x:Key xmlns:x='y'>other/secret</x:Key></Contents>",
        "<Contents><Key>a/x</Key><Key>other/secret</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents ><Key>other/secret</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents><Size>1</Size><Key>other/y</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><!-- <Contents><Key>a/y</Key></Contents> -->",
        "<Contents><Key>a/x</Key></Contents><Contents><Key><![CDATA[other/y]]></Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents><Key>a/</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents>\n<Contents><Key>a/y</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents><Key>a%2Fy</Key></Contents>",
        "<Contents><Key>a/x%2Eversions/v</Key></Contents>",
        "<Contents><Key>a/x&#46;versions/v</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Name>b</Name><Contents><Key>a/y</Key></Contents>",
        "<Contents><Key>a/x</Key><?p <Contents><Key>a/?></Contents>",
    ],
)
def test_what_is_not_uniform_is_looked_at_tag_by_tag(entry: str) -> None:
    names = Names("shown", "b", "a/")
    document = f"<ListBucketResult><Name>b</Name>{entry}</ListBucketResult>".encode()
    expected = translate(document, names, HIDING.hides, encoded=True)
    assert rewrite(document, names, HIDING, encoded=True) == expected


@pytest.mark.parametrize(
    "document",
    [
        b"<ListBucketResult><Contents><Key>a/x</Key></Contents>",
        b"<ListBucketResult><Contents><Key>a/x</Key></Contents></Other>",
        b"<ListBucketResult><Contents><Key>a/x</Key>",
    ],
)
def test_a_listing_that_breaks_off_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedXML):
        rewrite(document, Names("shown", "b", "a/"), HIDING, encoded=False)
