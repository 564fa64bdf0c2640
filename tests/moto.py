"""moto's S3, without what asks of each request which of Amazon's services is meant."""

import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def server(port: int = 0) -> BaseWSGIServer:
    """A server of loopback that listens; `serve_forever` has it answer."""
    application = alternating(create_backend_app("s3"))
    return make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler
    )


def alternating(application: Application) -> Application:
    """The same, but of requests with conditions one at a time, as S3 has it.

    Two of moto's threads may find that nothing is there, and both write.
    """
    turn = Lock()

    def answer(request: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" in request or "HTTP_IF_MATCH" in request:
            with turn:
                return application(request, respond)
        return application(request, respond)

    return answer


def main() -> None:
    """Answer at the port that the command line names until the process is killed."""
    server(int(sys.argv[1])).serve_forever()
