"""A process that has imported a program's modules, and forks for each run that is asked of it.

Started as `python forking.py MODULE …`; `main` of the first module is what runs. Standard input
is a socket from which runs are read: for each, arguments, environment, folder and limit of open
files, and the descriptors that take the run's id and exit code, its output, and its errors.
"""

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

LONGEST = 1 << 20  # bytes of arguments and environment
PDEATHSIG = 1

Main: TypeAlias = Callable[[], int | None]


def serve(line: socket.socket, main: Main, added: dict[str, str], libc: ctypes.CDLL) -> int | None:
    """Nothing, once the line has ended; in each run's process, what `main` returned."""
    running: dict[int, tuple[int, int]] = {}
    watch = select.poll()
    watch.register(line, select.POLLIN)
    while True:
        for ready, _ in watch.poll():
            if ready in running:
                watch.unregister(ready)
                pid, teller = running.pop(ready)
                _tell(teller, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(ready)
                os.close(teller)
                continue
            call, descriptors, _, _ = socket.recv_fds(line, LONGEST, 3)
            if not call:
                return None
            teller, *streams = descriptors
            pid = os.fork()
            if not pid:
                libc.prctl(PDEATHSIG, signal.SIGKILL)
                for each in (line.fileno(), teller, *running, *(t for _, t in running.values())):
                    os.close(each)
                arguments, environment, folder, files = json.loads(call)
                _become(arguments, environment | added, folder, files, *streams)
                return main()
            for stream in streams:
                os.close(stream)
            _tell(teller, pid)
            watched = os.pidfd_open(pid)
            running[watched] = pid, teller
            watch.register(watched, select.POLLIN)


def _tell(teller: int, number: int) -> None:
    with socket.socket(fileno=os.dup(teller)) as hearer:
        try:
            hearer.send(b"%d" % number)
        except BrokenPipeError:
            return  # nobody wants to know


def _become(
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    files: tuple[int, int],
    *streams: int,
) -> None:
    """Be the process of one run."""
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = arguments


if __name__ == "__main__":
    calls = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    before = dict(os.environ)
    sys.path[0] = str(Path.cwd())
    program, *_ = [import_module(name) for name in sys.argv[1:]]
    gc.freeze()  # what has been imported stays shared, and is quickly left behind
    put = {name: text for name, text in os.environ.items() if before.get(name) != text}
    sys.exit(serve(calls, program.main, put, ctypes.CDLL(None)))
