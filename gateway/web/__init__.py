"""The doors: HTTP in, replies out."""
