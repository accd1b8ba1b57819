"""A lane that holds whatever state a test gives it, and remembers the wishes it was handed."""

import threading
from collections.abc import Callable

from kiosk.core.state import State
from kiosk.lane.port import AnyWish, Published


class HeldLane:
    """Implements `kiosk.lane.port.LanePort`."""

    def __init__(self, state: State) -> None:
        self._changed = threading.Condition()
        self._published = Published(1, state)
        self.wishes: list[AnyWish] = []

    def show(self, state: State) -> int:
        """Publish a state; answers its revision."""
        with self._changed:
            self._published = Published(self._published.revision + 1, state)
            self._changed.notify_all()
            return self._published.revision

    def on_coming(self, listener: Callable[[Published], None]) -> None:
        """Nothing is recorded here, so nothing is ever about to come."""

    def snapshot(self) -> Published:
        return self._published

    def wait(self, after: int, timeout_s: float) -> Published | None:
        with self._changed:
            self._changed.wait_for(lambda: self._published.revision > after, timeout_s)
            return self._published if self._published.revision > after else None

    def post(self, wish: AnyWish) -> None:
        with self._changed:
            self.wishes.append(wish)
            self._changed.notify_all()

    def wished(self, count: int, timeout_s: float = 5) -> list[AnyWish]:
        """The wishes so far, once there are at least `count`."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.wishes) >= count, timeout_s), self.wishes
            return list(self.wishes)
