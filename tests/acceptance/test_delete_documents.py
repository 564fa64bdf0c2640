"""Lists of deletions that different readers of XML read in different ways."""

import base64
import hashlib

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import content, publish

ORDINARY = "<Object><Key>nothing</Key></Object>"
TWO_WAYS = {
    "a namespace's prefix": ORDINARY + "<x:Object xmlns:x='urn:x'>{}</x:Object>",
    "prefixes within": "<Object><Key>no</Key><x:Key xmlns:x='urn:x'>{key}</x:Key>{id}</Object>",
    "a key given twice": "<Object><Key>nothing</Key>{}</Object>",
    "the last key first": "<Object>{}<Key>nothing</Key></Object>",
    "an object in an object": ORDINARY.replace("</Object>", "<Object>{}</Object></Object>"),
    "objects deeper down": ORDINARY + "<More><Object>{}</Object></More>",
    "elements in a key": "<Object><Key>noth<b>{key}</b>ing</Key>{id}</Object>",
}


@pytest.mark.parametrize("name", TWO_WAYS)
def test_lists_that_can_be_read_in_two_ways_delete_nothing(
    gateway: Gateway, prefix: str, name: str
) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    key = f"{prefix}/data.csv"
    version = gateway.s3().head_object(Bucket=WORKSPACE, Key=key)["VersionId"]
    named = {"key": key, "id": f"<VersionId>{version}</VersionId>"}
    objects = TWO_WAYS[name].format(f"<Key>{key}</Key>{named['id']}", **named)
    body = f"<Delete>{objects}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    answer = gateway.signed(
        "POST", f"/{WORKSPACE}?delete", headers={"Content-MD5": digest}, body=body
    )
    assert (answer.status, b"<Code>MalformedXML</Code>" in answer.body) == (400, True)
    kept = gateway.s3().get_object(Bucket=WORKSPACE, Key=key, VersionId=version)
    assert kept["Body"].read() == b"committed"
    assert content(gateway.s3(), key) == b"committed"


def test_a_list_with_files_of_artifacts_has_at_most_a_thousand(
    gateway: Gateway, prefix: str
) -> None:
    publish(gateway, prefix, {"data.csv": b"committed"})
    entry = f"<Object><Key>{prefix}/data.csv</Key></Object>"
    body = f"<Delete>{entry * 1001}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    answer = gateway.signed(
        "POST", f"/{WORKSPACE}?delete", headers={"Content-MD5": digest}, body=body
    )
    assert (answer.status, b"<Code>MalformedXML</Code>" in answer.body) == (400, True)
    assert content(gateway.s3(), f"{prefix}/data.csv") == b"committed"
