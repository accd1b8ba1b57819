"""A brake on guessing enrolment tokens."""

import threading
from collections import deque

from cloud.clock import Clock

_MOST = 20
_WINDOW_MS = 60_000


class FailureLimit:
    """At most 20 refusals a minute over all callers; tokens are made by hand, one at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[int] = deque(maxlen=_MOST)

    def failed(self) -> None:
        with self._lock:
            self._failures.append(self._clock())

    def wait_s(self) -> int:
        """Seconds until the next attempt is heard; 0: now."""
        with self._lock:
            if len(self._failures) < _MOST:
                return 0
            left_ms = self._failures[0] + _WINDOW_MS - self._clock()
        return max(0, -(-left_ms // 1000))
