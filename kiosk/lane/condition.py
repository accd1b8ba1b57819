"""The lane's condition as the operator is told it: devices, journal, backlog, disk, clock. Never journaled."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from kiosk.api.interfaces import DeviceState, LaneStatus
from kiosk.core.screen import screen
from kiosk.core.state import DeviceHealth, State
from kiosk.journal.errors import JournalError
from kiosk.journal.stamp import Moment, Stamp
from kiosk.journal.store import Journal


class _Made(msgspec.Struct):
    """When a record was made; see `kiosk.records.journal.Header`."""

    boot: str
    mono_us: int
    wall_ms: int


class Condition:
    """From any thread. `folder`: of the journal, whose file system's room counts. `upload`: what keeps the backend
    from taking records, empty if nothing does."""

    def __init__(
        self, journal: Journal, stamp: Stamp, folder: Path, software: str, upload: Callable[[], str] = str
    ) -> None:
        self._journal = journal
        self._stamp = stamp
        self._folder = folder
        self._software = software
        self._upload = upload
        self._waiting: tuple[int, int, _Made | None] = (0, 0, None)

    def status(self, state: State) -> LaneStatus:
        """Blocks for one small read of the journal."""
        now = self._stamp.moment()
        return replace(
            self.outline(state),
            backlog=self._backlog(),
            backlog_s=self._backlog_s(now),
            disk_free_bytes=self._disk_free(),
            clock=now.clk,
        )

    def outline(self, state: State) -> LaneStatus:
        """What of the status is worth telling at once when it changes: everything but figures that always move."""
        health = state.health
        devices = [
            _device(name, found)
            for name, found in (("scanner", health.scanner), ("printer", health.printer), ("terminal", health.terminal))
        ]
        return LaneStatus(
            screen=screen(state),
            open_sale=state.sale is not None,
            catalogue=state.catalogue.version,
            products=state.catalogue.products,
            software=self._software,
            hal=health.hal,
            devices=devices,
            journal=health.journal,
            backlog=0,
            backlog_s=0,
            disk_free_bytes=0,
            clock="",
            upload=self._upload(),
            settings=state.settings.version,
        )

    def _backlog(self) -> int:
        """Records of all epochs that are not acknowledged."""
        return sum(self._journal.head(ep).seq - self._acknowledged(ep) for ep in self._journal.epochs)

    def _acknowledged(self, ep: int) -> int:
        ack = self._journal.acknowledged(ep)
        return 0 if ack is None else ack.hwm

    def _backlog_s(self, now: Moment) -> int:
        made = self._oldest()
        if made is None:
            return 0
        if made.boot == now.boot:  # the one clock that nobody sets
            return max(0, now.mono_us - made.mono_us) // 1_000_000
        return max(0, now.wall_ms - made.wall_ms) // 1000

    def _oldest(self) -> _Made | None:
        """When the oldest record that is not acknowledged was made; read anew only when another one is the oldest."""
        for ep in self._journal.epochs:
            acked = self._acknowledged(ep)
            if acked >= self._journal.head(ep).seq:
                continue
            if self._waiting[:2] != (ep, acked):
                self._waiting = (ep, acked, self._made(ep, acked))
            return self._waiting[2]
        return None

    def _made(self, ep: int, after_seq: int) -> _Made | None:
        try:
            return msgspec.json.decode(self._journal.read(ep, after_seq, 1, 1).records[0], type=_Made)
        except (JournalError, IndexError, msgspec.MsgspecError):
            return None  # the journal itself says what is wrong with it

    def _disk_free(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return 0


def _device(name: str, health: DeviceHealth) -> DeviceState:
    return DeviceState(name, health.condition, health.reason, list(health.warnings))
