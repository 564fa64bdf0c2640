"""The commands of `artifact-gateway`, a module for each group of them."""
