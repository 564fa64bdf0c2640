"""Light dataclasses are what frozen ones are, but for the guard at run time."""

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from gateway.light import light


@dataclass(frozen=True, slots=True)
class Guarded:
    """A frozen dataclass with every kind of field."""

    name: str
    secret: str = field(repr=False, default="s")
    parts: list[int] = field(default_factory=list)
    rest: int = field(default=0, compare=False)


@light
@dataclass(frozen=True, slots=True)
class Light:
    """The same, light."""

    name: str
    secret: str = field(repr=False, default="s")
    parts: list[int] = field(default_factory=list)
    rest: int = field(default=0, compare=False)


@light
@dataclass(frozen=True, slots=True)
class Key:
    """One that is a key of a mapping."""

    name: str
    number: int = 0


def test_they_are_made_shown_and_compared_alike() -> None:
    for arguments, named in ((("a",), {}), (("a", "b"), {"rest": 1}), ((), {"name": "c"})):
        light_one, guarded = Light(*arguments, **named), Guarded(*arguments, **named)
        assert repr(light_one) == repr(guarded).replace("Guarded", "Light")
        assert [light_one.name, light_one.secret, light_one.parts, light_one.rest] == [
            guarded.name,
            guarded.secret,
            guarded.parts,
            guarded.rest,
        ]
    assert Light("a", rest=1) == Light("a", rest=2)
    assert Light("a") != Light("b")
    assert Light("a").parts is not Light("a").parts
    assert replace(Light("a", parts=[1]), name="b") == Light("b", parts=[1])
    with pytest.raises(TypeError):
        Light()  # type: ignore[call-arg]


def test_what_does_more_when_it_is_made_is_not_light() -> None:
    @dataclass(frozen=True, slots=True)
    class Busy:
        name: str

        def __post_init__(self) -> None: ...

    with pytest.raises(TypeError, match="Busy does more"):
        light(Busy)


def test_they_can_be_keys_and_take_no_other_names() -> None:
    assert {Key("a"): 1}[Key("a")] == 1
    with pytest.raises(AttributeError):
        Key("a").other = 1  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        Guarded("a").name = "b"  # type: ignore[misc]
    Key("a").name = "b"  # type: ignore[misc]  # mypy refuses it: that is the guard
