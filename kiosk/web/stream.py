"""Server-sent events: every page that listens gets the newest screen, and a beat while nothing happens."""

import threading
from collections.abc import Callable, Iterator

from kiosk.lane.port import LanePort, Published

BEAT_S = 1.5
GLANCE_S = 0.25
"""How soon a stream notices that it has to end."""
CLIENTS = 8
BEAT = b"event: beat\ndata:\n\n"
DISPLACED = b"event: displaced\ndata:\n\n"


class Hub:
    """Counts the listeners. Each holds a server thread, so there are at most `CLIENTS`; one more sends the oldest
    away. `stop` ends all of them within `GLANCE_S`."""

    def __init__(self, lane: LanePort, frame: Callable[[Published], str]) -> None:
        self._lane = lane
        self._frame = frame
        self._lock = threading.Lock()
        self._clients: dict[int, threading.Event] = {}
        self._next = 0
        self._stopped = False

    def listen(self) -> Iterator[bytes]:
        """The events for one new listener: the present screen at once, then each change. Blocks between them."""
        number, leave = self._enter()
        try:
            seen = self._lane.snapshot()
            yield message(seen, self._frame(seen))
            quiet_s = 0.0
            while not leave.is_set():
                change = self._lane.wait(seen.revision, GLANCE_S)
                quiet_s = 0.0 if change is not None else quiet_s + GLANCE_S
                if leave.is_set():
                    break
                if change is not None:
                    seen = change
                    yield message(seen, self._frame(seen))
                elif quiet_s >= BEAT_S:
                    quiet_s = 0.0
                    yield BEAT
            if not self._stopped:
                yield DISPLACED
        finally:
            with self._lock:
                self._clients.pop(number, None)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for leave in self._clients.values():
                leave.set()

    def _enter(self) -> tuple[int, threading.Event]:
        leave = threading.Event()
        with self._lock:
            staying = [event for event in self._clients.values() if not event.is_set()]
            if len(staying) >= CLIENTS:
                staying[0].set()
            if self._stopped:
                leave.set()
            self._next += 1
            self._clients[self._next] = leave
            return self._next, leave


def message(published: Published, frame: str) -> bytes:
    """One event (HTML standard, 9.2.6): the revision as its id, the frame as its data, a line each."""
    lines = "".join(f"data: {line}\n" for line in frame.splitlines() if line)
    return f"event: screen\nid: {published.revision}\n{lines}\n".encode()
