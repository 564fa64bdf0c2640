"""What a schema finds wrong: a value of its own, since few processes judge by schemas."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong: where, as a JSON pointer ("" is the whole), and a sentence."""

    pointer: str
    message: str
