"""The page's server: waitress on loopback. One thread per open stream, and some for everything else."""

import contextlib
import socket
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

THREADS = 24


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes any that is free. OSError if the port is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=64)


class Server:
    """Serves `app` on `listener` until `stop`, which may be called from any thread or a signal handler."""

    def __init__(self, app: Flask, listener: socket.socket) -> None:
        self._map: dict[int, Any] = {}
        self._hub = app.extensions["kassa.hub"]
        self._stopping = False
        self._server = create_server(
            app, map=self._map, sockets=[listener], threads=THREADS, ident="", expose_tracebacks=False
        )
        self.port: int = listener.getsockname()[1]

    def run(self) -> None:
        """Blocks until `stop`."""
        try:
            while not self._stopping:
                wasyncore.loop(timeout=1.0, map=self._map, use_poll=True, count=1)
        finally:
            self._hub.stop()
            self._server.task_dispatcher.shutdown(timeout=3)
            wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        self._stopping = True
        self._hub.stop()
        with contextlib.suppress(OSError):
            self._server.pull_trigger()
