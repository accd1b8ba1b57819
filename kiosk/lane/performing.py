"""Performs effects on the kiosk's event loop, whatever thread they come from."""

import asyncio
import logging
from typing import TYPE_CHECKING

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.lane.fiscal import FiscalPort
from kiosk.lane.hardware import Hardware
from kiosk.lane.reconciling import reconciled
from kiosk.lane.stamp import LaneStamp, new_id

if TYPE_CHECKING:
    from kiosk.lane.interpreter import Lane

_log = logging.getLogger("kassa.lane.effects")


class Performing:
    """`kiosk.lane.interpreter.Performer` over devices, timers, the fiscal port and the clock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lane: "Lane",
        hardware: Hardware,
        fiscal: FiscalPort,
        stamp: LaneStamp,
    ) -> None:
        self._loop = loop
        self._lane = lane
        self._hardware = hardware
        self._fiscal = fiscal
        self._stamp = stamp
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def perform(self, effect: do.Any) -> None:
        self._loop.call_soon_threadsafe(self._perform, effect)

    def _perform(self, effect: do.Any) -> None:
        if self._hardware.perform(effect):
            return
        match effect:
            case do.StartTimer(name, after_s):
                self._stop(name)
                self._timers[name] = self._loop.call_later(after_s, self._lane.post, on.TimerElapsed(name))
            case do.StopTimer(name):
                self._stop(name)
            case do.Fiscalise():
                task = self._loop.create_task(self._fiscalise(effect))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case do.CloseSale():
                self._lane.post(on.SaleClosed(self._stamp.wall_ms()))
            case do.GiveUp(cancelled):
                at_ms = self._stamp.wall_ms()
                self._lane.post(on.SaleCancelled(at_ms) if cancelled else on.SaleAbandoned(at_ms))
            case do.LeaveToStaff(tender_id, evidence):
                self._lane.post(on.PaymentLeftToStaff(tender_id, evidence, self._stamp.wall_ms()))
            case do.IntendReversal(tender_id, ending):
                self._lane.post(on.ReversalIntended(tender_id, new_id(), ending, self._stamp.wall_ms()))
            case do.Finish():
                self._lane.post(on.SaleFinished())
            case do.Reconcile(no):
                task = self._loop.create_task(self._reconcile(no))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case do.Leave(attendant_id):
                self._lane.post(on.AttendantLeft(attendant_id))
            case do.CallStaff(why):
                _log.warning("staff are called: %s", why)
            case _:
                _log.error("nobody performs %s", type(effect).__name__)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    async def _reconcile(self, no: int) -> None:
        totals = await self._hardware.reconcile(no)
        self._lane.post(lambda: self._lane.post(reconciled(self._lane.journal, no, totals)))

    async def _fiscalise(self, effect: do.Fiscalise) -> None:
        self._lane.post(on.Fiscalised(await self._fiscal.fiscalise(effect.sale)))
