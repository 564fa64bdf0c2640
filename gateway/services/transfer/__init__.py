"""Requests carried to the backend, and its answers home."""
