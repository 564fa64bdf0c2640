"""The walk-through with nothing but rclone: `copy`, `copyto`, `moveto`, `lsf`."""

from pathlib import Path

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
WEIGHED = [{"path": "data.csv", "download_weight": 0.5}]


def test_the_walk_through_with_rclone(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    gallery, example = f"{prefix}/gallery", f"{prefix}/gallery/example"
    there = f"gw:{WORKSPACE}/{example}"
    collection = manifest(type="collection", name="Gallery", collection_schema=SCHEMA)
    write_folder(tmp_path / "gallery", {"manifest.yaml": collection})
    source = tmp_path / "gallery" / "manifest.yaml"
    gateway.rclone("copyto", source, f"gw:{WORKSPACE}/{gallery}/manifest.yaml")
    assert version_of(gateway, gallery) == 1

    # Staged: whoever writes sees it, whoever reads does not.
    bad, good = manifest(name=7, files=WEIGHED), manifest(name="Example", files=WEIGHED)
    files = {"data.csv": DATA, "more/data.csv": b"more"}
    folder = write_folder(tmp_path / "example", {**files, "_manifest.yaml": bad})
    gateway.rclone("copy", folder, there)
    assert keys_below(gateway.s3(), example).keys() == {*files, "_manifest.yaml"}
    assert keys_below(gateway.s3("read"), example) == {}

    # The schema refuses: nothing is committed, and the stage is as it was.
    staged, committed = f"{there}/_manifest.yaml", f"{there}/manifest.yaml"
    outcome = gateway.rclone("moveto", staged, committed, code=1)
    assert "SchemaViolation" in outcome.stderr
    assert version_of(gateway, example) == 0
    assert "_manifest.yaml" in keys_below(gateway.s3(), example)

    # Corrected, it is accepted.
    write_folder(folder, {**files, "_manifest.yaml": good})
    gateway.rclone("copy", folder, there)
    gateway.rclone("moveto", staged, committed)
    assert version_of(gateway, example) == 1
    listed = gateway.rclone("lsf", f"gw:{WORKSPACE}/{gallery}", key="read").stdout.split()
    assert sorted(listed) == ["example/", "manifest.yaml"]

    # Downloads count, by their weight, and are reset.
    gateway.rclone("copyto", f"{there}/data.csv", tmp_path / "fetched.csv", key="read")
    assert (tmp_path / "fetched.csv").read_bytes() == DATA
    assert downloads_of(gateway, example) == 0.5
    gateway.rpc("reset_stats", key="admin", prefix=example)
    assert downloads_of(gateway, example) == 0

    # And the whole comes back as it was put.
    gateway.rclone("copy", there, tmp_path / "copy", key="read")
    assert read_folder(tmp_path / "copy") == {**files, "manifest.yaml": good}
    assert contents(gateway.s3(), example) == {**files, "manifest.yaml": good}
    gateway.rclone("check", there, tmp_path / "copy", key="read")
