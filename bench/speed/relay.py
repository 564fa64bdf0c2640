"""What a proxy has to do that looks at bodies: it copies them in and out, and hashes them.

`python -m bench.speed.relay PORT BACKEND` listens at one port of loopback, and passes on what
comes there to the other, as it came. It checks nothing, and signs nothing.
"""

import argparse
import hashlib
import re
import select
import socket
import threading
from contextlib import suppress

from gateway.sockets import socket_for

HOST = "127.0.0.1"
BUFFER = 1024 * 1024
END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*(\d+)", re.IGNORECASE)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("backend", type=int, help="its port")
    given = parser.parse_args()
    with _loopback(given.port) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, given.port))
        listener.listen()
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_accepted, args=(client, given.backend), daemon=True).start()


def _loopback(port: int) -> socket.socket:
    """A socket for a port of loopback, with the options that the gateway's have there.

    What a listener accepts has its options.
    """
    made = socket_for((socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, port)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _accepted(client: socket.socket, port: int) -> None:
    with client, _loopback(port) as backend, suppress(ConnectionError):
        backend.connect((HOST, port))
        serve(client, backend)


def serve(client: socket.socket, backend: socket.socket) -> None:
    """Pass on requests, and what the backend says of them, until one of both closes.

    While a body is under way nobody listens to the backend: an early answer waits.
    """
    held = bytearray(BUFFER)
    while True:
        ready, _, _ = select.select((client, backend), (), ())
        if backend in ready:
            count = backend.recv_into(held)
            if not count:
                return
            client.sendall(memoryview(held)[:count])
        elif not _pass_request(client, backend, held):
            return


def _pass_request(client: socket.socket, backend: socket.socket, held: bytearray) -> bool:
    """Whether a whole request came, and was passed on; its body has a Content-Length, or none."""
    view = memoryview(held)
    filled = 0
    while (end := held.find(END, 0, filled)) < 0:
        count = client.recv_into(view[filled:])
        if not count:  # the client has gone, or its head has no end
            return False
        filled += count
    start = end + len(END)
    length = LENGTH.search(held, 0, start)
    left = (int(length[1]) if length else 0) - (filled - start)
    digest = hashlib.sha256(view[start:filled])
    backend.sendall(view[:filled])
    while left > 0:
        count = client.recv_into(view, min(left, BUFFER))
        if not count:
            return False
        digest.update(view[:count])
        backend.sendall(view[:count])
        left -= count
    digest.digest()  # who checks a body compares it
    return True


if __name__ == "__main__":
    main()
