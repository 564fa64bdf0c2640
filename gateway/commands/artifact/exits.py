"""How a command for people ends: an exit code for each kind of outcome, a line for each reason.

Nothing that a person does, or a gateway answers, ends in a traceback.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import typer

from gateway.client import (
    AccessDenied,
    Failed,
    GatewayError,
    InvalidAccessKeyId,
    NoSuchArtifact,
    NoSuchBucket,
    NotReached,
    NotStaged,
    NotThere,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from gateway.commands.printing import printable

REFUSED, MISUSED, ABSENT, UNREACHABLE, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 4, 130, 141
"""Refused; a wrong use or configuration; not there; no gateway, or one that fails; two signals."""

HINTS: Mapping[type[GatewayError], str] = {
    SignatureDoesNotMatch: "the secret is not this key's: artifact-gateway artifact configure",
    InvalidAccessKeyId: "is this the right gateway? artifact-gateway artifact configure",
    AccessDenied: "another key may: --profile NAME",
    RequestTimeTooSkewed: "set this machine's clock",
    NoSuchBucket: "name another one: --workspace NAME",
    NoSuchArtifact: "see what there is with `ls`, or make it with `create`",
    NotStaged: "open an edit first: `edit`, or `put` a file",
    NotReached: "does it run, and is the address right? --url URL",
}
"""What to do, where the message does not say it."""


class Misuse(Exception):
    """What was asked for, or is configured, can't be meant so: the message says what to do."""


class Refused(Exception):
    """It was not done: the message says why, and what to do."""


@contextmanager
def ending() -> Iterator[None]:
    """Ends the process with the exit code that fits what is raised inside, and a line for it."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that can't show all characters shows what they are.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except GatewayError as error:
        _leave(_code(error), *_lines(error))
    except Misuse as error:
        _leave(MISUSED, str(error))
    except Refused as error:
        _leave(REFUSED, str(error))
    except BrokenPipeError:
        # Who read has read enough; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _leave(MISUSED, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        _leave(
            INTERRUPTED, "interrupted; put and get go on where they stopped when they are run again"
        )


def _leave(code: int, *lines: str) -> None:
    for line in lines:
        typer.echo(printable(line), err=True)
    raise SystemExit(code)


def _code(error: GatewayError) -> int:
    if isinstance(error, NotThere):
        return ABSENT
    if isinstance(error, Failed):
        return UNREACHABLE
    # What the client itself found wrong never left: it is what was given.
    return REFUSED if error.status else MISUSED


def _lines(error: GatewayError) -> Sequence[str]:
    """The refusal, and below it each violation, file or place that it names."""
    hint = next((HINTS[kind] for kind in type(error).__mro__ if kind in HINTS), "")
    first = f"{error.code}: {' '.join(error.message.split())}"
    lines = [f"{first}; {hint}" if hint else first]
    for name in ("violations", "missing", "paths"):
        found = error.details.get(name)
        if isinstance(found, list):
            lines += [f"  {_named(each)}" for each in found]
    return lines


def _named(found: object) -> str:
    if not isinstance(found, Mapping):
        return str(found)
    where = found.get("pointer", found.get("path", ""))
    return f"{where or '/'}: {found.get('message', '')}"


def read_bytes(path: Path) -> bytes:
    """What is in a file, or comes on standard input for `-`."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
