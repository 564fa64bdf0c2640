"""The command line, its commands' modules read: also those that a command reads late."""

from typer.testing import CliRunner

from gateway.__main__ import PLACES, Imported, application, main

__all__ = ["main"]

NOBODY = ("--url", "http://127.0.0.1:1", "--workspace", "my-workspace")

for name in PLACES:
    Imported()[name]
CliRunner().invoke(application, ["artifact", "ls", "-l", *NOBODY])
