"""What writers, readers and the backend show of some artifacts, held against the model."""

import http.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from tests.acceptance.harness import KEYS, WORKSPACE, Document, Key, Response
from tests.acceptance.lines import Lines, Question, get, head, listed, listing, outcome, rpc
from tests.acceptance.model import MANIFEST, NO_ARTIFACT, STAGED, Life

WRITER, READER = KEYS["write"], KEYS["read"]

Files = Mapping[str, bytes]
Check = Callable[[Response], None]
Look = tuple[Question, Check]


@dataclass(slots=True)
class Looks:
    """Looks at the artifacts of one folder, by few requests that go out together.

    Each step shows every listing, and the manifest, files and version of the artifact that the
    step was about; what else can be asked of that one comes in turns. Bytes are got where their
    ETag was never seen, and in turns: `known` keeps them, also for the next folder.
    """

    folder: str
    lines: Lines
    backend: Lines
    account: Key
    known: dict[str, bytes]

    def check(self, lives: Mapping[str, Life], last: str, step: int) -> None:
        """Assert that everything is as the models say."""
        life, prefix = lives[last], f"{self.folder}/{last}"
        looks = [*self._manifests(prefix, life), *self._in_turn(lives, prefix, life, step)]
        questions = [listing(self.folder), listing(self.folder, READER)]
        questions += [question for question, _ in looks]
        writer, reader, *others = self.lines.ask(*questions)
        self._check_listing(writer, _seen(lives, "writer"), WRITER)
        self._check_listing(reader, _seen(lives, "reader"), READER)
        for (_, check), answer in zip(looks, others, strict=True):
            check(answer)
        (held,) = self.backend.ask(listing(self.folder, self.account))
        self._check_backend(held, _seen(lives, "held"))

    def _check_listing(self, answer: Response, expected: Files, caller: Key) -> None:
        found = listed(answer, self.folder)
        assert {path: each.size for path, each in found.items()} == {
            path: len(body) for path, body in expected.items()
        }, f"listed to {caller.name}"
        unknown = [path for path, each in found.items() if each.etag not in self.known]
        answers = self.lines.ask(*(get(f"{self.folder}/{path}", caller) for path in unknown))
        for path, got in zip(unknown, answers, strict=True):
            assert got.status == http.client.OK, f"{path} is listed to {caller.name}: {got.body!r}"
            assert (got.headers["ETag"] or "").strip('"') == found[path].etag, path
            assert self.known.setdefault(found[path].etag, got.body) == got.body
        assert {path: self.known[each.etag] for path, each in found.items()} == expected

    def _check_backend(self, answer: Response, expected: Files) -> None:
        found = listed(answer, self.folder)
        seen = {path: self.known.get(each.etag) for path, each in found.items()}
        assert seen == expected, "held by the backend"

    def _manifests(self, prefix: str, life: Life) -> Sequence[Look]:
        """The last commit, and the stage where an edit is open."""

        def committed(answer: Response) -> None:
            if not life.version:
                assert outcome(answer) == NO_ARTIFACT
                return
            shown = _shown(answer, life.pins, life.pins[MANIFEST])
            assert shown["_version"] == life.version

        def staged(answer: Response) -> None:
            manifest = life.staged or life.pins.get(MANIFEST) or b"{}"
            shown = _shown(answer, life.files, manifest)
            assert shown["_version"] == (life.version or None)
            assert shown["_stage"]["manifest"] == (life.staged is not None)
            _check_difference(shown["_stage"], life)

        looks: list[Look] = [(rpc("read", READER, prefix=prefix, silent=True), committed)]
        if life.open:
            looks.append((rpc("read", WRITER, prefix=prefix, stage=True), staged))
        return looks

    def _in_turn(
        self, lives: Mapping[str, Life], prefix: str, life: Life, step: int
    ) -> Sequence[Look]:
        """What is asked once in some steps."""
        turns: Sequence[Callable[[], Look]] = (
            lambda: self._named(lives, stage=True),
            lambda: _versions(prefix, life),
            lambda: _presence(prefix, life, step),
            lambda: _files(prefix, life, step, stage=False),
            lambda: _body(prefix, life, step),
            lambda: _past(prefix, life, step),
            lambda: _presence(prefix, life, step),
            lambda: _files(prefix, life, step, stage=True),
            lambda: _body(prefix, life, step),
            lambda: self._named(lives, stage=False),
            lambda: _past_file(prefix, life, step),
        )
        return [turns[step % len(turns)]()]

    def _named(self, lives: Mapping[str, Life], *, stage: bool) -> Look:
        def named(answer: Response) -> None:
            there = [name for name, life in lives.items() if (life.open if stage else life.version)]
            assert answer.json() == sorted(there), (answer.json(), there, stage)

        return rpc("list", WRITER, prefix=self.folder, stage=stage), named


