"""Access keys, tokens and grants: who may do what."""
