"""Starts a server that never outlives its gateway, however the gateway ends.

Run by path, as `python -I launcher.py [--watch] PID COMMAND…`, so it leans on nothing but the
standard library. On Linux the kernel kills the server together with process PID: the launcher
asks for that and becomes the server. Elsewhere, and with `--watch`, the launcher stays, and
kills the server when its standard input ends, which process PID holds open.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """The server's exit code; on Linux there is none, the process being the server by then."""
    watch = arguments[0] == "--watch"
    parent, *command = arguments[1:] if watch else arguments
    os.umask(0o077)  # sockets and data are this user's
    if not watch and _dies_with(int(parent)):
        os.execv(command[0], command)  # noqa: S606 - that is the whole purpose
    return _stay(command)


def _dies_with(parent: int) -> bool:
    if sys.platform != "linux":
        return False
    asked = ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
    # The kernel says nothing of a parent that was gone before it was asked.
    return asked and os.getppid() == parent


def _stay(command: list[str]) -> int:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - as above
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())

    def end_with_parent() -> None:
        while os.read(0, 1):
            pass
        server.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
