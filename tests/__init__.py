"""The suite: one folder per floor, and acceptance with real clients."""
