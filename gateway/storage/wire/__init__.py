"""HTTP/1.1, as it is spoken to the backend: pooled connections, one exchange at a time on each."""
