"""Find the artifact that a writing method is about."""

from gateway.artifact.layout import check_prefix
from gateway.artifact.lifecycle import Artifact
from gateway.errors import InvalidPath, NoSuchArtifact, NotStaged
from gateway.identity import Workspace
from gateway.s3.address import KeyRules
from gateway.services.lifecycle.deleting import Deleting
from gateway.storage.catalogue import Catalogue


class Finding:
    """Artifacts by prefix, in the state that a method needs."""

    def __init__(self, catalogue: Catalogue, deleting: Deleting, rules: KeyRules) -> None:
        self._catalogue = catalogue
        self._deleting = deleting
        self._rules = rules

    def check_key(self, key: str) -> None:
        """Return when the backend keeps objects under `key` as it is spelled; InvalidPath."""
        if self._rules.is_private(key) or self._rules.fold(key) != key:
            raise InvalidPath(
                f"{key!r} is a key that the backend keeps for itself or folds: choose another",
                key=key,
            )

    async def existing(self, workspace: Workspace, prefix: str) -> Artifact | None:
        """The artifact, after one that was being deleted there has really gone."""
        self.check_key(prefix)
        artifact = await self._catalogue.artifact(workspace.id, prefix)
        if artifact is not None and artifact.unfinished == "deleting":
            await self._deleting.end(workspace, artifact)
            return None
        return artifact

    async def artifact(self, workspace: Workspace, prefix: str) -> Artifact:
        """The artifact in whatever state; NoSuchArtifact."""
        artifact = await self.existing(workspace, check_prefix(prefix))
        if artifact is None:
            raise NoSuchArtifact(f"there is no artifact under {prefix!r}", prefix=prefix)
        return artifact

    async def staged(self, workspace: Workspace, prefix: str) -> Artifact:
        """The artifact with its open edit; NoSuchArtifact, NotStaged."""
        artifact = await self.artifact(workspace, prefix)
        if artifact.stage is None:
            raise NotStaged(
                f"no edit of {prefix!r} is open: open one with edit, or put a file", prefix=prefix
            )
        return artifact
