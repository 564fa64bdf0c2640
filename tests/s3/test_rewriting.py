"""Listings rewritten whole are what the translator makes of them, and hide what it hides."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML
from gateway.s3 import rewriting
from gateway.s3.address import KeyRules
from gateway.s3.listing import Entry, Listing, ListingKind, Owner, render_listing
from gateway.s3.naming import Names
from gateway.s3.rewriting import Hiding, Rewriter, rewrite
from gateway.s3.runs import KINDS, cut
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

SCRAPS = [
    b"</Key>",
    b"<Key>",
    b"<Key>a/y",
    b"</Contents>",
    b"<Contents>",
    b"</Key></Contents><Contents><Key>a/y",
    b"</Key></Contents><Contents><Key>a/",
    b"</Key><Size>1</Size></Contents><Contents><Key>other/y",
    b"<Key >",
    b"<x:Key>",
    b"</x:Key>",
    b".versions",
    b"%2Eversions",
    b"&#46;versions",
    b"&#39;",
    b"<!--",
    b"-->",
    b"<Prefix>",
    b"</Prefix>",
    b"<Owner>",
    b"</Owner>",
]


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


@pytest.mark.parametrize(
    "entry",
    [
        "<Contents><Key>a/it&#39;s &#34;x&#34; &amp; 100%.csv</Key><ETag>&#34;</ETag></Contents>",
        "<Version><Key>a/Version</Key><VersionId>v</VersionId><IsLatest>true</IsLatest></Version>",
        "<CommonPrefixes><Prefix>a/Key?/!/</Prefix></CommonPrefixes>",
        "<Contents><Key>a/Contents</Key><Owner><ID>Key: Prefix!</ID></Owner></Contents>",
    ],
)
def test_what_names_look_like_does_not_make_a_run_slow(entry: str) -> None:
    entries = (entry * 3).encode()
    run = next(run for beginning, run in KINDS.items() if entries.startswith(beginning))
    found = cut(entries, run, "a/", (".versions", ".uploads"))
    assert found == entries.replace(run.beginning + b"a/", run.beginning)


@given(st.lists(st.sampled_from(SCRAPS), max_size=12), st.sampled_from([b"", b"a/"]))
def test_a_run_is_cut_as_the_translator_would_or_not_at_all(
    scraps: list[bytes], key: bytes
) -> None:
    run = KINDS[b"<Contents><Key>"]
    entries = b"<Contents><Key>a/x" + b"".join(scraps) + b"</Contents>"
    prefix = key.decode()
    found = cut(entries, run, prefix, (".versions",))
    if found is None:
        return
    assert all(b".versions" not in name for name in re.findall(rb"<Key>([^<]*)", found))
    document = b"<ListBucketResult>%b</ListBucketResult>"
    names = Names("shown", "b", prefix)
    with suppress(MalformedXML):  # what is none is the client's to refuse
        expected = translate(document % entries, names, HIDING.hides, encoded=True)
        assert expected == document % found


@pytest.mark.parametrize("number", [1, 400])
def test_long_runs_are_looked_at_stretch_by_stretch(number: int) -> None:
    odd = "<Contents><Key>a/x.versions/v</Key></Contents><Contents><Key>other/y</Key></Contents>"
    plain = f"<Contents><Key>a/{'x' * 200}</Key></Contents>" * number
    document = f"<ListBucketResult>{plain}{odd}{plain}</ListBucketResult>".encode()
    names = Names("shown", "b", "a/")
    assert rewrite(document, names, HIDING) == translate(document, names, HIDING.hides)
    assert rewrite(document, names, HIDING).count(b"<Key>") == 2 * number


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
        "<Contents><Key>a/x</Key><Key b='c'>other/secret</Key></Contents>",
        "<Contents><Key>a/x</Key><Key >other/secret</Key></Contents>",
        "<Contents><Key>a/x</Key ></Contents><Contents><Key>a/y</Key></Contents>",
        "<Contents><Key>a/x</Key><x:Key xmlns:x='y' b='c'>other/secret</x:Key></Contents>",
        "<Contents><Key>a/x</Key><CommonPrefixes><Prefix>other/</Prefix></CommonPrefixes></Contents>",
        "<Contents><Key>a/x<Size>1</Size></Key></Contents><Contents><Key>a/y</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents></Contents><Contents><Key>a/y</Key></Contents>",
        "<Contents><Key>a/x</Key><Owner><Key>a/y</Key></Owner></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents b='c'><Key>other/y</Key></Contents>",
        "<Contents><Key>a/x&#x2e;versions/v</Key></Contents>",
        "<Contents><Key>a/x&#37;2Eversions/v</Key></Contents>",
        "<Contents><Key>a/x</Key></Contents><Contents><Key>%61/y</Key></Contents>",
        "<Contents><Key>a/>Key></Key></Contents><Contents><Key>a/y</Key></Contents>",
        "<Version><Key>a/x</Key><VersionId>Version</VersionId></Version>",
        "<CommonPrefixes><Prefix>a/x/</Prefix><Key>b</Key></CommonPrefixes>",
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
