"""moto's S3, without what asks of each request which of Amazon's services is meant."""

import sys

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server


def server(port: int = 0) -> BaseWSGIServer:
    """A server of loopback that listens; `serve_forever` has it answer."""
    application = create_backend_app("s3")
    return make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler
    )


def main() -> None:
    """Answer at the port that the command line names until the process is killed."""
    server(int(sys.argv[1])).serve_forever()
