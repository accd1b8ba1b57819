"""A TCP relay between kiosk and backend that a seeded script makes as bad as the worst line there is."""

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator

HTML = b"<html><body>Welcome to the hotel. Please log in.</body></html>"
_PORTAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"

Fault = str
FAULTS = ("none", "refuse", "drop_request", "drop_answer", "cut_answer", "twice", "portal", "repeat_last")


class Relay:
    """Connects each request anew. `fault()` says what goes wrong with the next one."""

    def __init__(self, target: int, fault: Callable[[], Fault]) -> None:
        self._target = target
        self._fault = fault
        self._last = b""
        self._rng = random.Random(7)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = False
        self.seen: list[Fault] = []
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping:
            client, _ = self._listener.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(10)
                if not self._stopping:
                    self._one(client)

    def _one(self, client: socket.socket) -> None:
        request = _message(client)
        if not request:
            return
        fault = self._fault()
        self.seen.append(fault)
        if fault in ("refuse", "drop_request"):
            return
        if fault == "portal":
            return client.sendall(_PORTAL % (len(HTML), HTML))
        if fault == "repeat_last" and self._last:
            return client.sendall(self._last)
        answer = self._ask(request)
        if fault == "twice":
            answer = self._ask(request)
        self._last = answer
        if fault == "drop_answer":
            return
        if fault == "cut_answer":
            answer = answer[: self._rng.randrange(len(answer))]
        client.sendall(answer)

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._target), 10) as server:
            server.sendall(request)
            return _message(server)


def _message(connection: socket.socket) -> bytes:
    """One HTTP message with a Content-Length, closed after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(v) for k, v in _headers(head) if k == b"content-length"), 0)
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


def _headers(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.strip().lower(), value.strip()
