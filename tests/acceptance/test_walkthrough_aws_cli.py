"""The walk-through with nothing but aws-cli: `s3 cp`, `s3 sync`, `s3 mv`, `s3 ls`."""

from pathlib import Path

import yaml

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import (
    contents,
    downloads_of,
    keys_below,
    manifest,
    read_folder,
    version_of,
    write_folder,
)

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "type": {"enum": ["dataset", "model"]}},
    "required": ["name", "type"],
}
DATA = b"x,y\n1,2\n" * 500


def test_the_walk_through_with_aws_cli(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    gallery, example = f"{prefix}/gallery", f"{prefix}/gallery/example"
    there = f"s3://{WORKSPACE}/{example}"
    collection = manifest(type="collection", name="Gallery", collection_schema=SCHEMA)
    write_folder(tmp_path / "gallery", {"manifest.yaml": collection})
    source = tmp_path / "gallery" / "manifest.yaml"
    gateway.aws("s3", "cp", source, f"s3://{WORKSPACE}/{gallery}/manifest.yaml")
    assert version_of(gateway, gallery) == 1

    # Staged: whoever writes sees it, whoever reads does not.
    folder = write_folder(
        tmp_path / "example",
        {"_manifest.yaml": manifest(name=7), "data.csv": DATA, "more/data.csv": b"more"},
    )
    gateway.aws("s3", "sync", folder, there, "--metadata", "download-weight=0.5")
    assert keys_below(gateway.s3(), example) == {
        "_manifest.yaml": len(manifest(name=7)),
        "data.csv": len(DATA),
        "more/data.csv": 4,
    }
    assert keys_below(gateway.s3("read"), example) == {}

    # The schema refuses: nothing is committed, and the stage is as it was.
    staged, committed = f"{there}/_manifest.yaml", f"{there}/manifest.yaml"
    outcome = gateway.aws("s3", "mv", staged, committed, code=1)
    assert "SchemaViolation" in outcome.stderr
    assert "/name" in outcome.stderr
    assert version_of(gateway, example) == 0
    assert "_manifest.yaml" in keys_below(gateway.s3(), example)

    # Corrected, it is accepted.
    good = manifest(name="Example")
    write_folder(tmp_path / "good", {"_manifest.yaml": good})
    gateway.aws("s3", "cp", tmp_path / "good" / "_manifest.yaml", staged)
    gateway.aws("s3", "mv", staged, committed)
    assert version_of(gateway, example) == 1
    published = {"data.csv": DATA, "more/data.csv": b"more", "manifest.yaml": good}
    listed = gateway.aws("s3", "ls", f"s3://{WORKSPACE}/{gallery}/", key="read").stdout
    assert "PRE example/" in listed

    # Downloads count, by their weight, and are reset.
    fetched = tmp_path / "fetched.csv"
    gateway.aws("s3", "cp", f"{there}/data.csv", fetched, key="read")
    assert fetched.read_bytes() == DATA
    assert downloads_of(gateway, example) == 0.5
    gateway.rpc("reset_stats", key="admin", prefix=example)
    assert downloads_of(gateway, example) == 0

    # And the whole comes back as it was put.
    gateway.aws("s3", "sync", there, tmp_path / "copy", key="read")
    assert read_folder(tmp_path / "copy") == published
    assert contents(gateway.s3(), example) == published
    assert yaml.safe_load((tmp_path / "copy" / "manifest.yaml").read_bytes())["name"] == "Example"
