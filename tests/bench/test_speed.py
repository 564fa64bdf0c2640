import hashlib
import json
import socket
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.figures import Report
from bench.speed import measuring, page
from bench.speed.contests import Contest, Contestant
from bench.speed.load import read_load
from bench.speed.measuring import Sample, Standing, measure, middle
from bench.speed.plots import Bar, bars
from bench.speed.profiles import shares
from bench.speed.promises import add_contests, judged
from bench.speed.proxies import HAPROXY, NGINX, Server
from bench.speed.relay import BUFFER, serve
from bench.speed.signing import CHUNK, Ask, Payload
from bench.speed.stand import LARGE
from tests.acceptance.keys import KEYS

RECORDED = """\
Running 1s test @ http://127.0.0.1:15386
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.46ms   11.72ms  84.29ms   90.10%
    Req/Sec     1.36k   318.30     1.71k    60.00%
  1364 requests in 1.01s, 6.09MB read
Requests/sec:   1356.10
Transfer/sec:      6.06MB

{"requests": 1364, "bytes": 6386248, "microseconds": 1005824, "p50": 7925, "p99": 84290, \
"refused": 0, "failed": 0}
"""
URL = "http://127.0.0.1:9000"


def test_wrk_is_understood() -> None:
    load = read_load(RECORDED)
    assert (load.requests, load.received) == (1364, 6_386_248)
    assert (load.seconds, load.p50, load.p99) == (1.005824, 7925, 84290)
    assert load.answers(4096) == pytest.approx(1559.14, abs=0.01)


@pytest.mark.parametrize("wrong", ['"refused": 3', '"failed": 3'])
def test_what_was_refused_is_no_figure(wrong: str) -> None:
    name = wrong.partition(":")[0]
    with pytest.raises(RuntimeError, match="not all answered"):
        read_load(RECORDED.replace(f"{name}: 0", wrong))


def test_of_passes_each_figure_is_the_middle_one() -> None:
    passes = [Sample(1, 30, 5, None, 2, 8), Sample(3, 10, 4, 9, 1, 9), Sample(2, 20, 6, 7, 3, 7)]
    assert middle(passes) == Sample(2, 20, 5, None, 2, 8)


def test_each_round_ends_with_what_clears_up_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    def turn(_: Contest, contestant: Contestant, __: int) -> Sample:
        happened.append(contestant.name)
        return Sample(1, 1, 1, 1, 1, 1)

    monkeypatch.setattr(measuring, "_turn", turn)
    server = Server("backend", URL, KEYS["read"], None)
    contestants = [Contestant(name, server, lambda _: ()) for name in ("a", "b")]
    contest = Contest("PUT", 0, 1, contestants, passes=2, after=lambda: happened.append("cleared"))
    standings = measure(contest, 1, 1)
    assert happened == [*"baab", "cleared", *"abba", "cleared"]
    assert [len(each.samples) for each in standings.values()] == [1, 1]


def test_chunks_frame_the_whole_body() -> None:
    body = bytes(2 * CHUNK + 5)
    sent = Ask("PUT", "/w/key", body, payload=Payload.CHUNKS).signed(URL, KEYS["write"])
    head, _, framed = sent.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(framed)}".encode() in head
    assert f"x-amz-decoded-content-length: {len(body)}".encode() in head
    sizes = []
    while framed:
        line, _, framed = framed.partition(b"\r\n")
        size, _, signature = line.partition(b";chunk-signature=")
        assert len(signature) == 64
        sizes.append(int(size, 16))
        framed = framed[sizes[-1] + 2 :]
    assert sizes == [CHUNK, CHUNK, 5, 0]


def test_a_hash_is_the_bodys() -> None:
    sent = Ask("PUT", "/w/key", b"body", payload=Payload.HASH).signed(URL, KEYS["write"])
    assert hashlib.sha256(b"body").hexdigest().encode() in sent


def test_proxies_listen_on_loopback_alone() -> None:
    haproxy = HAPROXY.format(splice="splice-auto", port=11_000, backend=12_000)
    assert "bind 127.0.0.1:11000\n" in haproxy
    assert "option splice-auto\n" in haproxy
    nginx = NGINX.format(folder="/f", port=11_000, backend=12_000)
    assert "listen 127.0.0.1:11000;" in nginx
    assert nginx.count("{") == nginx.count("}") == 5


def _relay() -> tuple[socket.socket, socket.socket, threading.Thread]:
    """A client's and a backend's end of a relay that runs."""
    (client, before), (behind, backend) = socket.socketpair(), socket.socketpair()

    def run() -> None:
        with before, behind:
            serve(before, behind)

    relay = threading.Thread(target=run, daemon=True)
    relay.start()
    client.settimeout(10)
    backend.settimeout(10)
    return client, backend, relay


