"""Versioning and lifecycle documents are read strictly."""

import pytest

from gateway.errors import MalformedXML
from gateway.s3.retention import (
    expires_old_versions,
    expiring_prefixes,
    parse_versioning,
    render_versioning,
)

ROOT = "VersioningConfiguration"


def versioning(inner: str, root: str = ROOT) -> bytes:
    return f'<{root} xmlns:q="urn:x">{inner}</{root}>'.encode()


def lifecycle(*rules: str) -> bytes:
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    return f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>".encode()


def test_what_was_read_is_written_plainly() -> None:
    values = parse_versioning(versioning("<Status> Enabled </Status>"))
    assert values == {"Status": "Enabled"}
    assert b"<Status>Enabled</Status></VersioningConfiguration>" in render_versioning(values)
    both = parse_versioning(versioning("<MfaDelete>Disabled</MfaDelete><Status>Suspended</Status>"))
    assert parse_versioning(render_versioning(both)) == both


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<Status></Status>",
        "<Status>enabled</Status>",
        "<Status>Enabled</Status><Status>Suspended</Status>",
        "<Status>Enabled</Status><Status>Enabled</Status>",
        "<q:Status>Enabled</q:Status>",
        "<Status>Enabled</Status><q:Status>Suspended</q:Status>",
        "<Status>Enabled<Status>Suspended</Status></Status>",
        "<Status>Enabled</Status><Other>x</Other>",
        "<MfaDelete>Disabled</MfaDelete>",
    ],
)
def test_ambiguous_versioning_is_refused(inner: str) -> None:
    with pytest.raises(MalformedXML):
        parse_versioning(versioning(inner))


def test_another_document_is_no_versioning() -> None:
    with pytest.raises(MalformedXML):
        parse_versioning(versioning("<Status>Enabled</Status>", "Other"))


@pytest.mark.parametrize("name", ["NoncurrentVersionExpiration", "q:NoncurrentVersionTransition"])
def test_rules_on_old_versions_are_seen(name: str) -> None:
    rule = f'<{name} xmlns:q="urn:x"><NoncurrentDays>1</NoncurrentDays></{name}>'
    assert expires_old_versions(lifecycle(rule))
    assert not expires_old_versions(lifecycle("<Expiration><Days>1</Days></Expiration>"))


def test_prefixes_of_what_expires_are_seen() -> None:
    days, date = (
        "<Expiration><Days>1</Days></Expiration>",
        "<Expiration><Date>x</Date></Expiration>",
    )
    document = lifecycle(
        f"<Prefix>old/</Prefix>{days}",
        f"<Filter><Prefix>tmp/</Prefix></Filter>{date}",
        f"<Filter><And><Prefix>a</Prefix><Tag/></And></Filter>{days}",
        f"<Prefix>one</Prefix><Filter><Prefix>two</Prefix></Filter>{days}",
        days,
        "<Prefix>m</Prefix><Expiration><ExpiredObjectDeleteMarker>true"
        "</ExpiredObjectDeleteMarker></Expiration>",
    )
    assert expiring_prefixes(document) == ["old/", "tmp/", "a", "", ""]
