"""The acquirer's end of day, once per reconcile_id (PA00P015 rev. 13.08, 2.16; totals in BMP 60)."""

import asyncio
from collections import OrderedDict

from hal.api.records import ReconcileAnswer, ReconcileState, SchemeTotal
from hal.drivers.contract import Busy
from hal.drivers.terminal.zvt.codec import Abort, Fields, Nak, Print, Receipt
from hal.drivers.terminal.zvt.currency import letters
from hal.drivers.terminal.zvt.memory import KEPT
from hal.drivers.terminal.zvt.receipts import MAX_CHARS, MAX_LINES
from hal.drivers.terminal.zvt.session import Session
from hal.drivers.terminal.zvt.words import FUNCTION_NOT_POSSIBLE
from hal.transports import DeviceGone

SCHEMES = ("girocard", "JCB", "Mastercard", "American Express", "Visa", "Diners", "other")
"""In the order of BMP 60."""


class Reconciliation:
    """One end of day: its answer once there is one."""

    def __init__(self) -> None:
        self.done: asyncio.Future[ReconcileAnswer] = asyncio.get_running_loop().create_future()
        self.dropped = ""

    def settle(self, answer: ReconcileAnswer) -> None:
        if not self.done.done():
            self.done.set_result(answer)

    def drop(self, reason: str) -> None:
        self.dropped = reason
        if not self.done.done():
            self.done.set_exception(Busy(reason))
            self.done.exception()  # taken note of, also when nobody waits any more

    async def result(self, timeout_s: float) -> ReconcileAnswer:
        """Raises Busy when nothing was sent; unknown when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(self.done)
        except TimeoutError:
            return unknown("timeout")


class Reconciliations:
    """The last 256 of this run of the daemon."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Reconciliation] = OrderedDict()

    def get(self, reconcile_id: str) -> Reconciliation | None:
        known = self._known.get(reconcile_id)
        return None if known is None or known.dropped else known

    def add(self, reconcile_id: str) -> Reconciliation:
        new = self._known[reconcile_id] = Reconciliation()
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return new


async def run(session: Session, request: bytes, reconciliation: Reconciliation) -> None:
    """Send and follow to the end. DeviceGone when the line is lost; the answer is there either way. Nothing is sent
    twice: a second end of day would be an empty one."""
    if session.gone:
        reconciliation.drop(session.gone.reason)
        raise session.gone
    told: list[Fields] = []
    lines: list[str] = []

    def printed(part: Print) -> None:
        if part.receipt is not Receipt.customer:
            lines.extend(line[:MAX_CHARS] for line in part.lines[: MAX_LINES - len(lines)])

    try:
        reply = await session.command(request)
        end = (
            reply if isinstance(reply, Nak) else await session.finish(session.timing.t4_s, told.append, printed=printed)
        )
    except DeviceGone as gone:
        reconciliation.settle(unknown(gone.reason))
        raise
    except asyncio.CancelledError:
        reconciliation.settle(unknown("stopped"))
        raise
    if isinstance(end, Nak | Abort):
        state = ReconcileState.not_possible if end.code == FUNCTION_NOT_POSSIBLE else ReconcileState.refused
        reconciliation.settle(ReconcileAnswer(state, 0, "", 0, "", "", [], lines, f"{end.code:02X}"))
        return
    reconciliation.settle(_closed([fields for fields in told if fields.totals], lines))


def unknown(detail: str) -> ReconcileAnswer:
    return ReconcileAnswer(ReconcileState.unknown, 0, "", 0, "", "", [], [], detail)


def _closed(told: list[Fields], lines: list[str]) -> ReconcileAnswer:
    """The end of day was completed; without totals that can be read it is `unknown` what it came to."""
    fields = told[-1] if told else Fields()
    if not told or fields.undecoded or fields.conflicting or fields.sums is None:
        return ReconcileAnswer(ReconcileState.unknown, 0, "", 0, "", "", [], lines, "no_totals")
    sums = fields.sums
    schemes = [
        SchemeTotal(name, count, amount) for name, (count, amount) in zip(SCHEMES, sums.groups, strict=True) if count
    ]
    amount = fields.amount_minor if fields.amount_minor is not None else sum(one.amount_minor for one in schemes)
    return ReconcileAnswer(
        ReconcileState.closed,
        amount,
        letters(fields.currency),
        sum(one.count for one in schemes),
        sums.first_receipt,
        sums.last_receipt,
        schemes,
        lines,
        "",
    )
