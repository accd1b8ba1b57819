"""The body of a lane's record: what happened, what was to be done about it, and where the number series stand."""

from collections.abc import Iterable

import msgspec

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.lasting import Lasting, lasting
from kiosk.core.state import State
from kiosk.records.sale import Sale


class Entry(msgspec.Struct, frozen=True):
    """`sale`: the whole sale, when the event ended it. `lasting`: what goes on after it, when no sale is open."""

    event: on.Durable
    effects: list[do.Any]
    next_sale_no: int
    next_receipt_no: int
    sale: Sale | None = None
    lasting: Lasting | None = None


def entry(event: on.Durable, effects: Iterable[do.Any], after: State, sale: Sale | None) -> Entry:
    # Timers are of this process only; they say nothing about the sale.
    pending: list[do.Any] = [effect for effect in effects if not isinstance(effect, do.StartTimer | do.StopTimer)]
    kept = lasting(after) if type(event).__struct_config__.tag in on.AT_REST else None
    return Entry(event, pending, after.next_sale_no, after.next_receipt_no, sale, kept)
