"""The acquirer's end of day after ours: asks the terminal, gathers the day's sales from the journal, compares."""

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from kiosk.core import events as on
from kiosk.core.reconcile import compare
from kiosk.core.report import Totals
from kiosk.records.journal import Record
from kiosk.records.sale import Sale

_log = logging.getLogger("kassa.lane.reconciling")


class Backward(Protocol):
    def backward(self) -> Iterable[Record]: ...


class _Sealed(msgspec.Struct):
    sale: Sale | None = None


def sales_of_last_day(journal: Backward) -> Iterator[Sale]:
    """What was sealed between the last `day.close` and the `day.open` before it, newest first. Blocks for reading."""
    inside = False
    for record in journal.backward():
        if record.typ == "day.close":
            if inside:
                return
            inside = True
        elif record.typ == "day.open" and inside:
            return
        elif inside and record.typ.startswith("sale."):
            try:
                sale = msgspec.convert(record.body, _Sealed).sale
            except msgspec.ValidationError as error:
                _log.warning("a sale of the day is passed over: %s", error)
                continue
            if sale is not None:
                yield sale


def reconciled(journal: Backward, no: int, totals: Totals) -> on.Reconciled:
    """The record of it. On the lane's thread, at rest; blocks for reading the day."""
    return on.Reconciled(no, totals, compare(sales_of_last_day(journal), totals))
