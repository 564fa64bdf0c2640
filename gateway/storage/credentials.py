"""The backend's credentials: from the configuration, or from AWS's default chain."""

from dataclasses import dataclass, field
from typing import Protocol

from aiobotocore.session import get_session

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

    async def current(self) -> BackendCredentials:
        """The credentials to sign with now."""


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """Credentials of the configuration: always the same."""

    credentials: BackendCredentials

    async def current(self) -> BackendCredentials:
        """The configured credentials."""
        return self.credentials


class DefaultChain:
    """AWS's default chain (environment, profile, container or instance role), refreshed."""

    def __init__(self) -> None:
        self._session = get_session()

    async def current(self) -> BackendCredentials:
        """The chain's credentials, refreshed where they expire; CredentialsMissing."""
        found = await self._session.get_credentials()
        if found is None:
            raise CredentialsMissing(
                "no credentials for the backend: set backend.access_key_id and "
                "backend.secret_access_key, or what AWS's default chain reads"
            )
        # Read as one: a refresh between two reads would mix two keys.
        frozen = await found.get_frozen_credentials()
        return BackendCredentials(
            str(frozen.access_key),
            str(frozen.secret_key),
            None if frozen.token is None else str(frozen.token),
        )


def chosen(backend: Backend) -> CredentialsSource:
    """The configured credentials where there are some, else AWS's default chain."""
    if backend.access_key_id is None or backend.secret_access_key is None:
        return DefaultChain()
    return FixedCredentials(BackendCredentials(backend.access_key_id, backend.secret_access_key))
