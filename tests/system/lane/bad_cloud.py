"""A backend that answers wrongly, always in the same way."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

HTML = b"<!doctype html><html><body>Welcome to the hotel. Please log in.</body></html>"
DRIP_S = 0.03


def plain(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body


def at_once(answer: bytes) -> Callable[[socket.socket], None]:
    return lambda client: client.sendall(answer)


def drip(client: socket.socket) -> None:
    """A byte now and then, and then the end."""
    for byte in plain("200 OK", b"{}", length=4000):
        client.sendall(bytes([byte]))
        time.sleep(DRIP_S)


def pour(client: socket.socket) -> None:
    """Much more than any answer has."""
    client.sendall(plain("200 OK", b"", length=1 << 40))
    while True:
        client.sendall(b" " * 65536)


LIE = b'{"hwm": 99999, "hash": "' + b"0" * 64 + b'", "cosig": "' + b"A" * 86 + b'=="}'
ANSWERS: dict[str, tuple[Callable[[socket.socket], None], str, str]] = {
    "HTML with 200": (at_once(plain("200 OK", HTML)), "strange_answer", "no answer of the backend"),
    "a JSON without its end": (at_once(plain("200 OK", LIE[:60])), "strange_answer", "no answer of the backend"),
    "cut off": (at_once(plain("200 OK", LIE[:60], length=len(LIE))), "backend_unreachable", "the answer broke off"),
    "500": (at_once(plain("500 Oh", HTML)), "strange_answer", "HTTP 500"),
    "control characters": (at_once(plain("500 Oh", b"\x1b[2J\r\n" * 9)), "strange_answer", "HTTP 500"),
    "a redirect": (at_once(plain("302 Found", b"", "Location: /elsewhere")), "strange_answer", "HTTP 302"),
    "a forged acknowledgement": (
        at_once(plain("200 OK", LIE)),
        "strange_answer",
        "not counter-signed by the pinned key",
    ),
    "slow, and then nothing": (drip, "backend_unreachable", "the answer broke off"),
    "without an end": (pour, "backend_unreachable", "longer than 65536 bytes"),
    "no answer": (lambda client: None, "backend_unreachable", ""),
}


class BadCloud:
    """`paths`: what was asked of it, in order."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.paths: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    @property
    def uploads(self) -> int:
        return sum("/journal/" in path for path in self.paths)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener's end
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError, ValueError):
                    client.settimeout(10)
                    self.paths.append(_request(client))
                    self._answer(client)


def _request(client: socket.socket) -> str:
    """Reads a whole request, so that closing resets nothing; its path. ValueError when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := client.recv(65536)):
            raise ValueError("no request")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while left > 0 and (chunk := client.recv(65536)):
        left -= len(chunk)
    return head.split(b" ")[1].decode()
