"""An argument of a method: its name, what it holds, and what it is for."""

from dataclasses import dataclass
from enum import Enum

from gateway.artifact.value import JsonValue

LARGEST = 2**31 - 1


class Kind(Enum):
    """What an argument holds, in JSON's words."""

    TEXT = "string"
    FLAG = "boolean"
    NUMBER = "number"
    INTEGER = "integer"
    MAPPING = "object"
    TEXTS = "array of strings"
    MAPPINGS = "array of objects"
    OPTIONS = "options"


@dataclass(frozen=True, slots=True)
class Argument:
    """One keyword argument, and a sentence on it.

    `options` are the names that an OPTIONS object may hold.
    """

    name: str
    kind: Kind
    about: str
    required: bool = False
    default: JsonValue = None
    options: tuple["Argument", ...] = ()
