"""Pages of other origins, and a browser that opens them."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.acceptance.harness import Document
from tests.acceptance.processes import clean_environment, spawn

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, and open nothing but their own pages
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS = 60


class Pages:
    """A server of HTML pages on loopback, each put under its path.

    It is two origins: `http://127.0.0.1:port` and `http://localhost:port`. A page says what it
    has found by a POST of JSON.
    """

    def __init__(self) -> None:
        self._pages: dict[str, str] = {}
        self._told: queue.Queue[Document] = queue.Queue()
        pages, told = self._pages, self._told

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path)
                self._answer(404 if page is None else 200, (page or "").encode())

            def do_POST(self) -> None:
                told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer(200, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def origin(self, host: str) -> str:
        """The origin of the pages when they are asked for at `host`."""
        return f"http://{host}:{self.port}"

    def put(self, path: str, page: str) -> None:
        """Show `page` at `path`."""
        self._pages[path] = page

    def told(self) -> Document:
        """What a page found, as soon as it says so; queue.Empty after a minute."""
        return self._told.get(timeout=SECONDS)

    def close(self) -> None:
        """Show nothing any more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="package")
def pages() -> Iterator[Pages]:
    """The pages' server; nothing is on it until a test puts it there."""
    server = Pages()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def browsing(url: str, folder: Path) -> Iterator[None]:
    """Chromium has the page at `url` open."""
    browser = spawn(_command(folder, url), folder, folder / "chromium.log", clean_environment())
    try:
        yield
    finally:
        browser.terminate()
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()


def document_at(url: str, folder: Path) -> str:
    """The document at `url` when its scripts have run, or were kept from it, as HTML."""
    command = _command(folder, "--dump-dom", url)
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return outcome.stdout


def _command(folder: Path, *arguments: str) -> list[str]:
    assert CHROMIUM is not None
    return [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments]
