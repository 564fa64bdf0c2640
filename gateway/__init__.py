"""Artifact Gateway: an S3-compatible proxy that makes a registry out of a bucket."""

__version__ = "0.1.0"
