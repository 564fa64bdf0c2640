"""What a caller may give to others: only what it administers itself."""

from collections.abc import Mapping

from gateway import syntax
from gateway.errors import AccessDenied, InvalidArgument
from gateway.identity import EVERY_WORKSPACE, Caller, Grants, Right, parse_grants


def administered(caller: Caller) -> Grants:
    """The grants of `admin` that the caller holds; AccessDenied when there are none."""
    rights = caller.grants.rights
    held = {name: right for name, right in rights.items() if right >= Right.ADMIN}
    if not held:
        raise AccessDenied("This needs the right 'admin' on a workspace.")
    return Grants(held)


def administers(caller: Caller, grants: Grants) -> bool:
    """Whether the caller administers each workspace of `grants`, `*` as `*`."""
    held = administered(caller).rights
    return EVERY_WORKSPACE in held or all(name in held for name in grants.rights)


def given(caller: Caller, document: Mapping[str, str]) -> Grants:
    """The grants that the caller gives, at least one.

    InvalidArgument where they can't be read; AccessDenied for one on a workspace (or `*`)
    that the caller does not administer.
    """
    try:
        grants = parse_grants(document)
    except ValueError as error:
        raise InvalidArgument(f"grants: {error}.", ArgumentName="grants") from None
    if not grants.rights:
        raise InvalidArgument("grants names no workspace.", ArgumentName="grants")
    for name in grants.rights:
        if name != EVERY_WORKSPACE and (flaw := syntax.bucket_name_flaw(name)):
            raise InvalidArgument(f"grants: {flaw}.", ArgumentName="grants")
        if not administers(caller, Grants({name: Right.ADMIN})):
            raise AccessDenied(
                f"This needs the right 'admin' on workspace {name!r}; {caller.name!r} lacks it."
            )
    return grants
