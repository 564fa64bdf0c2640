"""The S3 wire protocol, without I/O."""