def _seen(lives: Mapping[str, Life], view: str) -> dict[str, bytes]:
    return {
        f"{name}/{path}": body
        for name, life in lives.items()
        for path, body in getattr(life, view).items()
    }


def _sizes(files: Files) -> dict[str, int]:
    """Sizes of the files that are no manifests."""
    return {path: len(body) for path, body in files.items() if path not in (MANIFEST, STAGED)}


def _shown(answer: Response, files: Files, manifest: bytes) -> Document:
    """A merged manifest: the author's fields, and the files in it."""
    shown = answer.json()
    fields = yaml.safe_load(manifest)
    assert {name: shown.get(name) for name in fields} == fields
    assert {each["path"]: each["size"] for each in shown["files"]} == _sizes(files)
    return shown


def _check_difference(stage: Document, life: Life) -> None:
    """Assert what a stage says of itself: what it holds, and what the last commit does not."""
    now, before = _sizes(life.files), _sizes(life.pins)
    assert sorted(stage["files"]) == sorted(now)
    assert sorted(stage["added"]) == sorted(now.keys() - before.keys())
    assert sorted(stage["removed"]) == sorted(before.keys() - now.keys())
    changed = [path for path in now.keys() & before.keys() if life.files[path] != life.pins[path]]
    assert sorted(stage["changed"]) == sorted(changed)


def _versions(prefix: str, life: Life) -> Look:
    def versions(answer: Response) -> None:
        if life.version:
            numbers = [each["version"] for each in answer.json()]
            assert numbers == sorted(life.history, reverse=True)
        else:
            assert outcome(answer) == NO_ARTIFACT

    return rpc("versions", READER, prefix=prefix), versions


def _presence(prefix: str, life: Life, step: int) -> Look:
    """Whether a manifest can be had by its name."""
    caller, view = (WRITER, life.writer) if step % 2 else (READER, life.reader)
    path = MANIFEST if step // 2 % 2 else STAGED

    def presence(answer: Response) -> None:
        there = answer.status == http.client.OK
        assert there == (path in view), f"{path} for {caller.name}: {answer.status}"
        assert there or answer.status in (403, 404)
        assert not there or int(answer.headers["Content-Length"]) == len(view[path])

    return head(f"{prefix}/{path}", caller), presence


def _body(prefix: str, life: Life, step: int) -> Look:
    """The bytes of a file that may be there."""
    caller, view = (WRITER, life.writer) if step % 2 else (READER, life.reader)
    path = ("a.csv", "b/c.csv", "d", MANIFEST)[step // 2 % 4]

    def body(answer: Response) -> None:
        if path in view:
            assert (answer.status, answer.body) == (http.client.OK, view[path]), path
        else:
            assert answer.status in (403, 404), f"{path} for {caller.name}"

    return get(f"{prefix}/{path}", caller), body


def _files(prefix: str, life: Life, step: int, *, stage: bool) -> Look:
    folder = "b" if step // 11 % 3 == 0 else ""
    there = life.exists if stage else bool(life.version)
    files = _sizes(life.files if stage else life.pins)

    def entries(answer: Response) -> None:
        if not there:
            assert outcome(answer) == NO_ARTIFACT
            return
        found = {each["path"]: each["size"] for each in answer.json()}
        below = {path: size for path, size in files.items() if path.startswith(f"{folder}/")}
        here = {path: size for path, size in files.items() if "/" not in path}
        directories = {path.partition("/")[0]: 0 for path in files if "/" in path}
        assert found == (below if folder else here | directories)

    caller = WRITER if stage else READER
    return rpc("list_files", caller, prefix=prefix, path=folder, stage=stage), entries


def _old(life: Life, step: int) -> int:
    """One of the versions, now this one and now that."""
    numbers = sorted(life.history)
    return numbers[step // 11 % len(numbers)] if numbers else 1


def _past(prefix: str, life: Life, step: int) -> Look:
    number = _old(life, step)

    def past(answer: Response) -> None:
        if not life.version:
            assert outcome(answer) == NO_ARTIFACT
            return
        pins = life.history[number]
        shown = _shown(answer, pins, pins[MANIFEST])
        assert shown["_version"] == number

    return rpc("read", READER, prefix=prefix, version=number, silent=True), past


def _past_file(prefix: str, life: Life, step: int) -> Look:
    number = _old(life, step)
    pins = life.history.get(number, {})
    path = next((each for each in sorted(pins) if each != MANIFEST), "a.csv")

    def bytes_then(answer: Response) -> None:
        if path in pins:
            assert (answer.status, answer.body) == (http.client.OK, pins[path])
        else:
            assert answer.status in (403, 404)

    target = f"/{WORKSPACE}/artifact/{prefix}/{path}?version={number}&silent=1"
    return Question("GET", target, None), bytes_then
