"""Starts the real backend again and again without an interpreter's start: each line on stdin forks one that serves.

`python -m tests.torture.network.zygote DATA [DATABASE]` answers each line with `PID PORT`. The server is a process of
its own, to be killed by its id; it dies with this one, and this one ends with its stdin.
"""

import ctypes
import logging
import os
import signal
import sys

from cloud.config import Config
from cloud.server import Server

_PR_SET_PDEATHSIG = 1


def main(data: str, database: str = "") -> None:
    logging.disable(logging.WARNING)  # a queue after each kill is what is wanted
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a killed one ended
    for _ in sys.stdin.buffer:
        if os.fork() == 0:
            _serve(Config(data=data, port=0, threads=12, live_streams=2, database=database))


def _serve(config: Config) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    server = Server(config)
    server.start()
    os.write(1, f"{os.getpid()} {server.port}\n".encode())
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
