"""The document of CreateBucket, read strictly and written anew."""

from dataclasses import dataclass

from gateway.errors import MalformedXML, NotImplementedByGateway
from gateway.s3.xml import document, element, parse, wrap

ROOT = "CreateBucketConfiguration"
DEFAULT_REGION = "us-east-1"
"""The region that has no LocationConstraint."""


@dataclass(frozen=True, slots=True)
class Creation:
    """What a CreateBucket asks for: a region, "" where it says none, and tags."""

    region: str = ""
    tags: tuple[tuple[str, str], ...] = ()


def parse_creation(body: bytes) -> Creation:
    """What the body of a CreateBucket says; MalformedXML.

    NotImplementedByGateway for directory buckets, which are no place for a workspace.
    """
    if not body.strip():
        return Creation()
    root = parse(body)
    values: dict[str, str] = {}
    tags: list[tuple[str, str]] = []
    for item in root:
        if item.tag in ("Location", "Bucket"):
            raise NotImplementedByGateway("a workspace can't be a directory bucket")
        if item.tag == "Tags":
            tags += [(tag.findtext("Key", ""), tag.findtext("Value", "")) for tag in item]
        elif item.tag == "LocationConstraint" and item.tag not in values and not len(item):
            values[item.tag] = (item.text or "").strip()
        else:
            raise MalformedXML("A CreateBucketConfiguration has one LocationConstraint, and Tags.")
    if root.tag != ROOT:
        raise MalformedXML(f"The document of CreateBucket is a {ROOT}.")
    return Creation(values.get("LocationConstraint", ""), tuple(tags))


def render_creation(creation: Creation) -> bytes:
    """The body that asks for it; nothing at all where there is nothing to ask for."""
    region = "" if creation.region == DEFAULT_REGION else creation.region
    tags = [
        wrap("Tag", element("Key", key), element("Value", value)) for key, value in creation.tags
    ]
    if not region and not tags:
        return b""
    return document(
        ROOT, element("LocationConstraint", region or None), wrap("Tags", *tags) if tags else ""
    )
