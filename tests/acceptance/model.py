"""The state tables as a plain model: one artifact's life, without a gateway, a bucket, an index."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MANIFEST = "manifest.yaml"
STAGED = "_manifest.yaml"

Answer = tuple[int, str]
Files = dict[str, bytes]

OK: Answer = (200, "")
GONE: Answer = (204, "")
NO_KEY: Answer = (404, "NoSuchKey")
NO_ARTIFACT: Answer = (404, "NoSuchArtifact")
NO_VERSION: Answer = (404, "NoSuchVersion")
EXISTS: Answer = (409, "ArtifactExists")
NOT_STAGED: Answer = (409, "NotStaged")
EDIT_OPEN: Answer = (409, "EditOpen")
MISSING: Answer = (409, "MissingFiles")
PRESENT: Answer = (412, "PreconditionFailed")
NO_COLLECTION: Answer = (400, "InvalidManifest")


@dataclass(slots=True)
class Life:
    """One prefix, and what has happened there. Each event answers as the gateway should.

    `files` and `plain` (`manifest.yaml`) are the newest objects at the plain keys, `pins` what
    the current version holds, `before` what the files written in the stage of an artifact that
    was never committed were before it.
    """

    files: Files = field(default_factory=dict)
    plain: bytes | None = None
    staged: bytes | None = None
    number: int = 0
    version: int = 0
    author: str = ""
    history: dict[int, Files] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    before: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def pins(self) -> Mapping[str, bytes]:
        """What readers see of a committed artifact."""
        return self.history.get(self.version, {})

    @property
    def exists(self) -> bool:
        """Whether there is an artifact, staged or committed."""
        return bool(self.version) or self.staged is not None

    @property
    def open(self) -> bool:
        """Whether an edit is open."""
        if self.staged is not None:
            return True
        return bool(self.version) and self._now(self.plain) != self.pins

    @property
    def writer(self) -> Files:
        """What callers with `write` see."""
        if self.staged is not None:
            return {**self.files, STAGED: self.staged}
        return self._now(self.plain)

    @property
    def reader(self) -> Files:
        """What callers with `read` see."""
        if self.version:
            return dict(self.pins)
        return {} if self.staged is not None else dict(self.files)

    @property
    def held(self) -> Files:
        """What the backend holds at the plain keys: what writers see, and what that hides."""
        hidden = {} if self.plain is None else {MANIFEST: self.plain}
        return {**self.writer, **hidden}

    def _now(self, manifest: bytes | None) -> Files:
        return self.files if manifest is None else {**self.files, MANIFEST: manifest}

    def put(self, path: str, body: bytes) -> Answer:
        """PUT, COPY or CompleteMultipartUpload of a file."""
        if self.staged is not None and not self.version:
            self.before.setdefault(path, self.files.get(path))
        self.files = {**self.files, path: body}
        self._settle()
        return OK

    def put_if_absent(self, path: str, body: bytes, who: str) -> Answer:
        """PUT of a file or a manifest with `If-None-Match: *`."""
        if path in self.writer:
            return PRESENT
        if path == STAGED:
            return self.put_staged(body)
        return self.put_manifest(body, who) if path == MANIFEST else self.put(path, body)

    def delete_key(self, path: str) -> Answer:
        """DELETE of a file or a manifest."""
        if path == STAGED:
            return self.delete_staged()
        return self.delete_manifest() if path == MANIFEST else self.delete(path)

    def delete(self, path: str) -> Answer:
        """DELETE of a file."""
        self._remove(path)
        self._settle()
        self._end_if_empty()
        return GONE

    def _remove(self, path: str) -> None:
        self.files = {name: body for name, body in self.files.items() if name != path}
        self.before.pop(path, None)

    def put_staged(self, manifest: bytes) -> Answer:
        """PUT `_manifest.yaml`."""
        self.staged = manifest
        return OK

    def delete_staged(self) -> Answer:
        """DELETE `_manifest.yaml`."""
        if self.staged is not None:
            self.staged = None
            self._settle()
            self._end_if_empty()
        return GONE

    def delete_manifest(self) -> Answer:
        """DELETE `manifest.yaml`."""
        if self.version:
            self.plain = None
            self._end_if_empty()
        return GONE

    def put_manifest(self, manifest: bytes, who: str) -> Answer:
        """PUT `manifest.yaml`."""
        return self._commit(manifest, who)

    def rename(self, who: str) -> Answer:
        """COPY of `_manifest.yaml` onto `manifest.yaml`."""
        if self.staged is not None:
            return self._commit(self.staged, who)
        return OK if self.version and not self.open and self.author == who else NO_KEY

    def _commit(self, manifest: bytes, who: str) -> Answer:
        if self.announced - set(self.files):
            return MISSING
        pins = self._now(manifest)
        if not self.version or pins != self.pins:
            self.number += 1
            self.version, self.author = self.number, who
            self.history[self.number] = dict(pins)
        self.plain, self.staged = manifest, None
        self._settle()
        return OK

    def create(self, manifest: bytes, who: str, *, stage: bool, overwrite: bool) -> Answer:
        """RPC `create`."""
        if self.exists and not overwrite:
            return EXISTS
        self.staged = manifest
        if overwrite:
            for path in self.files:
                self._remove(path)
            self.announced.clear()
        return OK if stage else self._commit(manifest, who)

    def edit(self, manifest: bytes | None) -> Answer:
        """RPC `edit`."""
        if not self.exists:
            return NO_ARTIFACT
        if manifest is not None:
            self.staged = manifest
        elif self.staged is None:
            self.staged = self.pins[MANIFEST]
        return OK

    def commit(self, who: str) -> Answer:
        """RPC `commit`."""
        return self._refusal() or self._commit(self.staged or self.pins[MANIFEST], who)

    def announce(self, path: str) -> Answer:
        """RPC `put_file`, without the PUT to its URL."""
        refusal = self._refusal()
        if refusal is None:
            self.announced.add(path)
        return refusal or OK

    def remove_file(self, path: str) -> Answer:
        """RPC `remove_file`."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if path not in self.files and path not in self.announced:
            return NO_KEY
        self.announced.discard(path)
        self._remove(path)
        self._settle()
        return OK

    def discard(self) -> Answer:
        """RPC `discard`."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        self.staged = None
        if self.version:
            self.plain = self.pins[MANIFEST]
            self.files = {path: body for path, body in self.pins.items() if path != MANIFEST}
        for path, body in self.before.items():
            if body is None:
                del self.files[path]
            else:
                self.files[path] = body
        self._settle()
        return OK

    def _edited(self) -> Answer | None:
        """What the methods say that need a commit and no edit, where that is not so."""
        if not self.exists:
            return NO_ARTIFACT
        if not self.version:
            return NOT_STAGED
        return EDIT_OPEN if self.open else None

    def index(self) -> Answer:
        """RPC `index`, of what is no collection."""
        return self._edited() or NO_COLLECTION

    def rollback(self, number: int, who: str) -> Answer:
        """RPC `rollback`."""
        refusal = self._edited()
        if refusal is not None:
            return refusal
        if number not in self.history:
            return NO_VERSION
        old = self.history[number]
        self.files = {path: body for path, body in old.items() if path != MANIFEST}
        return self._commit(old[MANIFEST], who)

    def delete_artifact(self) -> Answer:
        """RPC `delete`."""
        if not self.exists:
            return NO_ARTIFACT
        if not self.version:
            return self.discard()
        self._bury()
        return OK

    def _refusal(self) -> Answer | None:
        """What the methods say that need an open edit, where none is."""
        if not self.exists:
            return NO_ARTIFACT
        return None if self.open else NOT_STAGED

    def _settle(self) -> None:
        """An edit that has come to nothing takes what was promised in it along."""
        if not self.open:
            self.announced.clear()
            self.before.clear()

    def _end_if_empty(self) -> None:
        """The last key that writers see goes: as by `delete`."""
        if self.version and not self.writer:
            self._bury()

    def _bury(self) -> None:
        self.number += 1
        self.version, self.plain, self.staged = 0, None, None
        self.files = {}
        self.history.clear()
        self._settle()
