"""The writers of a throng: the wild ones, and those who let each other finish."""

import http.client
from collections.abc import Callable, Mapping, Sequence

import yaml

from gateway.s3.xml import parse
from tests.acceptance.harness import Document, Key, Response
from tests.acceptance.lines import Question, copy, delete, outcome, put
from tests.acceptance.model import MANIFEST, STAGED
from tests.acceptance.throng import (
    AUTHORS,
    PATHS,
    Somebody,
    body_of,
    etag_of,
    manifest_of,
    sights_of,
)

OK = http.client.OK
HALF = 0.5

# What may be said to somebody who came second, or whom somebody else's edit was in the way of.
LOST = {
    (409, "CommitConflict"),
    (409, "NotStaged"),
    (409, "EditOpen"),
    (409, "MissingFiles"),
    (404, "NoSuchKey"),
    (409, "OperationAborted"),  # what was waited for took too long
    (503, "SlowDown"),
}


class Writer(Somebody):
    """Edits as it comes: nobody waits for anybody."""

    def act(self) -> None:
        """One event of the state tables, by one of two authors."""
        events: Mapping[Callable[[Key], None], int] = {
            self.put: 30,
            self.stage: 10,
            self.commit: 12,
            self.rename: 10,
            self.release: 8,
            self.edit: 5,
            self.put_by_url: 8,
            self.remove: 8,
            self.discard: 4,
            self.rollback: 6,
        }
        (event,) = self.dice.choices(list(events), list(events.values()))
        event(self.dice.choice(AUTHORS))

    def tell(self, question: Question, *, fine: int = OK) -> bool:
        """Whether what was asked was done; what may not be answered is in the account."""
        return self.heard(question, self.ask(question), fine=fine)

    def heard(self, question: Question, answer: Response, *, fine: int = OK) -> bool:
        """Whether this answer says that it was done."""
        told = outcome(answer)
        name = question.target.rpartition("/")[2] if question.method == "POST" else question.method
        if answer.status != fine and told not in LOST:
            self.account.failed(f"{question.method} {question.target}: {told}, {answer.body!r}")
        self.account.count(f"{name}: {told[1] or told[0]}")
        return answer.status == fine

    def file(self) -> tuple[str, bytes]:
        """A path, and bytes that nobody has put before."""
        path = self.dice.choice(PATHS)
        return path, body_of(self.token(), path)

    def put(self, author: Key) -> None:
        """PUT a file."""
        path, body = self.file()
        self.tell(put(self.place.key(path), body, author))

    def stage(self, author: Key) -> None:
        """PUT `_manifest.yaml`."""
        self.tell(put(self.place.key(STAGED), manifest_of(self.token(), ()), author))

    def commit(self, author: Key) -> None:
        """Commit by RPC."""
        message = self.token()
        self.committed(self.say("commit", author, message=message), message)

    def committed(self, question: Question, message: str) -> None:
        """Ask for a commit by RPC, and note its version."""
        answer = self.ask(question)
        if self.heard(question, answer):
            self.told(answer, message)

    def told(self, answer: Response, message: str | None = None) -> None:
        """Note the version that RPC says is committed, and all that it says of it."""
        made = answer.json()
        self.account.count("commits")
        self.account.acknowledged(made["version"], message)
        for sight in sights_of("commit", 0, made["manifest"]):
            self.account.saw(sight)

    def rename(self, author: Key) -> None:
        """Commit by COPY."""
        question = copy(self.place.key(STAGED), self.place.key(MANIFEST), author)
        self.released(question, self.ask(question))

    def release(self, author: Key) -> None:
        """Commit by PUT."""
        body = manifest_of(self.token(), ())
        question = put(self.place.key(MANIFEST), body, author)
        if self.released(question, self.ask(question)):
            self.account.committed(etag_of(body))

    def released(self, question: Question, answer: Response) -> bool:
        """Whether S3 said that a manifest is committed; note which."""
        if not self.heard(question, answer):
            return False
        self.account.count("commits")
        etag = answer.headers.get("ETag") or parse(answer.body).findtext("ETag") or ""
        self.account.committed(etag.strip('"'))
        return True

    def edit(self, author: Key) -> None:
        """Open an edit."""
        self.tell(self.say("edit", author))

    def put_by_url(self, author: Key) -> None:
        """Announce a file and PUT it."""
        path, body = self.file()
        question = self.say("put_file", author, file_path=path)
        answer = self.ask(question)
        if self.heard(question, answer):
            self.tell(Question("PUT", answer.json().removeprefix(self.url), None, body))

    def remove(self, author: Key) -> None:
        """Take a file away."""
        path = self.dice.choice(PATHS)
        if self.dice.random() < HALF:
            self.tell(self.say("remove_file", author, file_path=path))
        else:
            self.tell(delete(self.place.key(path), author), fine=http.client.NO_CONTENT)

    def discard(self, author: Key) -> None:
        """Discard whatever is staged."""
        self.tell(self.say("discard", author))

    def rollback(self, author: Key) -> None:
        """Go back to some version."""
        version = self.dice.randint(1, self.account.newest)
        question = self.say("rollback", author, version=version)
        answer = self.ask(question)
        if self.heard(question, answer):
            self.told(answer)


