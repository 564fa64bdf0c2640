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


def expiring_prefixes(lifecycle: bytes) -> list[str]:
    """The prefixes of the keys whose newest version some rule of a lifecycle takes away.

    "" for a rule that names no prefix, or several. Rules count whether they are enabled or not.
    """
    found = []
    for rule in parse(lifecycle).iter():
        if _local(rule) != "Rule" or not any(_ends_objects(item) for item in rule.iter()):
            continue
        prefixes = [item.text or "" for item in rule.iter() if _local(item) == "Prefix"]
        found.append(prefixes[0] if len(prefixes) == 1 else "")
    return found


def _ends_objects(item: Element) -> bool:
    # What takes away delete markers alone takes no object.
    return _local(item) == _EXPIRATION and any(_local(child) in ("Days", "Date") for child in item)


def _local(item: Element) -> str:
    return item.tag.rpartition(":")[2]
