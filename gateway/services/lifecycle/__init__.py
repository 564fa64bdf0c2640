"""From a stage to a version and back: drafts, commits, discards, deletes, what the dead left."""
