"""The process that forks aws-cli: it has imported it, and reads calls from its standard input."""

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from awscli import clidriver

LONGEST = 1 << 20  # bytes of arguments and environment


def serve(line: socket.socket) -> None:
    """Fork for each call on the line, until nobody holds its other end."""
    clidriver.create_clidriver()  # imports all that its commands need
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what was forked
    while True:
        call, descriptors, _, _ = socket.recv_fds(line, LONGEST, 3)
        if not call:
            return
        if not os.fork():
            line.close()
            _act(*json.loads(call), *descriptors)
        for each in descriptors:
            os.close(each)


def _act(arguments: list[str], environment: dict[str, str], folder: str, *streams: int) -> NoReturn:
    """Be `aws` with these arguments, tell the exit code, and end."""
    out, errors, teller = streams
    os.write(teller, b"%d" % os.getpid())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(out, 1)
    os.dup2(errors, 2)
    environment["AWS_DATA_PATH"] = os.environ["AWS_DATA_PATH"]  # which importing it has set
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["aws", *arguments]
    code = 255
    try:
        code = clidriver.main()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # noqa: BLE001 - told as Python would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(teller, b"%d" % code)
        os._exit(code)


if __name__ == "__main__":
    with Path(os.devnull).open() as nothing, socket.socket(fileno=os.dup(0)) as line:
        os.dup2(nothing.fileno(), 0)
        serve(line)
