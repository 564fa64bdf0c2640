"""Frozen dataclasses that each request makes anew: frozen for mypy, light at run time.

What guards a frozen dataclass costs more than anything else of making one: two microseconds for
nine fields, where a plain one takes a tenth of that, and a request makes a dozen. mypy --strict
refuses every assignment to a field of theirs, in the gateway and in its tests; so these do without.
"""

from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def light(cls: type[T]) -> type[T]:
    """The frozen dataclass `cls`, without what refuses assignments; all else is as it was."""
    if hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} does more than keep what it is given")
    parts: list[tuple[str, Any, Any]] = []
    for each in fields(cls):  # type: ignore[arg-type]  # a dataclass, which has no type of its own
        factory = each.default_factory
        given: dict[str, Any] = {} if factory is MISSING else {"default_factory": factory}
        if each.default is not MISSING:
            given["default"] = each.default
        parts.append((each.name, each.type, field(init=each.init, kw_only=each.kw_only, **given)))
    del cls.__setattr__, cls.__delattr__
    # Of a dataclass that is not frozen: it sets the same slots, one store each.
    cls.__init__ = make_dataclass(cls.__name__, parts).__init__  # type: ignore[misc, method-assign]
    return cls
