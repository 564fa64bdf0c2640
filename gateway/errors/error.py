"""The error that all others are: what is wrong, and how the wire says it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

Detail: TypeAlias = "str | int | float | bool | Sequence[Detail] | Mapping[str, Detail] | None"


class GatewayError(Exception):
    """A refusal: what is wrong, where, and what to do.

    `code` and `status` are the wire's; `details` go into the body, as elements in XML and
    as an object in JSON. Neither message nor details ever hold a secret.
    """

    code: ClassVar[str] = "InternalError"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Detail] = details
