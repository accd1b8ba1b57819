"""Tells open pages that something changed, in this process; `cloud.neighbours` carries it to the others."""

import threading
from collections.abc import Callable


class Bell:
    """A counter that can be waited for. Pages read what changed from the database, so that a missed ring costs
    nothing."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._closed = False
        self._listeners = 0
        self.on_ring: Callable[[], None] = lambda: None

    @property
    def count(self) -> int:
        return self._count

    @property
    def closed(self) -> bool:
        return self._closed

    def ring(self) -> None:
        """Something changed here: told to all."""
        self.chime()
        self.on_ring()

    def chime(self) -> None:
        """Something changed, here or in another process: told to the pages of this one."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, after: int, timeout_s: float) -> int:
        """The count, as soon as it is beyond `after`, the time is over or the bell is closed. Blocks."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > after or self._closed, timeout_s)
            return self._count

    def admit(self, most: int) -> bool:
        """Take a place among at most `most` listeners; give it back with `leave`."""
        with self._condition:
            if self._listeners >= most or self._closed:
                return False
            self._listeners += 1
            return True

    def leave(self) -> None:
        with self._condition:
            self._listeners -= 1

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()
