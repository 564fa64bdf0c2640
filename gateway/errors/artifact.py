"""Refusals of artifacts: of their manifests, paths, edits, commits and versions."""

from gateway.errors.error import GatewayError


class InvalidManifest(GatewayError):
    """A manifest is a YAML or JSON mapping with a string `type`."""

    code = "InvalidManifest"
    status = 400


class SchemaViolation(GatewayError):
    """The manifest does not fit its collection's schema."""

    code = "SchemaViolation"
    status = 400


class InvalidPath(GatewayError):
    """A path leaves its artifact, or is one that the backend keeps for itself."""

    code = "InvalidPath"
    status = 400


class InvalidWeight(GatewayError):
    """A download weight is a decimal from 0 to 1,000,000 with at most 6 places."""

    code = "InvalidWeight"
    status = 400


class NoSuchArtifact(GatewayError):
    """No artifact is committed under this prefix."""

    code = "NoSuchArtifact"
    status = 404


class NoSuchVersion(GatewayError):
    """No commit has this version."""

    code = "NoSuchVersion"
    status = 404


class ArtifactExists(GatewayError):
    """An artifact is already there."""

    code = "ArtifactExists"
    status = 409


class NotStaged(GatewayError):
    """No edit of this artifact is open, or it is not the one meant."""

    code = "NotStaged"
    status = 409


class EditOpen(GatewayError):
    """An edit of this artifact is open."""

    code = "EditOpen"
    status = 409


class MissingFiles(GatewayError):
    """Files that were announced or listed are not there."""

    code = "MissingFiles"
    status = 409


class CommitConflict(GatewayError):
    """Another commit came first, or an edit came in a rollback's way."""

    code = "CommitConflict"
    status = 409


class CollectionNotEmpty(GatewayError):
    """The collection has members."""

    code = "CollectionNotEmpty"
    status = 409


class NestedArtifact(GatewayError):
    """Artifacts nest below collections, or below nothing."""

    code = "NestedArtifact"
    status = 409


class BucketNotVersioned(GatewayError):
    """A committed file can't change: its bucket keeps no versions."""

    code = "BucketNotVersioned"
    status = 409


class OperationAborted(GatewayError):
    """The operation would destroy what a commit pins."""

    code = "OperationAborted"
    status = 409
