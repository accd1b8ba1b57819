"""The lane's clock and ids: the only place of the kiosk that reads a clock or draws a random number."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kiosk.journal.stamp import Moment

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SYNCED = Path("/run/systemd/timesync/synchronized")
_BUILT_MS = 1_767_225_600_000
"""A clock before 2026-01-01 is wrong: this software did not exist."""


def new_id() -> str:
    """128 random bits as hex, for sales, lines, tenders and print jobs."""
    return secrets.token_hex(16)


class LaneStamp:
    """Gives each record its time and ids (`kiosk.journal.stamp.Stamp`). `inc` is drawn once per process."""

    def __init__(self) -> None:
        self._inc = secrets.token_hex(8)
        self._boot = _BOOT_ID.read_text().strip()
        self.business_day: Callable[[], str] = lambda: ""
        """The open business day's date; empty while none is open: then records are of the calendar's."""

    @property
    def inc(self) -> str:
        return self._inc

    def new_txn(self) -> str:
        return new_id()

    def moment(self) -> Moment:
        wall_ms = self.wall_ms()
        local = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone()
        return Moment(
            boot=self._boot,
            mono_us=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000,
            wall_ms=wall_ms,
            tzo=self.tzo_min(local),
            clk=self._quality(wall_ms),
            bday=self.business_day() or local.strftime("%Y-%m-%d"),
        )

    @staticmethod
    def wall_ms() -> int:
        return time.time_ns() // 1_000_000

    @staticmethod
    def tzo_min(local: datetime | None = None) -> int:
        """Offset of local time from UTC in minutes."""
        offset = (local or datetime.now(UTC).astimezone()).utcoffset()
        return 0 if offset is None else round(offset.total_seconds() / 60)

    @staticmethod
    def _quality(wall_ms: int) -> str:
        if wall_ms < _BUILT_MS:
            return "floor"
        return "synced" if _SYNCED.exists() else "unsynced"
