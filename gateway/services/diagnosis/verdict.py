"""What came of one check: how it stands, what was found, and what is to be done."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How something stands. A gateway serves with warnings, and not as it should with failures."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check's outcome. `remedy` is empty where all is well, and only there."""

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Verdict:
    """All is well."""
    return Verdict(check, Level.OK, found)


def warning(check: str, found: str, remedy: str) -> Verdict:
    """It serves, but somebody should know."""
    return Verdict(check, Level.WARNING, found, remedy)


def failure(check: str, found: str, remedy: str) -> Verdict:
    """It does not serve as it should."""
    return Verdict(check, Level.FAILURE, found, remedy)
