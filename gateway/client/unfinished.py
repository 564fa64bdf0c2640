"""What is known of an upload in parts, kept in a file until it is finished.

The file holds URLs that anybody may put bytes to, so it is its owner's alone (mode 0600). Its
first line says what is sent where; each further line names a part that has arrived.
"""

import fcntl
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.client.results import PartedUpload

URL_SECONDS = 7 * 24 * 3600
"""How long an upload can be continued: no URL is good for longer."""


def uploads_folder() -> Path:
    """Where the files are: below $XDG_CACHE_HOME, or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "artifact-gateway" / "uploads"


def _tidy(folder: Path) -> None:
    """What is older than its URLs can be is gone."""
    for each in folder.glob("*.json"):
        with suppress(FileNotFoundError):
            if time.time() - each.stat().st_mtime > URL_SECONDS:
                each.unlink()


@dataclass(slots=True)
class Unfinished:
    """An upload in parts of one source to one place: `upload` is None before it has begun.

    `what` names both, with the source's size and time: another source finds nothing. While a
    process uses the file, others that send the same begin an upload of their own, without one.
    """

    what: Sequence[object]
    upload: PartedUpload | None = None
    etags: dict[int, str] = field(default_factory=dict)
    _file: TextIOWrapper | None = None

    def __enter__(self) -> Self:
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tidy(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return self
        self._file = file
        self._load(file.read().split("\n"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._file is not None:
            if self.upload is None:
                self._path.unlink(missing_ok=True)
            self._file.close()

    @property
    def _path(self) -> Path:
        name = sha256(json.dumps(list(self.what)).encode()).hexdigest()[:32]
        return uploads_folder() / f"{name}.json"

    def _load(self, lines: Sequence[str]) -> None:
        try:
            upload = json.loads(lines[0])
            self.upload = {"upload_id": upload["upload_id"], "parts": upload["parts"]}
            # What was being written when the process died has no end of line.
            for line in lines[1:-1]:
                part = json.loads(line)
                self.etags[part["part_number"]] = part["etag"]
        except (ValueError, TypeError, LookupError):
            self.forget()

    def begin(self, upload: PartedUpload) -> None:
        """Keep a new upload, of which no part has arrived."""
        self.forget()
        self.upload = upload
        self._write(dict(upload))

    def arrived(self, number: int, etag: str) -> None:
        """Keep that a part has arrived."""
        self.etags[number] = etag
        self._write({"part_number": number, "etag": etag})

    def forget(self) -> None:
        """It is finished, or nothing can be made of it."""
        self.upload = None
        self.etags.clear()
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def _write(self, line: dict[str, object]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
