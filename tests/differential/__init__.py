"""The S3 door compared with the backend itself, request by request."""
