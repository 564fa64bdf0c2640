"""AWS's default chain of credentials, by botocore: imported where nothing is configured."""

from aiobotocore.session import get_session

from gateway.storage.credentials import BackendCredentials, CredentialsMissing


class DefaultChain:
    """AWS's default chain (environment, profile, container or instance role), refreshed."""

    fixed = None

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
