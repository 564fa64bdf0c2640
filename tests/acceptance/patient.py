"""Running doctor on a configuration as a process of its own, and servers that are not well."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread

import yaml

from tests.acceptance.harness import Document
from tests.acceptance.processes import clean_environment
from tests.acceptance.warm import gateway


@dataclass(frozen=True, slots=True)
class Examined:
    """How doctor ended, and its lines."""

    code: int
    verdicts: Sequence[Mapping[str, str]]
    said: str

    def of(self, check: str) -> Mapping[str, str]:
        """The one verdict of a check."""
        (found,) = (each for each in self.verdicts if each["check"] == check)
        return found

    def told(self, level: str) -> list[str]:
        """Which checks ended so."""
        return [each["check"] for each in self.verdicts if each["level"] == level]


def doctor(folder: Path, *options: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["doctor", *map(str, options)]
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        run = gateway().start(arguments, clean_environment(), folder, out, errors)
        code = run.wait(110)
        out.seek(0)
        errors.seek(0)
        return code, out.read(), errors.read()


def examine(folder: Path, document: Document) -> Examined:
    """What doctor says of a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "examined.yaml"
    path.write_text(yaml.safe_dump(document))
    code, out, errors = doctor(folder, "--config", path, "--json")
    assert out, errors
    return Examined(code, json.loads(out), out + errors)


@dataclass(frozen=True, slots=True)
class Answering:
    """What a server says to every request."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@contextmanager
def serving(*answers: Answering) -> Iterator[int]:
    """The port of a server that gives these answers, the last of them again and again."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = left.pop(0) if len(left) > 1 else left[0]
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
