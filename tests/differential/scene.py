"""Cases: what is asked of both servers, in scenes that share what was set up for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.differential.client import Auth, Client

Act = Callable[[Client], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of workspace: what it is called, where it lies, and who asks.

    `bucket` None is a bucket of the workspace's own name. `reads` says that the caller has
    `read` alone once the scene is set up.
    """

    name: str
    bucket: str | None = None
    prefix: str = ""
    reads: bool = False


PLAIN = Kind("plain")
READER = Kind("reader", reads=True)
RENAMED = Kind("renamed", bucket="stored-elsewhere")
PREFIX = Kind("part", bucket="shared-by-many", prefix="team/one & only/")
EVERY = (PLAIN, READER, RENAMED, PREFIX)
NAMED = (PLAIN, RENAMED, PREFIX)
"""Kinds in which a caller may write."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is compared: everything that `act` sends.

    `differs` names the exceptions, of those that need to be named, that apply to it: each
    must apply. `name@place` is of one backend alone, or of one kind of workspace; `name?` need
    not apply.
    """

    name: str
    act: Act
    differs: tuple[str, ...] = ()

    def named(self, backend: str, kind: Kind) -> list[str]:
        """The exceptions that it names there."""
        split = [name.split("@") for name in self.differs]
        return [name for name, *places in split if {backend, kind.name}.issuperset(places)]


@dataclass(slots=True)
class Scene:
    """Cases about one state, which `setup` makes, in the order in which they were added.

    `own` gives the scene a bucket to itself; else it has a folder of a bucket that others use,
    `versioned` or not. `settings` lets the workspace pass on what endangers a backend.
    `backends` are those that it is played against.
    """

    name: str
    kinds: Sequence[Kind] = (PLAIN,)
    own: bool = False
    versioned: bool = False
    settings: bool = False
    locked: bool = False
    backends: Sequence[str] = ("seaweedfs", "moto")
    cases: list[Case] = field(default_factory=list)
    _setup: Act | None = None

    def setup(self, act: Act) -> Act:
        """Play `act` before the cases; it is compared like one of them."""
        self._setup = act
        return act

    def case(self, name: str, *differs: str) -> Callable[[Act], Act]:
        """Add what is decorated as a case called `name`."""

        def add(act: Act) -> Act:
            self.add(name, act, *differs)
            return act

        return add

    def add(self, name: str, act: Act, *differs: str) -> None:
        """Add a case, and the exceptions that it names."""
        self.cases.append(Case(name, act, differs))

    def ask(
        self,
        name: str,
        method: str,
        key: str | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        auth: Auth = Auth.HEADER,
        differs: Sequence[str] = (),
    ) -> None:
        """Add a case of one request."""
        act = partial(
            _ask, method=method, key=key, query=query, headers=headers, body=body, auth=auth
        )
        self.add(name, act, *differs)

    def kinds_on(self, backend: str) -> Sequence[Kind]:
        """The kinds of workspaces that it is played in: of moto, which is slow, one."""
        if backend != "moto":
            return self.kinds
        return [PREFIX] if PREFIX in self.kinds else [PLAIN] if PLAIN in self.kinds else []

    def played(self) -> Iterator[Case]:
        """The cases, what sets the scene first."""
        if self._setup is not None:
            yield Case("set-up", self._setup)
        yield from self.cases


def _ask(client: Client, **request: object) -> object:
    return client.ask(**request)  # type: ignore[arg-type]
