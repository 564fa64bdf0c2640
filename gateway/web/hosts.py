"""The names that this gateway answers to."""

from urllib.parse import urlsplit

from gateway.errors import MisdirectedRequest
from gateway.s3.message import Request

DEFAULT_PORTS = (":80", ":443")


class Hosts:
    """Which Host headers are meant for this gateway, and which may have been signed.

    With a `public_url` only its host is answered for, and the buckets' hosts below `domain`;
    without one, every host is.
    """

    def __init__(self, public_url: str | None = None, domain: str | None = None) -> None:
        self._public = None if public_url is None else urlsplit(public_url).netloc.lower()
        self._domain = None if domain is None else domain.lower()

    def check(self, request: Request) -> None:
        """Nothing; MisdirectedRequest where no host of the request is one of the gateway's."""
        if self._public is None:
            return
        if not any(self._is_ours(host) for host in _named(request)):
            raise MisdirectedRequest(f"this gateway answers for {self._public}")

    def named(self, request: Request) -> str:
        """The host that the client asked, by a trusted proxy's word where there is one."""
        headers = request.headers
        return headers.get("X-Forwarded-Host", "") or headers.get("Host", "")

    def signed(self, request: Request) -> tuple[str, ...]:
        """The hosts that the client may have named when it signed, likeliest first."""
        hosts = _named(request)
        if self._public is not None:
            hosts.append(self._public)
        return tuple(dict.fromkeys(hosts)) if len(hosts) > 1 else tuple(hosts)

    def _is_ours(self, host: str) -> bool:
        bare = _bare(host)
        if self._public is not None and bare == _bare(self._public):
            return True
        if self._domain is None:
            return False
        name = bare.partition(":")[0].rstrip(".")
        return name == self._domain or name.endswith("." + self._domain)


def _named(request: Request) -> list[str]:
    # Only what a trusted proxy forwarded is still there.
    forwarded = request.headers.get("X-Forwarded-Host", "")
    host = request.headers.get("Host", "")
    return [each for each in (forwarded, host) if each]


def _bare(host: str) -> str:
    lowered = host.lower()
    for port in DEFAULT_PORTS:
        lowered = lowered.removesuffix(port)
    return lowered
