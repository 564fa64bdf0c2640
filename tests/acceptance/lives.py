"""Random lives of artifacts: each event of the state tables as a rule, told to the model too."""

import http.client
import sys
import traceback
from collections.abc import Mapping
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.errors import StopTest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.s3.xml import parse
from tests.acceptance.harness import KEYS, WORKSPACE, Document, Gateway
from tests.acceptance.lines import (
    Lines,
    Question,
    copy,
    delete,
    head,
    object_target,
    outcome,
    put,
    rpc,
)
from tests.acceptance.looks import Looks
from tests.acceptance.model import GONE, MANIFEST, NO_KEY, STAGED, Answer, Life
from tests.acceptance.posted import form_of

FIELDS: Mapping[str, Document] = {"type": "dataset", "name": "by RPC"}
WRITTEN = b"type: dataset\nname: by RPC\n"  # as the gateway writes them
DENIED: Answer = (403, "AccessDenied")
ABSENT = {"if-none-match": "*"}

NAMES = ("one", "two")
names = st.sampled_from(NAMES)
writers = st.sampled_from(["write", "admin"])
paths = st.sampled_from(["a.csv", "b/c.csv", "d"])
keys = st.sampled_from(["a.csv", "b/c.csv", MANIFEST, STAGED])
bodies = st.sampled_from([b"", b"x", b"yy"])
manifests = st.sampled_from([b"type: dataset\n", b"{type: dataset, name: N}", WRITTEN])
numbers = st.integers(1, 6)
flags = st.booleans()