def test_the_relay_passes_requests_and_answers_as_they_came() -> None:
    client, backend, relay = _relay()
    bodies = [bytes(range(256)) * (BUFFER // 256) * 2 + b"end", b"", b"short"]
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with client, backend, client.makefile("rb") as answers, backend.makefile("rb") as requests:
        for body in bodies:
            sent = Ask("PUT", "/w/key", body).signed(URL, KEYS["write"])
            sender = threading.Thread(target=client.sendall, args=(sent,))
            sender.start()
            assert requests.read(len(sent)) == sent
            sender.join()
            backend.sendall(answer)
            assert answers.read(len(answer)) == answer
        client.shutdown(socket.SHUT_WR)
        assert requests.read(1) == b""
    relay.join(10)
    assert not relay.is_alive()


def test_the_relay_leaves_with_the_backend() -> None:
    client, backend, relay = _relay()
    with client, backend:
        backend.close()
        assert client.recv(1) == b""
    relay.join(10)
    assert not relay.is_alive()


def _standing(contestant: str, *cpu: float) -> Standing:
    samples = [Sample(1, 1, 1, 1, each, 1) for each in cpu]
    return Standing("GET 4 KiB", contestant, samples)


def test_promises_are_judged_by_ratios_within_a_round() -> None:
    found = {
        "rclone": _standing("rclone", 1000, 2000, 400),
        "HAProxy splice-auto": _standing("HAProxy splice-auto", 50, 100, 20),
        "gateway, committed": _standing("gateway, committed", 200, 400, 90),
        "gateway, in memory": _standing("gateway, in memory", 50, 100, 30),
        "backend": _standing("backend", 0, 0, 0),
    }
    report = Report("")
    add_contests(report, [(Contest("GET 4 KiB", 4096, 16, ()), found)], [])
    assert [figure.median for figure in report.figures] == pytest.approx([0.2, 4.0, 1.0, 1.0])
    assert [figure.kept for figure in report.figures] == [True, False, True, False]


def test_promises_hold_at_every_number_of_connections_but_one() -> None:
    found = {name: _standing(name, 10) for name in ("backend", "gateway")}
    one, few, many = (Contest("List", 0, number, ()) for number in (1, 16, 128))
    several = judged([(one, found), (few, found), (many, found)])
    assert [contest for contest, _ in several] == [few, many]
    assert [contest for contest, _ in judged([(one, found)])] == [one]


def test_the_bare_relay_stands_beside_the_bound_without_a_promise() -> None:
    cpu = {
        "rclone": 400.0,
        "HAProxy splice-auto": 50.0,
        "bare relay, hash": 70.0,
        "gateway, unsigned": 20.0,
        "gateway, hash": 77.0,
        "gateway, chunks": 98.0,
    }
    found = {name: _standing(name, value) for name, value in cpu.items()}
    report = Report("")
    contest = Contest("PUT 64 MiB", LARGE, 16, ())
    add_contests(report, [(contest, found)], [40.0])  # 0.6 * 50 + 1.15 * 40 = 76
    told = {figure.name: figure for figure in report.figures}
    bound = "(0.6 HAProxy splice-auto + 1.15 hashlib)"
    relay = told[f"PUT 64 MiB, 16 connections, CPU: bare relay, hash / {bound}"]
    beside = told["PUT 64 MiB, 16 connections, CPU: gateway, hash / bare relay, hash"]
    assert (relay.median, beside.median) == pytest.approx((70 / 76, 1.1))
    assert (relay.kept, beside.kept) == (None, None)
    assert told[f"PUT 64 MiB, 16 connections, CPU: gateway, hash / {bound}"].kept is False


def test_a_plot_says_in_words_what_it_shows() -> None:
    svg = bars("A <contest>", "µs", [Bar("backend", 10, own=False), Bar("gateway", 20, own=True)])
    root = ET.fromstring(svg)  # noqa: S314 - written above
    texts = ["".join(each.itertext()) for each in root]
    assert texts[:2] == ["A <contest>", "In µs: backend 10.0; gateway 20.0."]


def test_the_page_says_what_was_missed(tmp_path: Path) -> None:
    medians = dict.fromkeys(page.FIGURES, 1.5)
    run = {
        "command": "python -m bench.speed",
        "made": "2026-01-01T00:00:00+00:00",
        "minutes": 12.3,
        "rounds": 5,
        "seconds": 1,
        "machine": {"cores": "2"},
        "versions": {"wrk": "4.1.0"},
        "promised": [
            {"name": "put_file", "median": 4.0, "unit": "ms", "most": 3.0, "kept": False},
            {"name": "Import", "median": 400.0, "unit": "ms", "most": None, "kept": None},
        ],
        "profiles": {"GET 4 KiB: gateway": [["gateway/web/reply.py: send", 12.34]]},
        "failures": ["HEAD: no answer"],
        "contests": [
            {
                "title": "GET 4 KiB, 16 connections",
                "standings": [{"name": name, "medians": medians} for name in ("nginx", "gateway")],
            }
        ],
    }
    page.write(json.loads(json.dumps(run)), tmp_path)
    text = (tmp_path / "performance.md").read_text()
    assert "| put_file | 4.00 ms | ≤ 3 ms | **missed** |" in text
    assert "- HEAD: no answer" in text
    assert "### GET 4 KiB: gateway\n" in text
    assert "| `gateway/web/reply.py: send` | 12.3 % |" in text
    address = "performance/get-4-kib-16-connections.svg"
    assert f"In µs of CPU a request: nginx 1.50; gateway 1.50.]({address})" in text
    assert (tmp_path / address).read_text().startswith("<svg")


def test_a_look_counts_for_the_innermost_function() -> None:
    loop = "thread (7): MainThread;main (gateway/a.py:1)"
    lines = [
        f"{loop};send (gateway/web/b.py:7) 3",
        f"{loop};send (gateway/web/b.py:9) 4",
        f"{loop};run (/x/lib/site-packages/y/z.py:3) 2",
        f"{loop} 1",
        "thread (8): journal-sync;run (threading.py:9);_work (gateway/c.py:81) 90",
    ]
    assert shares(lines) == [
        ("gateway/web/b.py: send", 70.0),
        ("y/z.py: run", 20.0),
        ("gateway/a.py: main", 10.0),
    ]
