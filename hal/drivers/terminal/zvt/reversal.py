"""Reversals, once per reversal_id (PA00P015 rev. 13.08, 2.9)."""

import asyncio
from collections import OrderedDict

from hal.api.records import PaymentAnswer, PaymentState
from hal.drivers.contract import Busy
from hal.drivers.terminal.zvt import words
from hal.drivers.terminal.zvt.codec import Abort, Fields, Nak
from hal.drivers.terminal.zvt.memory import KEPT
from hal.drivers.terminal.zvt.session import Session
from hal.transports import DeviceGone


class Reversal:
    """One reversal: its answer once there is one. A reversal that was never sent has none, and may be tried again."""

    def __init__(self) -> None:
        self.answer: PaymentAnswer | None = None
        self.dropped = ""
        self._over = asyncio.Event()

    def settle(self, state: PaymentState, detail: str) -> None:
        self.answer = PaymentAnswer(state, 0, None, detail)
        self._over.set()

    def drop(self, reason: str) -> None:
        self.dropped = reason
        self._over.set()

    async def result(self, timeout_s: float) -> PaymentAnswer:
        """Raises Busy when nothing was sent; unknown when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._over.wait()
        except TimeoutError:
            return PaymentAnswer(PaymentState.unknown, 0, None, "timeout")
        if self.answer is None:
            raise Busy(self.dropped)
        return self.answer


class Reversals:
    """The last 256 of this run of the daemon."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Reversal] = OrderedDict()

    def get(self, reversal_id: str) -> Reversal | None:
        known = self._known.get(reversal_id)
        return None if known is None or known.dropped else known

    def add(self, reversal_id: str) -> Reversal:
        new = self._known[reversal_id] = Reversal()
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return new


async def run(session: Session, request: bytes, amount_minor: int, currency: str, reversal: Reversal) -> None:
    """Send and follow to the end. DeviceGone when the line is lost; the reversal is settled either way."""
    if session.gone:
        reversal.drop(session.gone.reason)
        raise session.gone
    told: list[Fields] = []
    try:
        reply = await session.command(request)
        end = reply if isinstance(reply, Nak) else await session.finish(session.timing.t4_s, told.append)
    except DeviceGone as gone:
        reversal.settle(PaymentState.unknown, gone.reason)
        raise
    except asyncio.CancelledError:
        reversal.settle(PaymentState.unknown, "stopped")
        raise
    last = told[-1] if told else Fields()
    if isinstance(end, Nak | Abort):
        if end.code == words.ALREADY_REVERSED:
            reversal.settle(PaymentState.cancelled, "already_reversed")
        elif last.result_code == 0:
            reversal.settle(PaymentState.unknown, f"{end.code:02X}")
        else:
            reversal.settle(PaymentState.declined, f"{end.code:02X}")
    elif last.result_code:
        reversal.settle(PaymentState.declined, f"{last.result_code:02X}")
    elif last.result_code == 0 and _is_ours(last, amount_minor, currency):
        reversal.settle(PaymentState.cancelled, "reversed")
    else:
        reversal.settle(PaymentState.unknown, "unclear_status")


def _is_ours(fields: Fields, amount_minor: int, currency: str) -> bool:
    return not fields.conflicting and fields.amount_minor in (None, amount_minor) and fields.currency in ("", currency)
