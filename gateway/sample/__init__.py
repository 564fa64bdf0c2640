"""The sample gallery: folders to publish, and what puts them into a running gateway."""

from importlib import import_module

from gateway.identity import AccessKey

PREFIX = "public/gallery"


class NotLoaded(Exception):
    """The sample gallery could not be put there; the message says why."""


def load(url: str, key: AccessKey, workspace: str) -> int:
    """The number of artifacts put below PREFIX: those that were not there yet.

    It speaks to the gateway at `url`, and blocks while it does; NotLoaded.
    """
    # It speaks by botocore, which nothing else that serves needs.
    published: int = import_module("gateway.sample.loading").load(url, key, workspace)
    return published
