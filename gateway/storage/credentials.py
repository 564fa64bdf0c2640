"""The backend's credentials: from the configuration, or from AWS's default chain."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from gateway.config import Backend


class CredentialsMissing(Exception):
    """Neither the configuration nor AWS's default chain has credentials for the backend."""


@dataclass(frozen=True, slots=True)
class BackendCredentials:
    """A key for the backend; `token` accompanies temporary keys, else None."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class CredentialsSource(Protocol):
    """Where the backend's credentials come from."""

    @property
    def fixed(self) -> BackendCredentials | None:
        """Those that never change: nobody has to wait for them. None where they may."""

    async def current(self) -> BackendCredentials:
        """The credentials to sign with now."""


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """Credentials of the configuration: always the same."""

    fixed: BackendCredentials

    async def current(self) -> BackendCredentials:
        """The configured credentials."""
        return self.fixed


def chosen(backend: Backend) -> CredentialsSource:
    """The configured credentials where there are some, else AWS's default chain."""
    if backend.access_key_id is None or backend.secret_access_key is None:
        # It brings botocore along: 20 MiB, which configured credentials need not pay for.
        chain: CredentialsSource = import_module("gateway.storage.default_chain").DefaultChain()
        return chain
    return FixedCredentials(BackendCredentials(backend.access_key_id, backend.secret_access_key))
