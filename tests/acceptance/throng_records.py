"""What a throng was told and shown, held against the artifact's commit records."""

from collections.abc import Sequence

import yaml

from gateway.artifact.record import decode, decode_workspace
from gateway.artifact.record_key import record_folder
from gateway.artifact.version import Record
from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.model import MANIFEST
from tests.acceptance.throng import Account, Etags, body_of, etag_of


def records_of(gateway: Gateway, prefix: str) -> Sequence[Record]:
    """The artifact's commit records, as the system area holds them, by their numbers."""
    system: Document = gateway.configuration()["system"]
    client, bucket, area = gateway.backend.client(), system["bucket"], system["prefix"]

    def below(folder: str) -> list[bytes]:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{area}{folder}"
        )
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in sorted(keys)]

    workspaces = [decode_workspace(data) for data in below("workspaces/")]
    (identity,) = [each.id for each in workspaces if each.name == WORKSPACE]
    return [decode(data) for data in below(record_folder(identity, prefix))]


def check_records(account: Account, records: Sequence[Record], versions: Document) -> None:
    """Assert that the history has no gap, and everything that was acknowledged."""
    numbers = [record.number for record in records]
    assert numbers == list(range(1, len(records) + 1))
    assert [record.parent for record in records] == [number - 1 for number in numbers]
    assert [each["version"] for each in versions] == numbers[::-1]
    messages = {each["version"]: each["message"] for each in versions}
    lost = {
        version: told
        for version, told in account.promised.items()
        if version not in messages or (messages[version] not in told and not account.idle)
    }
    assert not lost, f"acknowledged, and not in versions: {lost}"
    stored = {etag_of(each.manifest.data) for each in records if each.manifest is not None}
    assert not set(account.manifests) - stored, "committed through S3, and in no record"


def held_by(record: Record) -> Etags:
    """What a version holds, by its record: ETags of its files and of its manifest."""
    assert record.manifest is not None
    held = {pin.path: pin.etag.strip('"') for pin in record.pins}
    return {**held, MANIFEST: etag_of(record.manifest.data)}


def check_sights(account: Account, records: Sequence[Record]) -> None:
    """Assert that each sight was of one version, and of none that was over when it was asked."""
    versions = dict(enumerate(map(held_by, records), start=1))
    wrong = []
    for sight in account.sights:
        fitting = [number for number, held in versions.items() if sight.is_of(held)]
        fine = sight.version in fitting if sight.version else max(fitting, default=0) >= sight.floor
        if not fine:
            wrong.append(f"{sight} is of {fitting or 'no version'}")
    assert not wrong, f"{len(wrong)} sights: {wrong[:3]}"


def check_whole(records: Sequence[Record]) -> None:
    """Assert that each version holds exactly the files of the edit that its manifest names."""
    for record in records:
        assert record.manifest is not None
        fields = yaml.safe_load(record.manifest.data)
        wanted = {path: etag_of(body_of(fields["token"], path)) for path in fields["carries"]}
        assert {pin.path: pin.etag.strip('"') for pin in record.pins} == wanted, record.number
