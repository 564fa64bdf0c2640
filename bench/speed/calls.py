"""Calls that come one after the other: `put_file`, and commits beside direct PUTs of 4 KiB."""

import http.client
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.speed.proxies import Server
from bench.speed.signing import Ask
from bench.speed.stand import SMALL, Stand
from tests.acceptance.keys import OTHER_WORKSPACE, WORKSPACE

PREFIX = "artifact-1"
OK = 200


@dataclass(slots=True)
class Line:
    """A connection that is kept, on which requests are timed."""

    connection: http.client.HTTPConnection

    def milliseconds(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> float:
        """How long the answer took; RuntimeError for a refusal."""
        began = time.perf_counter()
        self.connection.request(method, target, body, dict(headers))
        answer = self.connection.getresponse()
        said = answer.read()
        taken = (time.perf_counter() - began) * 1000
        if answer.status != OK:
            raise RuntimeError(f"{method} {target}: {answer.status} {said[:300]!r}")
        return taken


def calls(stand: Stand, rounds: int) -> Mapping[str, list[float]]:
    """Milliseconds by name, of so many alternations."""
    gateway, backend = stand.gateway(key="write"), stand.proxies[0]
    token = stand.few.rpc("generate_token", key="admin", grants={WORKSPACE: "write"})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    lines = {each.url: _line(each) for each in (gateway, backend)}

    def rpc(method: str, **arguments: str) -> float:
        body = json.dumps({"prefix": PREFIX} | arguments).encode()
        target = f"/_rpc/{WORKSPACE}/{method}"
        return lines[gateway.url].milliseconds("POST", target, body, headers)

    def put(server: Server, target: str) -> float:
        body = os.urandom(SMALL)
        signed = Ask("PUT", target, body).headers_for(server.url, server.key)
        return lines[server.url].milliseconds("PUT", target, body, signed)

    times: dict[str, list[float]] = {"put_file": [], "commit": [], "direct PUT": []}
    for turn in range(rounds + 1):
        rpc("edit")
        promised = rpc("put_file", file_path="data.bin")
        put(gateway, f"/{WORKSPACE}/{PREFIX}/data.bin")
        committed = rpc("commit")
        written = put(backend, f"/{OTHER_WORKSPACE}/written/direct.bin")
        if turn:
            times["put_file"].append(promised)
            times["commit"].append(committed)
            times["direct PUT"].append(written)
    return times


def _line(server: Server) -> Line:
    return Line(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60))
