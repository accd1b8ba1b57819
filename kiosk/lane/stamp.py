"""The lane's clock and ids: the only place of the kiosk that reads a clock or draws a random number.

A small PC's clock may be empty after a power cut, set by hand, or stand still. The order of records never depends on
it; what does are the times on receipts and the business day. So the clock is believed only as far as it can be:

1. It is never before this software was built, nor, while it is not synchronised, before the last record.
2. It cannot run otherwise than the time since boot: a leap of more than `_LEAP_MS` is believed only when it is the
   synchronisation that comes; one that stands still is not believed at all.
3. Where it is not believed, time goes on from the last that was, by the time since boot, and the records say `floor`.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Protocol

from kiosk.journal.stamp import Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYNCED = Path("/run/systemd/timesync/synchronized")
BUILT_MS = 1_767_225_600_000
"""A clock before 2026-01-01 is wrong: this software did not exist."""
_LEAP_MS = 24 * 60 * 60 * 1000
_STANDS_MS = 1000


def new_id() -> str:
    """128 random bits as hex, for sales, lines, tenders and print jobs."""
    return secrets.token_hex(16)


class Clock(Protocol):
    """What a machine knows of time. `wall_ms`: UTC since 1970; `boot_us`: since boot, never back, also in sleep;
    `synced`: whether the wall clock has been set by a time server."""

    def wall_ms(self) -> int: ...

    def boot_us(self) -> int: ...

    def synced(self) -> bool: ...


class SystemClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def synced(self) -> bool:
        return _SYNCED.exists()


class LaneStamp:
    """Gives each record its time and ids (`kiosk.journal.stamp.Stamp`). `inc` is drawn once per process.

    `zone`: the shop's, the system's own by default. From any thread.
    """

    def __init__(self, clock: Clock | None = None, zone: tzinfo | None = None) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._zone = zone
        self._inc = secrets.token_hex(8)
        self._boot = _BOOT_ID.read_text().strip()
        self._lock = threading.Lock()
        self._floor_ms = BUILT_MS
        self._last: _Reading | None = None
        self.business_day: Callable[[], str] = lambda: ""
        """The open business day's date; empty while none is open: then records are of the calendar's."""

    @property
    def inc(self) -> str:
        return self._inc

    def new_txn(self) -> str:
        return new_id()

    def not_before(self, wall_ms: int) -> None:
        """The time of the last record, once, when the journal has been opened."""
        with self._lock:
            self._floor_ms = max(self._floor_ms, wall_ms)

    def moment(self) -> Moment:
        reading = self._read()
        local = datetime.fromtimestamp(reading.lane_ms / 1000, UTC).astimezone(self._zone)
        return Moment(
            boot=self._boot,
            mono_us=reading.boot_us,
            wall_ms=reading.lane_ms,
            tzo=self.tzo_min(local),
            clk=reading.quality,
            bday=self.business_day() or local.strftime("%Y-%m-%d"),
        )

    def wall_ms(self) -> int:
        """The lane's time: the clock's where it is believed."""
        return self._read().lane_ms

    @staticmethod
    def tzo_min(local: datetime | None = None) -> int:
        """Offset of local time from UTC in minutes."""
        offset = (local or datetime.now(UTC).astimezone()).utcoffset()
        return 0 if offset is None else round(offset.total_seconds() / 60)

    def _read(self) -> "_Reading":
        with self._lock:
            clock_ms, boot_us, synced = self._clock.wall_ms(), self._clock.boot_us(), self._clock.synced()
            last, moved_us = self._last, boot_us
            expected_ms = self._floor_ms
            if last is not None:
                expected_ms = last.lane_ms + (boot_us - last.boot_us) // 1000
                moved_us = last.moved_us if clock_ms == last.clock_ms else boot_us
            if clock_ms < BUILT_MS or boot_us - moved_us >= _STANDS_MS * 1000:
                believed = False
            elif last is None:
                believed = synced or clock_ms >= self._floor_ms
            elif abs(clock_ms - expected_ms) > _LEAP_MS:
                believed = synced and not last.synced
            else:
                believed = synced or clock_ms >= last.lane_ms
            quality = ("synced" if synced else "unsynced") if believed else "floor"
            self._last = _Reading(clock_ms, boot_us, moved_us, clock_ms if believed else expected_ms, synced, quality)
            return self._last


@dataclass(frozen=True)
class _Reading:
    """What the clock said and what was made of it. `moved_us`: time since boot when the clock was last seen to move."""

    clock_ms: int
    boot_us: int
    moved_us: int
    lane_ms: int
    synced: bool
    quality: str
