"""A throng around one artifact: who is in it, and what they are told and shown."""

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from tests.acceptance.harness import KEYS, Document, Gateway, Key, Response
from tests.acceptance.lines import Lines, Question, rpc
from tests.acceptance.model import MANIFEST

PATHS = ("a.csv", "b/c.csv", "b/d.csv", "e", "f.bin")
AUTHORS = (KEYS["write"], KEYS["admin"])

Etags = Mapping[str, str | None]  # by path; None says that nothing is there


def etag_of(body: bytes) -> str:
    """The ETag of an object with these bytes, without quotes."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one answer showed to a reader.

    `floor` is the newest version that had been acknowledged when it was asked, `version` the
    one that the answer says it is of, where it does. `whole` says which paths it speaks of: it
    shows all files and the manifest, or all files, or (None) the paths in `etags` alone.
    """

    kind: str
    floor: int
    etags: Etags
    whole: str | None = None
    version: int | None = None

    def is_of(self, held: Etags) -> bool:
        """Whether this can be a version that holds these."""
        if self.whole == "files":
            return self.etags == {path: held[path] for path in held if path != MANIFEST}
        if self.whole == "everything":
            return self.etags == held
        return all(held.get(path) == etag for path, etag in self.etags.items())


@dataclass(slots=True)
class Account:
    """What everybody of the crowd did and saw. `lag` is what replicas may be behind, in seconds.

    `idle` says that edits may come to what is committed already: then committing one makes no
    version, and is answered with the one that there is, which is somebody else's.
    """

    lag: float = 0.0
    idle: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    promised: dict[int, list[str]] = field(default_factory=dict)  # messages by version
    manifests: list[str] = field(default_factory=list)  # ETags of those that S3 said are committed
    _times: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 1)])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def floor(self) -> int:
        """The newest version that everybody has to see by now."""
        before = time.monotonic() - self.lag
        with self._lock:
            return max(version for when, version in self._times if when <= before)

    @property
    def newest(self) -> int:
        """The newest version that was acknowledged."""
        with self._lock:
            return max(version for _, version in self._times)

    def acknowledged(self, version: int, message: str | None = None) -> None:
        """A commit was acknowledged, under its message; or seen by somebody."""
        with self._lock:
            if message is not None:
                told = self.promised.setdefault(version, [])
                told.append(message)
                if len(told) > 1 and not self.idle:
                    self.failures.append(f"version {version} was promised more than once: {told}")
            if version > max(known for _, known in self._times[-8:]):
                self._times.append((time.monotonic(), version))

    def committed(self, etag: str) -> None:
        """S3 said that a manifest with this ETag is committed."""
        with self._lock:
            self.manifests.append(etag)

    def saw(self, sight: Sight) -> None:
        """A reader was shown something."""
        with self._lock:
            self.tally[f"read: {sight.kind}"] += 1
            self.sights.append(sight)

    def count(self, what: str) -> None:
        """Something happened."""
        with self._lock:
            self.tally[what] += 1

    def failed(self, what: str) -> None:
        """Something happened that must not."""
        with self._lock:
            self.failures.append(what)


def body_of(token: str, path: str) -> bytes:
    """The bytes of a file that the edit with this token puts."""
    return f"{token} {path} ".encode() + b"." * random.Random(token).randrange(200)  # noqa: S311


def manifest_of(token: str, paths: Sequence[str]) -> bytes:
    """The manifest of the edit with this token, which names the files that go with it."""
    fields = {"type": "dataset", "token": token, "carries": sorted(paths)}
    return yaml.safe_dump(fields).encode()


def sights_of(kind: str, floor: int, shown: Document) -> Sequence[Sight]:
    """What a merged manifest shows of its version: the files, and the manifest itself."""
    etags = {each["path"]: each["etag"].strip('"') for each in shown["files"]}
    manifest = manifest_of(shown["token"], shown["carries"])
    return (
        Sight(kind, floor, etags, "files", shown["_version"]),
        Sight(kind, floor, {MANIFEST: etag_of(manifest)}, version=shown["_version"]),
    )


@dataclass(slots=True)
class Place:
    """The artifact that everybody is around, and what its writers share."""

    prefix: str
    account: Account
    lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, path: str) -> str:
        """The key of a file."""
        return f"{self.prefix}/{path}"


class Somebody:
    """One of the crowd, who goes on until the time is over."""

    def __init__(self, name: str, place: Place, gateway: Gateway) -> None:
        self.name = name
        self.place = place
        self.account = place.account
        self.lines = Lines(gateway.port)
        self.url = gateway.url
        self.dice = random.Random(name)  # noqa: S311
        self.number = 0

    def act(self) -> None:
        """Do one thing."""
        raise NotImplementedError

    def stay(self, until: float) -> None:
        """Act again and again; what goes wrong is in the account."""
        try:
            while time.monotonic() < until and not self.account.failures:
                self.act()
        except Exception as error:  # noqa: BLE001 - threads tell nobody else
            self.account.failed(f"{self.name}: {error!r}")
        finally:
            self.lines.close()

    def ask(self, question: Question) -> Response:
        """The answer to one question."""
        (answer,) = self.lines.ask(question)
        return answer

    def token(self) -> str:
        """A word that nobody has said before."""
        self.number += 1
        return f"{self.name}-{self.number}"

    def say(self, method: str, author: Key, **arguments: Document) -> Question:
        """An RPC question about the artifact."""
        return rpc(method, author, prefix=self.place.prefix, **arguments)
