"""The command line, when one command has run: what it imports late is there for all that fork."""

from typer.testing import CliRunner

from gateway.__main__ import application, main

__all__ = ["main"]

NOBODY = ("--url", "http://127.0.0.1:1", "--workspace", "my-workspace")

CliRunner().invoke(application, ["artifact", "ls", "-l", *NOBODY])