class Careful(Writer):
    """Edits when nobody else does; then several commit the edit at the same moment."""

    def act(self) -> None:
        """One edit from its beginning to its end, or a rollback."""
        with self.place.lock:
            (what,) = self.dice.choices(("rollback", "discard", "commit"), (10, 15, 75))
            if what == "rollback":
                self.rollback(self.dice.choice(AUTHORS))
            else:
                self.whole_edit(discarded=what == "discard")

    def whole_edit(self, *, discarded: bool) -> None:
        """Put files and a manifest that carry one token; commit them, or discard them."""
        author, token = self.dice.choice(AUTHORS), self.token()
        paths = self.dice.sample(PATHS, self.dice.randint(1, len(PATHS)))
        staged = manifest_of(token, paths)
        before: list[str] = self.ask(self.say("read", author, silent=True)).json()["carries"]
        files = {path: body_of(token, path) for path in paths}
        gone = [path for path in before if path not in files]
        way = self.dice.choice(("s3", "put", "rpc"))
        if way == "rpc":
            self.stage_by_rpc(author, files, gone, yaml.safe_load(staged))
        else:
            self.stage_by_s3(author, files, gone, staged if way == "s3" else None)
        if discarded:
            self.discard(author)
        else:
            self.race([self.a_commit(way, staged) for _ in range(self.dice.randint(1, 4))])

    def a_commit(self, way: str, staged: bytes) -> Question:
        """One way to commit what is staged."""
        author = self.dice.choice(AUTHORS)
        if way == "put":
            return put(self.place.key(MANIFEST), staged, author)
        if self.dice.random() < HALF:
            return copy(self.place.key(STAGED), self.place.key(MANIFEST), author)
        return self.say("commit", author, message=self.token())

    def stage_by_s3(
        self, author: Key, files: Mapping[str, bytes], gone: Sequence[str], staged: bytes | None
    ) -> None:
        """As `sync --delete` does: all at once, the manifest last."""
        changes = [put(self.place.key(path), body, author) for path, body in files.items()]
        removals = [delete(self.place.key(path), author) for path in gone]
        answers = self.lines.ask(*changes, *removals)
        assert {answer.status for answer in answers} <= {OK, http.client.NO_CONTENT}, answers
        if staged is not None:
            assert self.tell(put(self.place.key(STAGED), staged, author))

    def stage_by_rpc(
        self, author: Key, files: Mapping[str, bytes], gone: Sequence[str], fields: Document
    ) -> None:
        """Edit, announce, PUT to the URLs."""
        assert self.tell(self.say("edit", author, manifest=fields))
        for path, body in files.items():
            answer = self.ask(self.say("put_file", author, file_path=path))
            url: str = answer.json()
            assert self.tell(Question("PUT", url.removeprefix(self.url), None, body))
        for path in gone:
            assert self.tell(self.say("remove_file", author, file_path=path))

    def race(self, commits: Sequence[Question]) -> None:
        """Commits that go out together: at least one of them is done."""
        answers = self.lines.ask(*commits)
        self.account.count("races")
        done = 0
        for question, answer in zip(commits, answers, strict=True):
            if question.method == "PUT":
                done += self.released(question, answer)
            elif self.heard(question, answer):
                done += 1
                self.told(answer, yaml.safe_load(question.body)["message"])
        if not done:
            told = [outcome(answer) for answer in answers]
            self.account.failed(f"of {len(commits)} commits at once none was done: {told}")
