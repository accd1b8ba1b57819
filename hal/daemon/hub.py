"""Everything that happens, in one order: numbered events, kept in a ring, handed to every watcher."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

from hal.api.records import Event

RING_EVENTS = 8192
STALL_EVENTS = 1024
"""A watcher that takes nothing while this many events happen is ended; it can resume from the ring."""
BATCH_EVENTS = 64
"""Keeps a reply below the frame limit: an event is at most 4096 characters of six bytes, and little else."""


class Overflow(Exception):
    """The watcher did not take its events in time."""


class Watcher:
    """One reader's place in the ring. Holds no copies: what it may lag is bounded by the ring."""

    def __init__(self, hub: "Hub", seq: int, on_stall: Callable[[], None]) -> None:
        self._hub = hub
        self._on_stall = on_stall
        self._wake = asyncio.Event()
        self._stall_at = hub.seq + STALL_EVENTS
        self.seq = seq
        """Last event taken."""

    async def take(self) -> list[Event]:
        """The next events in order, at least one and at most BATCH_EVENTS. Raises Overflow."""
        while True:
            events = self.take_present()
            if events:
                return events
            self._wake.clear()
            await self._wake.wait()

    def take_present(self) -> list[Event]:
        """As `take`, without waiting: possibly none."""
        self._stall_at = self._hub.seq + STALL_EVENTS
        events = self._hub.after(self.seq, BATCH_EVENTS)
        if events is None:
            raise Overflow
        if events:
            self.seq = events[-1].seq
        return events

    def notify(self) -> None:
        self._wake.set()
        if self._hub.seq > self._stall_at:
            self._hub.leave(self)
            self._on_stall()

    def close(self) -> None:
        self._hub.leave(self)


class Hub:
    """Numbers events and keeps the last `ring_events` of them. Used from the event loop only."""

    def __init__(self, ring_events: int = RING_EVENTS) -> None:
        self.instance = secrets.token_hex(8)
        self.seq = 0
        self._ring: deque[Event] = deque(maxlen=ring_events)
        self._watchers: set[Watcher] = set()

    def publish(self, device: str, **part: Any) -> int:
        """Append one event; `part` is the one keyword of `Event` that is set. Returns its seq."""
        self.seq += 1
        self._ring.append(Event(self.seq, device, **part))
        for watcher in tuple(self._watchers):
            watcher.notify()
        return self.seq

    def after(self, seq: int, limit: int) -> list[Event] | None:
        """Up to `limit` events after `seq`; None when some of them are no longer kept, or `seq` never was."""
        oldest = self.seq - len(self._ring)
        if seq < oldest or seq > self.seq:
            return None
        first = seq - oldest
        return [self._ring[at] for at in range(first, min(first + limit, len(self._ring)))]

    def watch(self, instance: str | None, after: int | None, on_stall: Callable[[], None]) -> tuple[Watcher, bool]:
        """A watcher, and whether it resumes where asked. One that does not begins with what happens next."""
        resumed = instance == self.instance and after is not None and self.after(after, 1) is not None
        watcher = Watcher(self, after if resumed and after is not None else self.seq, on_stall)
        self._watchers.add(watcher)
        return watcher, resumed

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
