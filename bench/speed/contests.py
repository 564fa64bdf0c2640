"""The contests: the same work for several contestants, and what is sent to each of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from bench.speed.proxies import Server
from bench.speed.signing import Ask, Payload
from bench.speed.stand import (
    CROWD,
    INNER,
    INNER_BUCKET,
    LARGE,
    LISTED,
    MIDDLE,
    OBJECTS,
    SIZES,
    SMALL,
    WARM,
    Stand,
    path_of,
)
from tests.acceptance.keys import OTHER_WORKSPACE, WORKSPACE

ARTIFACT = "public/artifact"
BARE = "bare relay, hash"
CROWDED = "GET 4 KiB in a crowd"
LIST_EQUAL = "ListObjectsV2 of 1,000, equal names"
LIST_TRANSLATED = "ListObjectsV2 of 1,000, translated"
MANIFEST = "GET of a manifest, artifact door"
MEMBERS = "Page of 50 members"
RANGE = 64 * 1024
PAGE = 50
# Bodies that go up in a turn, and so at most as many at once: the disk needs room for a round's.
COUNTS = {MIDDLE: 64, LARGE: 16}
LISTINGS, LISTING_PASSES = 10, 16
USUAL = 16


@dataclass(frozen=True, slots=True)
class Contestant:
    """A name, the server that it asks, and what makes the requests, signed now."""

    name: str
    server: Server
    requests: Callable[[Server], Sequence[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contest:
    """Work of one kind: `size` bytes move with each request, over so many connections.

    With a `count` a turn ends after so many requests, else after some seconds. Of short turns a
    round has several `passes`: where the machine is slower for a while, it is so for all of them.
    `up`: the bytes are the requests'. `after` each round something may have to be cleared.
    """

    name: str
    size: int
    connections: int
    contestants: Sequence[Contestant]
    count: int | None = None
    up: bool = False
    passes: int = 1
    after: Callable[[], None] | None = None

    @property
    def heads(self) -> bool:
        """Whether answers have no body, whatever they say of its length."""
        return self.name.startswith("HEAD")

    @property
    def title(self) -> str:
        """The name with the number of connections: no two contests have the same."""
        plural = "" if self.connections == 1 else "s"
        return f"{self.name}, {self.connections} connection{plural}"


def usual(connections: Sequence[int]) -> int:
    """How many connections most contests have: 16, or the first number that is wanted."""
    return USUAL if USUAL in connections else connections[0]


def contests(stand: Stand, connections: Sequence[int]) -> Iterator[Contest]:
    """All contests; what one needs that the others must not meet is made when it is reached."""
    number = usual(connections)
    for each in connections:
        yield _get(stand, SMALL, each, every=each == number)
        yield _put(stand, SMALL, each, every=each == number)
    from_usual = sorted({max(each, number) for each in connections})
    for size in (MIDDLE, LARGE):
        for each in from_usual:
            yield _get(stand, size, each, every=each == number)
        yield _put(stand, size, min(number, COUNTS[size]), every=True)
    for each in from_usual:
        yield _crowded(stand, each)
    yield _ways("HEAD 4 KiB", 0, number, stand, partial(_objects, "HEAD", SMALL))
    yield _ways("GET 64 KiB of 1 MiB", RANGE, number, stand, partial(_objects, "RANGE", MIDDLE))
    yield _list(stand)
    yield _list_translated(stand)
    yield _manifest(stand, number)
    stand.shelve(PAGE)
    yield _page(stand, number)


def _objects(method: str, size: int, place: str, server: Server) -> list[bytes]:
    """GETs, HEADs, or GETs of a range, of the objects of a size below a place."""
    headers = {"Range": f"bytes=0-{RANGE - 1}"} if method == "RANGE" else {}
    asks = (
        Ask(method.replace("RANGE", "GET"), f"/{place}/{path_of(size, number)}", headers=headers)
        for number in range(OBJECTS[size])
    )
    return [ask.signed(server.url, server.key) for ask in asks]


def _ways(
    name: str,
    size: int,
    connections: int,
    stand: Stand,
    requests: Callable[[str, Server], Sequence[bytes]],
) -> Contest:
    """A contest of everybody about plain objects, and of the gateway about committed files."""
    plain = partial(requests, f"{WORKSPACE}/plain")
    committed = partial(requests, f"{WORKSPACE}/{ARTIFACT}")
    gateway = stand.gateway()
    contestants = [Contestant(each.name, each, plain) for each in stand.proxies]
    contestants.append(Contestant("gateway, plain", gateway, plain))
    contestants.append(Contestant("gateway, committed", gateway, committed))
    return Contest(name, size, connections, contestants)


def _get(stand: Stand, size: int, connections: int, *, every: bool) -> Contest:
    requests = partial(_objects, "GET", size)
    contest = _ways(f"GET {SIZES[size]}", size, connections, stand, requests)
    if size == SMALL:
        kept = partial(requests, f"{WARM}/{ARTIFACT}")
        warm = Contestant("gateway, in memory", stand.gateway(warm=True), kept)
        contest = Contest(contest.name, size, connections, [*contest.contestants, warm])
    if not every:
        return contest
    silent = Contestant("gateway, silent", stand.gateway(), partial(_silent, stand, size))
    contestants = [*contest.contestants, silent]
    return Contest(contest.name, size, connections, contestants)


def _silent(stand: Stand, size: int, server: Server) -> list[bytes]:
    """GETs of committed files by URLs of `get_file` that count nothing."""
    asks = []
    for number in range(OBJECTS[size]):
        url = stand.few.rpc(
            "get_file",
            key="read",
            prefix=ARTIFACT,
            path=path_of(size, number),
            options={"silent": True},
        )
        parts = urlsplit(url)
        asks.append(Ask("GET", f"{parts.path}?{parts.query}").plain(server.url))
    return asks


def _put(stand: Stand, size: int, connections: int, *, every: bool) -> Contest:
    plain = f"{OTHER_WORKSPACE}/written"
    gateway = stand.gateway(key="write")
    contestants = [
        Contestant(each.name, each, partial(_bodies, size, plain, Payload.UNSIGNED))
        for each in stand.proxies
        if each.name != "HAProxy splice-response"  # which changes nothing on the way up
    ]
    if size == LARGE:  # of which the copies and the hash are nearly all that it costs
        sent = partial(_bodies, size, plain, Payload.UNSIGNED)
        contestants.append(Contestant(BARE, stand.relay, sent))
    ways = [("gateway, unsigned", plain, Payload.UNSIGNED)]
    if every:
        ways += [
            ("gateway, hash", plain, Payload.HASH),
            ("gateway, chunks", plain, Payload.CHUNKS),
            ("gateway, staged", f"{WORKSPACE}/artifact-0", Payload.UNSIGNED),
        ]
    contestants += [
        Contestant(name, gateway, partial(_bodies, size, place, payload))
        for name, place, payload in ways
    ]
    name = f"PUT {SIZES[size]}"
    after = stand.forget_written if size == LARGE else None
    return Contest(name, size, connections, contestants, COUNTS.get(size), up=True, after=after)


def _bodies(size: int, place: str, payload: Payload, server: Server) -> list[bytes]:
    """PUTs of as many bodies as there are objects of a size, or of one that is large."""
    body = bytes(range(256)) * (size // 256)
    asks = (
        Ask("PUT", f"/{place}/{path_of(size, number)}", body, payload=payload)
        for number in range(1 if size == LARGE else OBJECTS[size])
    )
    return [ask.signed(server.url, server.key) for ask in asks]


def _crowded(stand: Stand, connections: int) -> Contest:
    """Plain objects beside committed files, with ten artifacts and with a crowd."""
    contestants = [
        Contestant(
            f"gateway, {kind}, {'many' if many else 'ten'} artifacts",
            stand.gateway(many=many),
            partial(_objects, "GET", SMALL, f"{CROWD if many else WORKSPACE}/{place}"),
        )
        for many in (False, True)
        for kind, place in (("plain", "plain"), ("committed", ARTIFACT))
    ]
    return Contest(CROWDED, SMALL, connections, contestants)


def _list(stand: Stand) -> Contest:
    asks = partial(_listing, WORKSPACE, "listed/")
    contestants = [Contestant(each.name, each, asks) for each in stand.proxies]
    contestants.append(Contestant("gateway", stand.gateway(), asks))
    return Contest(LIST_EQUAL, 0, 1, contestants, LISTINGS, passes=LISTING_PASSES)


def _list_translated(stand: Stand) -> Contest:
    contestants = [
        Contestant("backend", stand.proxies[0], partial(_listing, INNER_BUCKET, "inner/listed/")),
        Contestant("gateway", stand.gateway(), partial(_listing, INNER, "listed/")),
    ]
    return Contest(LIST_TRANSLATED, 0, 1, contestants, LISTINGS, passes=LISTING_PASSES)


def _listing(bucket: str, prefix: str, server: Server) -> list[bytes]:
    prefix = prefix.replace("/", "%2F")
    ask = Ask("GET", f"/{bucket}?list-type=2&max-keys={LISTED}&prefix={prefix}")
    return [ask.signed(server.url, server.key)]


def _manifest(stand: Stand, connections: int) -> Contest:
    ask = Ask("GET", f"/{WORKSPACE}/artifact/{ARTIFACT}", headers={"Accept": "application/json"})
    contestant = Contestant("gateway", stand.gateway(), lambda server: [ask.plain(server.url)])
    return Contest(MANIFEST, 0, connections, [contestant])


def _page(stand: Stand, connections: int) -> Contest:
    def children(server: Server) -> list[bytes]:
        token = stand.few.rpc("generate_token", key="admin", grants={WORKSPACE: "read"})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        body = json.dumps({"prefix": "shelf", "limit": PAGE}).encode()
        ask = Ask("POST", f"/_rpc/{WORKSPACE}/children", body, headers)
        return [ask.plain(server.url)]

    contestant = Contestant("gateway", stand.gateway(), children)
    return Contest(MEMBERS, 0, connections, [contestant])
