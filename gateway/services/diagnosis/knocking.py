"""Knock where a gateway should be: at its port, and where its URLs lead."""

import json
import socket
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from gateway.config import Config
from gateway.services.diagnosis.bounding import in_thread, reason
from gateway.services.diagnosis.verdict import Verdict, failure, ok, warning
from gateway.services.diagnosis.vetting import is_loopback

KNOCK_SECONDS = 4.0
LIVE, READY = "/_health/live", "/_health/ready"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to be asked, not bound
TO_PROXY = (
    "have the proxy pass the Host on, or name the proxy in listen.trusted_proxies and have it"
    " send X-Forwarded-Host"
)


class Knocking:
    """Checks of what answers at this gateway's addresses; `runs` is known once `port` was asked."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.runs = False

    async def port(self) -> Sequence[Verdict]:
        """Whether the port is free, a gateway's, or somebody else's."""
        listen = self._config.listen
        where = f"port {listen.port} of {listen.host}"
        if listen.port == 0:
            return [ok("port", "any free one is taken")]
        url = f"http://{_bracketed(EVERYWHERE.get(listen.host, listen.host))}:{listen.port}"
        host = urlsplit(self._config.public_url or url).netloc
        try:
            answer = await in_thread(lambda: _ask(url, READY, host))
        except (OSError, HTTPException):
            # Nobody is there, or nobody who speaks HTTP: the port itself tells.
            return [await in_thread(lambda: _try_port(listen.host, listen.port, where))]
        state = answer.state
        if state is None:
            remedy = "stop what listens there, or choose another listen.port"
            return [failure("port", f"{where} is another program's", remedy)]
        self.runs = True
        failing = ", ".join(f"{name} {state[name]}" for name in state if name != "status")
        if answer.status != HTTPStatus.OK:
            found = f"a gateway runs at {where} and is not ready: {failing}"
            return [warning("port", found, "see its log, and the other lines here")]
        return [ok("port", f"a gateway runs at {where}, and is ready")]

    async def public_url(self) -> Sequence[Verdict]:
        """Whether the URLs that are handed out lead here, and in a way that nobody overhears."""
        check, url = "public_url", self._config.public_url
        if url is None:
            return [ok(check, f"none: URLs begin with {self._config.base_url}")]
        if not self.runs:
            return [*_overheard(url), ok(check, f"{url}: not asked, since no gateway runs here")]
        try:
            answer = await in_thread(lambda: _ask(url, LIVE))
        except (OSError, HTTPException) as error:
            remedy = "look at its name, the proxy and its certificate, if clients here need it"
            return [*_overheard(url), warning(check, f"{url}: {reason(error)}", remedy)]
        if answer.status == HTTPStatus.MISDIRECTED_REQUEST:
            found = f"{url} leads to a gateway that takes it for another Host (421)"
            return [*_overheard(url), failure(check, found, TO_PROXY)]
        if answer.state is None:
            remedy = "have the proxy pass /_health and all other paths on"
            found = f"{url} answers {answer.status}, and not as a gateway does"
            return [*_overheard(url), warning(check, found, remedy)]
        return [*_overheard(url), ok(check, f"{url} leads to a gateway")]


class _Answer:
    """A status, and a gateway's word on its health where it is a gateway's."""

    def __init__(self, status: int, signed: str | None, body: bytes) -> None:
        self.status = status
        self.state: dict[str, object] | None = None
        try:
            document = json.loads(body)
        except ValueError:
            return
        if signed is not None and isinstance(document, dict) and "status" in document:
            self.state = document


def _ask(url: str, path: str, host: str | None = None) -> _Answer:
    """The answer to a GET; OSError, HTTPException."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=KNOCK_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return _Answer(answer.status, answer.headers.get("x-amz-request-id"), answer.read(4096))
    except ssl.SSLCertVerificationError as error:
        raise OSError(f"its certificate is not trusted here: {error.verify_message}") from None
    finally:
        connection.close()


def _try_port(host: str, port: int, where: str) -> Verdict:
    """Whether the port can be had: it is bound, and let go."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except OSError as error:
        remedy = "stop what listens there, or choose another listen.host or listen.port"
        return failure("port", f"{where}: {error.strerror}", remedy)
    return ok("port", f"{where} is free")


def _overheard(url: str) -> Sequence[Verdict]:
    parts = urlsplit(url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return []
    found = f"{url} is not encrypted: tokens and signed URLs can be read on their way"
    return [warning("public_url", found, "serve it by https, from a proxy before the gateway")]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
