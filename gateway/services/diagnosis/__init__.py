"""What doctor looks at, before a gateway serves or while one does; nothing is left behind."""
