"""Server-sent events: the whole state, again after every change (WHATWG HTML, server-sent events)."""

import json
import threading
from collections.abc import Callable
from typing import Any

from hal.virtual.bench.devices import Changes

CLIENT_LIMIT = 6  # each holds a thread of the server
KEEP_ALIVE_S = 1.5
SETTLE_S = 0.03  # changes come in bursts


class TooManyClients(Exception):
    """All places for event streams are taken."""


class Streams:
    def __init__(self, changes: Changes, state: Callable[[], dict[str, Any]]) -> None:
        self._changes, self._state = changes, state
        self._places = threading.Semaphore(CLIENT_LIMIT)
        self._closing = threading.Event()

    def open(self) -> "Stream":
        """Raises `TooManyClients`."""
        if not self._places.acquire(blocking=False):
            raise TooManyClients
        return Stream(self._changes, self._state, self._closing, self._places)

    def close(self) -> None:
        """End every stream within a moment."""
        self._closing.set()
        self._changes.note()


class Stream:
    """An iterator and not a generator: a generator closed before its first step would keep its place."""

    def __init__(
        self,
        changes: Changes,
        state: Callable[[], dict[str, Any]],
        closing: threading.Event,
        places: threading.Semaphore,
    ) -> None:
        self._changes, self._state, self._closing, self._places = changes, state, closing, places
        self._seen = -1
        self._open = True

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> str:
        if self._seen >= 0:
            self._closing.wait(SETTLE_S)
        version = self._changes.wait(self._seen, KEEP_ALIVE_S)
        if self._closing.is_set():
            raise StopIteration
        if version == self._seen:
            return ": \n\n"
        self._seen = version
        return f"data: {json.dumps(self._state())}\n\n"

    def close(self) -> None:
        if self._open:
            self._open = False
            self._places.release()
