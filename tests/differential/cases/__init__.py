"""The cases, by what they are about."""

from tests.differential.cases import (
    checksums,
    copies,
    forms,
    keys,
    listings,
    malformed,
    multipart,
    presigned,
    reading,
    service,
    settings,
    subresources,
    uploads,
    versions,
    writing,
)

SCENES = tuple(
    scene
    for module in (
        reading,
        writing,
        keys,
        listings,
        versions,
        multipart,
        uploads,
        copies,
        checksums,
        subresources,
        settings,
        presigned,
        forms,
        malformed,
        service,
    )
    for scene in module.SCENES
)
"""Every scene."""
