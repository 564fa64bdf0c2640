"""The artifact door: manifests and files for browsers, web applications and curl."""

from dataclasses import dataclass

from gateway.errors import InvalidArgument, MethodNotAllowed
from gateway.s3.address import Address, Query, parse_path
from gateway.s3.message import Note, Reply, Request
from gateway.services.objects.seeing import may_list_publicly
from gateway.services.registry.opening import Opening, Path
from gateway.services.registry.showing import Wanted
from gateway.services.statistics.reporting import parse_day
from gateway.services.workspaces import Workspaces
from gateway.web.authentication import Authentication
from gateway.web.exchange import Exchange

SEGMENT = "artifact"
READING = ("GET", "HEAD")
MOST_VERSIONS = 2**31 - 1
DIGITS = 4000  # beyond, numbers take long to read


@dataclass(frozen=True, slots=True)
class Said:
    """What a request's path and query say: of what, in which state, and in which form."""

    address: Address
    query: Query
    path: Path
    wanted: Wanted
    form: str | None
    download: bool


SAID: Note[Said] = Note()


class ArtifactDoor:
    """`GET /{workspace}/artifact/{path}`, unsigned or with a bearer token."""

    name = "artifact"
    methods = READING
    varies = ("Authorization", "Accept")

    def __init__(
        self, authentication: Authentication, workspaces: Workspaces, opening: Opening
    ) -> None:
        self._authentication = authentication
        self._workspaces = workspaces
        self._opening = opening

    @staticmethod
    def serves(request: Request) -> bool:
        """Whether a request is this door's: its path, and no signature."""
        parts = request.path.split("/", 3)
        if len(parts) < 3 or parts[2] != SEGMENT:  # noqa: PLR2004 ("", workspace, SEGMENT)
            return False
        authorization = request.headers.get("Authorization", "")
        signed = authorization.startswith("AWS") or "X-Amz-Algorithm=" in request.query
        return not signed and request.method in READING

    async def answer(self, exchange: Exchange) -> Reply:
        """The manifest, the file, the listing of files or a zip of them."""
        request = exchange.request
        if request.method not in READING:
            raise MethodNotAllowed("this path takes GET and HEAD")
        caller = await self._authentication.bearer(request, exchange.now)
        said = request.notes.get(SAID)
        address = parse_path(request.path) if said is None else said.address
        exchange.notes.of(caller, address.bucket, "open")
        workspace = await self._workspaces.named(address.bucket)
        if said is None:
            said = _said(request, address)
            request.notes[SAID] = said
        path, wanted, query = said.path, said.wanted, said.query
        if said.form == "zip":
            reply = await self._opening.archive(caller, workspace, path, wanted, request)
        elif said.form == "stats":
            since, until = (parse_day(name, query.first(name)) for name in ("since", "until"))
            reply = await self._opening.stats(
                caller, workspace, path, since, until, now=exchange.now
            )
        elif said.form == "badge":
            reply = await self._opening.badge(caller, workspace, path)
        else:
            reply = await self._opening.open(
                caller, workspace, path, wanted, request, download=said.download
            )
        reply.public = reply.public or caller.anonymous
        return reply

    def is_public(self, request: Request) -> bool:
        """Whether the path is `public`, or below it, in a workspace that opens that."""
        address = parse_path(request.path)
        return may_list_publicly(self._workspaces.presumed(address.bucket), _path(address).text)


def _said(request: Request, address: Address) -> Said:
    """What a request says; InvalidArgument where that can't be read."""
    query = Query.parse(request.query)
    _refuse_repeated(query)
    wanted = Wanted(
        stage=_flag(query, "stage"),
        version=_number(query, "version"),
        silent=_flag(query, "silent"),
    )
    path, form = _path(address), _form(query)
    download = form is None and _flag(query, "download")
    return Said(address, query, path, wanted, form, download=download)


def _path(address: Address) -> Path:
    rest = address.key.removeprefix(SEGMENT).removeprefix("/")
    return Path(rest.rstrip("/"), folder=rest.endswith("/"))


def _flag(query: Query, name: str) -> bool:
    value = query.first(name)
    if value is None or value.lower() in ("false", "0"):
        return False
    if value.lower() in ("true", "1", ""):
        return True
    raise InvalidArgument(f"{name} is true or false", argument=name, value=value)


def _form(query: Query) -> str | None:
    """What is asked for: "zip", "stats", "badge", or None for the thing itself."""
    form, badge = query.first("format"), query.first("badge")
    if form not in (None, "zip", "stats"):
        raise InvalidArgument("format is zip, stats, or left out", argument="format", value=form)
    if badge not in (None, "downloads"):
        raise InvalidArgument("badge is downloads, or left out", argument="badge", value=badge)
    if form is not None and badge is not None:
        raise InvalidArgument("format and badge exclude each other", argument="badge", value=badge)
    return form if badge is None else "badge"


def _number(query: Query, name: str) -> int | None:
    value = query.first(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        raise InvalidArgument(f"{name} is a whole number", argument=name, value=value)
    # No artifact has a version of so many digits; an index has no place to look one up.
    return MOST_VERSIONS if len(value) > DIGITS else min(int(value), MOST_VERSIONS)


def _refuse_repeated(query: Query) -> None:
    seen = set()
    for name, _ in query.pairs:
        if name in seen:
            raise InvalidArgument(f"{name} is given more than once", argument=name)
        seen.add(name)
