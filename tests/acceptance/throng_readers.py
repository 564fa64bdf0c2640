"""The readers of a throng: every way of looking at an artifact."""

import http.client
import io
import zipfile
from collections.abc import Callable, Mapping

from tests.acceptance.harness import KEYS, WORKSPACE, Document, Response
from tests.acceptance.lines import Question, get, head, listed, listing, outcome
from tests.acceptance.model import MANIFEST
from tests.acceptance.throng import PATHS, Sight, Somebody, etag_of, sights_of

OK = http.client.OK
GONE = http.client.NOT_FOUND
READER = KEYS["read"]
WHO = (READER, READER, None)  # None: unsigned


class Reader(Somebody):
    """Looks at the artifact in every way that a reader can."""

    def act(self) -> None:
        """Look once."""
        looks: Mapping[Callable[[int], None], int] = {
            self.list: 4,
            self.get: 5,
            self.head: 2,
            self.read: 4,
            self.files: 2,
            self.versions: 1,
            self.zip: 2,
            self.zip_of_one: 2,
            self.file_of_one: 2,
            self.read_one: 2,
            self.files_of_one: 2,
        }
        (look,) = self.dice.choices(list(looks), list(looks.values()))
        look(self.account.floor)

    def seen(
        self, kind: str, floor: int, etags: Mapping[str, str | None], **more: Document
    ) -> None:
        """Note what was seen."""
        self.account.saw(Sight(kind, floor, etags, **more))

    def door(self, path: str = "", query: str = "silent=1") -> Response:
        """The answer of the artifact door to somebody without a key."""
        return self.ask(
            Question("GET", f"/{WORKSPACE}/artifact/{self.place.prefix}{path}?{query}", None)
        )

    def list(self, floor: int) -> None:
        """ListObjectsV2."""
        found = listed(
            self.ask(listing(self.place.prefix, self.dice.choice(WHO))), self.place.prefix
        )
        etags = {path: each.etag for path, each in found.items()}
        self.seen("list", floor, etags, whole="everything")

    def get(self, floor: int) -> None:
        """GetObject of a file or the manifest."""
        path = self.dice.choice((*PATHS, MANIFEST))
        answer = self.ask(get(self.place.key(path), self.dice.choice(WHO)))
        etag = _of_object(answer)
        assert etag is None or etag == etag_of(answer.body), "an ETag of other bytes"
        self.seen("get", floor, {path: etag})

    def head(self, floor: int) -> None:
        """HeadObject."""
        path = self.dice.choice((*PATHS, MANIFEST))
        self.seen("head", floor, {path: _of_object(self.ask(head(self.place.key(path), READER)))})

    def read(self, floor: int) -> None:
        """The merged manifest, by RPC or from the artifact door."""
        by_rpc = self.dice.choice((True, False))
        answer = self.ask(self.say("read", READER, silent=True)) if by_rpc else self.door()
        shown = answer.json()
        self._shown("read" if by_rpc else "door", floor, shown)
        if shown["_version"] < floor:
            self.account.failed(f"version {shown['_version']} was read after {floor} was there")
        self.account.acknowledged(shown["_version"])

    def _shown(self, kind: str, floor: int, shown: Document) -> None:
        for sight in sights_of(kind, floor, shown):
            self.account.saw(sight)

    def files(self, floor: int) -> None:
        """RPC `list_files`, of one directory."""
        self._listed(floor, None)

    def files_of_one(self, floor: int) -> None:
        """RPC `list_files` of a version."""
        self._listed(floor, self.dice.randint(1, floor))

    def _listed(self, floor: int, version: int | None) -> None:
        folder = self.dice.choice(("", "b"))
        answer = self.ask(self.say("list_files", READER, path=folder, version=version))
        there = {each["path"]: each["etag"].strip('"') for each in answer.json() if each["size"]}
        here = [path for path in PATHS if path.rpartition("/")[0] == folder]
        etags = {path: there.get(path) for path in here}
        self.seen("list_files", floor, etags, version=version)

    def versions(self, floor: int) -> None:
        """RPC `versions`: from the newest to the first."""
        numbers = [each["version"] for each in self.ask(self.say("versions", READER)).json()]
        if numbers != list(range(len(numbers), 0, -1)) or len(numbers) < floor:
            self.account.failed(f"versions {numbers} after {floor} was there")
        self.account.count("read: versions")

    def zip(self, floor: int) -> None:
        """A zip of the newest version."""
        self._unpack(floor, self.door(query="format=zip&silent=1"), None)

    def zip_of_one(self, floor: int) -> None:
        """A zip of some version."""
        version = self.dice.randint(1, floor)
        self._unpack(floor, self.door(query=f"format=zip&silent=1&version={version}"), version)

    def _unpack(self, floor: int, answer: Response, version: int | None) -> None:
        assert answer.status == OK, outcome(answer)
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            names = archive.namelist()
            etags = {name.partition("/")[2]: etag_of(archive.read(name)) for name in names}
        assert len(etags) == len(names), names
        self.seen("zip", floor, etags, whole="everything", version=version)

    def file_of_one(self, floor: int) -> None:
        """A file of some version, by the artifact door."""
        path, version = self.dice.choice(PATHS), self.dice.randint(1, floor)
        answer = self.door(f"/{path}", f"version={version}&silent=1")
        etag = None if answer.status == GONE else etag_of(answer.body)
        assert answer.status in (OK, GONE), outcome(answer)
        self.seen("file of a version", floor, {path: etag}, version=version)

    def read_one(self, floor: int) -> None:
        """The merged manifest of some version."""
        version = self.dice.randint(1, floor)
        shown = self.ask(self.say("read", READER, version=version, silent=True)).json()
        if shown["_version"] != version:
            self.account.failed(f"version {version} was asked, {shown['_version']} came")
        self._shown("read of a version", floor, shown)


def _of_object(answer: Response) -> str | None:
    """The ETag of an object that was answered with, None where it was hidden or absent."""
    if answer.status in (GONE, http.client.FORBIDDEN):
        return None
    assert answer.status == OK, outcome(answer)
    return (answer.headers["ETag"] or "").strip('"')
