"""Starts a process that never outlives its parent, however the parent ends.

Run by path, as `python -I launcher.py [--watch | --hears] PID COMMAND…`, so it leans on nothing
but the standard library. On Linux the kernel kills the command together with process PID: the
launcher asks for that and becomes the command. Elsewhere, and with `--watch`, the launcher stays,
and kills the command when its standard input ends, which process PID holds open. With `--hears`
the command reads that input itself, and ends with it: the launcher becomes it everywhere.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """The command's exit code; on Linux there is none, the process being the command by then."""
    mode = arguments[0] if arguments[0].startswith("--") else ""
    parent, *command = arguments[1:] if mode else arguments
    if mode == "--hears":
        return _become(command) if _follows(int(parent)) else 1
    os.umask(0o077)  # sockets and data are this user's
    if not mode and sys.platform == "linux" and _follows(int(parent)):
        return _become(command)
    return _stay(command)


def _become(command: list[str]) -> int:
    os.execv(command[0], command)  # noqa: S606 - that is the whole purpose


def _follows(parent: int) -> bool:
    """Whether the parent is there; where the kernel can see to it, we die with it from now on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The kernel says nothing of a parent that was gone before it was asked.
    return os.getppid() == parent


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