class Lives(RuleBasedStateMachine):
    """Two artifacts side by side, each with its model; two writers, and a reader who looks.

    What is done and asked depends on nothing but the draws and the life's own `step`: so a life
    that failed can be lived again. `failures` tells of those that could not.
    """

    gateway: ClassVar[Gateway]
    lines: ClassVar[Lines]
    backend: ClassVar[Lines]
    steps: ClassVar[int] = 0
    known: ClassVar[dict[str, bytes]] = {}
    failures: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.gateway.new_prefix(public=True)
        self.lives = {name: Life() for name in NAMES}
        self.last = NAMES[0]
        self.step = 0
        account = self.gateway.backend.key
        self.looks = Looks(self.folder, self.lines, self.backend, account, self.known)

    def _meet(self, name: str) -> tuple[str, Life]:
        type(self).steps += 1
        self.step += 1
        self.last = name
        return f"{self.folder}/{name}", self.lives[name]

    def _tell(self, question: Question) -> Answer:
        return outcome(*self.lines.ask(question))

    @rule(name=names, path=paths, body=bodies, who=writers)
    def put_file(self, name: str, path: str, body: bytes, who: str) -> None:
        prefix, life = self._meet(name)
        assert self._tell(put(f"{prefix}/{path}", body, KEYS[who])) == life.put(path, body)

    @rule(name=names, path=keys, body=manifests, who=writers)
    def put_if_absent(self, name: str, path: str, body: bytes, who: str) -> None:
        prefix, life = self._meet(name)
        target = object_target(f"{prefix}/{path}")
        told = self._tell(Question("PUT", target, KEYS[who], body, ABSENT))
        assert told == life.put_if_absent(path, body, who)

    @rule(name=names, path=paths, body=bodies, who=writers)
    def post_form(self, name: str, path: str, body: bytes, who: str) -> None:
        prefix, life = self._meet(name)
        sent, headers = form_of(KEYS[who], WORKSPACE, f"{prefix}/{path}", body)
        told = self._tell(Question("POST", f"/{WORKSPACE}", None, sent, headers))
        life.put(path, body)
        assert told == GONE

    @rule(name=names, path=paths, body=bodies)
    def complete_file(self, name: str, path: str, body: bytes) -> None:
        prefix, life = self._meet(name)
        # Its ETag is another than that of a PUT: so that equal bytes are the same file again.
        data = b"in parts: " + body
        key = f"{prefix}/{path}"
        (begun,) = self.lines.ask(Question("POST", object_target(key, "uploads")))
        upload = parse(begun.body).findtext("UploadId")
        query = f"partNumber=1&uploadId={upload}"
        (part,) = self.lines.ask(Question("PUT", object_target(key, query), body=data))
        document = (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            f"<ETag>{part.headers['ETag']}</ETag></Part></CompleteMultipartUpload>"
        ).encode()
        end = Question("POST", object_target(key, f"uploadId={upload}"), body=document)
        assert self._tell(end) == life.put(path, data)

    @rule(name=names, source=paths, path=paths, who=writers)
    def copy_file_of_the_other(self, name: str, source: str, path: str, who: str) -> None:
        prefix, life = self._meet(name)
        other = "two" if name == "one" else "one"
        body = self.lives[other].writer.get(source)
        told = self._tell(copy(f"{self.folder}/{other}/{source}", f"{prefix}/{path}", KEYS[who]))
        assert told == (NO_KEY if body is None else life.put(path, body))

    @rule(name=names, source=st.sampled_from([MANIFEST, STAGED]), commits=flags, who=writers)
    def copy_manifest_of_the_other(
        self, name: str, source: str, who: str, *, commits: bool
    ) -> None:
        prefix, life = self._meet(name)
        other = "two" if name == "one" else "one"
        body = self.lives[other].writer.get(source)
        path = MANIFEST if commits else STAGED
        told = self._tell(copy(f"{self.folder}/{other}/{source}", f"{prefix}/{path}", KEYS[who]))
        if body is None:
            assert told == NO_KEY
        else:
            assert told == (life.put_manifest(body, who) if commits else life.put_staged(body))

    @rule(name=names, path=paths, who=writers)
    def delete_file(self, name: str, path: str, who: str) -> None:
        prefix, life = self._meet(name)
        assert self._tell(delete(f"{prefix}/{path}", KEYS[who])) == life.delete(path)

    @rule(name=names)
    def delete_everything_that_is_seen(self, name: str) -> None:
        prefix, life = self._meet(name)
        seen = list(life.writer)
        if seen:
            assert self._delete_many(*(f"<Key>{prefix}/{path}</Key>" for path in seen)) == []
        for path in seen:
            life.delete_key(path)

    def _delete_many(self, *objects: str) -> list[str]:
        """The codes of what DeleteObjects could not delete."""
        named = "".join(f"<Object>{each}</Object>" for each in objects)
        target = f"/{WORKSPACE}?delete"
        (answer,) = self.lines.ask(
            Question("POST", target, body=f"<Delete>{named}</Delete>".encode())
        )
        assert answer.status == http.client.OK, answer.body
        root = parse(answer.body)
        return [each.text or "" for each in root.iter() if each.tag.endswith("Code")]

    @rule(name=names, path=st.sampled_from(["a.csv", "d", MANIFEST]), batch=flags)
    def delete_a_pinned_version(self, name: str, path: str, *, batch: bool) -> None:
        prefix, life = self._meet(name)
        key = f"{prefix}/{path}"
        if not life.version or path not in life.pins:
            return
        (pinned,) = self.lines.ask(head(key, KEYS["read"]))
        version = pinned.headers["x-amz-version-id"]
        if batch:
            named = f"<Key>{key}</Key><VersionId>{version}</VersionId>"
            assert self._delete_many(named) == [DENIED[1]]
        else:
            query = f"versionId={version}"
            assert self._tell(delete(key, KEYS["admin"], query)) == DENIED

    @rule(name=names, manifest=manifests, who=writers)
    def put_staged(self, name: str, manifest: bytes, who: str) -> None:
        prefix, life = self._meet(name)
        told = self._tell(put(f"{prefix}/{STAGED}", manifest, KEYS[who]))
        assert told == life.put_staged(manifest)

    @rule(name=names, who=writers)
    def delete_staged(self, name: str, who: str) -> None:
        prefix, life = self._meet(name)
        assert self._tell(delete(f"{prefix}/{STAGED}", KEYS[who])) == life.delete_staged()

    @rule(name=names)
    def delete_manifest(self, name: str) -> None:
        prefix, life = self._meet(name)
        assert self._tell(delete(f"{prefix}/{MANIFEST}")) == life.delete_manifest()

    @rule(name=names, manifest=manifests, who=writers)
    def put_manifest(self, name: str, manifest: bytes, who: str) -> None:
        prefix, life = self._meet(name)
        told = self._tell(put(f"{prefix}/{MANIFEST}", manifest, KEYS[who]))
        assert told == life.put_manifest(manifest, who)

    @rule(name=names, who=writers)
    def rename(self, name: str, who: str) -> None:
        prefix, life = self._meet(name)
        told = self._tell(copy(f"{prefix}/{STAGED}", f"{prefix}/{MANIFEST}", KEYS[who]))
        assert told == life.rename(who)

    @rule(name=names, who=writers)
    def move(self, name: str, who: str) -> None:
        """As `aws s3 mv`: the copy, then the deletion of its source."""
        prefix, life = self._meet(name)
        told = self._tell(copy(f"{prefix}/{STAGED}", f"{prefix}/{MANIFEST}", KEYS[who]))
        assert told == life.rename(who)
        assert self._tell(delete(f"{prefix}/{STAGED}", KEYS[who])) == life.delete_staged()

    @rule(name=names, who=writers, stage=flags, overwrite=flags)
    def create(self, name: str, who: str, *, stage: bool, overwrite: bool) -> None:
        options = {"stage": stage, "overwrite": overwrite}
        told, life = self._call(name, "create", who, manifest=FIELDS, **options)
        assert told == life.create(WRITTEN, who, stage=stage, overwrite=overwrite)

    @rule(name=names, given=flags, who=writers)
    def edit(self, name: str, who: str, *, given: bool) -> None:
        told, life = self._call(name, "edit", who, manifest=FIELDS if given else None)
        assert told == life.edit(WRITTEN if given else None)

    @rule(name=names, who=writers)
    def commit(self, name: str, who: str) -> None:
        told, life = self._call(name, "commit", who)
        assert told == life.commit(who)

    @rule(name=names, path=paths, body=bodies)
    def put_file_by_url(self, name: str, path: str, body: bytes) -> None:
        prefix, life = self._meet(name)
        (answer,) = self.lines.ask(rpc("put_file", prefix=prefix, file_path=path))
        assert outcome(answer) == life.announce(path)
        if answer.status == http.client.OK:
            url: str = answer.json()
            target = url.removeprefix(self.gateway.url)
            assert self._tell(Question("PUT", target, None, body)) == life.put(path, body)

    @rule(name=names, path=paths)
    def promise_a_file(self, name: str, path: str) -> None:
        told, life = self._call(name, "put_file", file_path=path)
        assert told == life.announce(path)

    @rule(name=names, path=paths)
    def remove_file(self, name: str, path: str) -> None:
        told, life = self._call(name, "remove_file", file_path=path)
        assert told == life.remove_file(path)

    @rule(name=names, who=writers)
    def discard(self, name: str, who: str) -> None:
        told, life = self._call(name, "discard", who)
        assert told == life.discard()

    @rule(name=names, number=numbers, who=writers)
    def rollback(self, name: str, number: int, who: str) -> None:
        told, life = self._call(name, "rollback", who, version=number)
        assert told == life.rollback(number, who)

    @rule(name=names)
    def index(self, name: str) -> None:
        told, life = self._call(name, "index")
        assert told == life.index()

    @rule(name=names)
    def delete(self, name: str) -> None:
        told, life = self._call(name, "delete")
        assert told == life.delete_artifact()

    def _call(
        self, name: str, method: str, who: str = "write", **arguments: Document
    ) -> tuple[Answer, Life]:
        prefix, life = self._meet(name)
        return self._tell(rpc(method, KEYS[who], prefix=prefix, **arguments)), life

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        self.looks.check(self.lives, self.last, self.step)

    def teardown(self) -> None:
        """Keep what went wrong: where it does not again, hypothesis tells of that alone."""
        error = sys.exception()
        if error is not None and not isinstance(error, StopTest):
            self.failures.append(traceback.format_exc())
