"""Refusals that a workspace, or a key in it, gives reason for."""

from gateway.errors.error import GatewayError


class InvalidBucketName(GatewayError):
    """A workspace's name is a valid S3 bucket name."""

    code = "InvalidBucketName"
    status = 400


class IllegalLocationConstraint(GatewayError):
    """A bucket is wanted in another region than the backend's."""

    code = "IllegalLocationConstraintException"
    status = 400


class NoSuchBucket(GatewayError):
    """No workspace has this name."""

    code = "NoSuchBucket"
    status = 404


class NoSuchKey(GatewayError):
    """Nothing is stored under this key."""

    code = "NoSuchKey"
    status = 404


class BucketAlreadyOwnedByYou(GatewayError):
    """The workspace is there already, and the caller may use it."""

    code = "BucketAlreadyOwnedByYou"
    status = 409


class BucketAlreadyExists(GatewayError):
    """The workspace is there already, and it is others'."""

    code = "BucketAlreadyExists"
    status = 409


class BucketNotEmpty(GatewayError):
    """A workspace that is to go holds objects, old versions of some, or artifacts."""

    code = "BucketNotEmpty"
    status = 409


class InvalidBucketState(GatewayError):
    """The bucket's artifacts, or the configuration, forbid this."""

    code = "InvalidBucketState"
    status = 409
