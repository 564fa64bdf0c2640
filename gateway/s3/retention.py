"""The bucket settings on which old versions depend, read strictly and written anew."""

from xml.etree.ElementTree import Element

from gateway.errors import MalformedXML
from gateway.s3.xml import document, element, parse

STATUS, MFA_DELETE = "Status", "MfaDelete"
_VALUES = {STATUS: ("Enabled", "Suspended"), MFA_DELETE: ("Enabled", "Disabled")}
_NONCURRENT = "NoncurrentVersion"
_EXPIRATION = "Expiration"


def parse_versioning(body: bytes) -> dict[str, str]:
    """Status, and MfaDelete where it is given, of a VersioningConfiguration.

    MalformedXML unless there is exactly one Status, and nothing that readers of XML take in
    different ways: an element twice, under a name with a prefix, or with elements in it.
    """
    root = parse(body)
    values: dict[str, str] = {}
    for item in root:
        text = (item.text or "").strip()
        if item.tag in values or len(item) or text not in _VALUES.get(item.tag, ()):
            raise MalformedXML("A VersioningConfiguration holds one Status and one MfaDelete.")
        values[item.tag] = text
    if root.tag != "VersioningConfiguration" or STATUS not in values:
        raise MalformedXML("A VersioningConfiguration has the Status Enabled or Suspended.")
    return values


def render_versioning(values: dict[str, str]) -> bytes:
    """The VersioningConfiguration that `parse_versioning` read, as everybody reads it."""
    return document(
        "VersioningConfiguration",
        *(element(name, values[name]) for name in _VALUES if name in values),
    )


def expires_old_versions(lifecycle: bytes) -> bool:
    """Whether a rule of a lifecycle deletes or moves versions that are not the newest."""
    return any(_local(item).startswith(_NONCURRENT) for item in parse(lifecycle).iter())


def expires_objects(lifecycle: bytes) -> bool:
    """Whether a rule of a lifecycle deletes objects, or puts delete markers over them."""
    return any(_local(item) == _EXPIRATION for item in parse(lifecycle).iter())


def _local(item: Element) -> str:
    return item.tag.rpartition(":")[2]
