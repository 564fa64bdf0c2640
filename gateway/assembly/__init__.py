"""The composition root: every object is built once, each wing by its own module."""
