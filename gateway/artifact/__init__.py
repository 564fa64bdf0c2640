"""What artifacts are: the domain, without I/O."""
