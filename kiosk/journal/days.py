"""Business days out of the journal alone: added up again from the sealed sales, and compared with the Z reports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.day import add, begun
from kiosk.core.entry import Entry as Body
from kiosk.core.report import Report
from kiosk.journal.verify import Entry
from kiosk.records.journal import BadRecord, Record, decode
from kiosk.records.sale import Sale


@dataclass(frozen=True)
class Day:
    """`report`: added up here. `sealed`: the Z report, None while the day is open. `unread`: records in it that this
    version does not understand."""

    shop: str
    reg: str
    report: Report
    sealed: Report | None
    unread: int

    @property
    def same(self) -> bool | None:
        """Whether the Z report says the same; None while there is none."""
        return None if self.sealed is None else self.sealed == self.report


class _Sealed(msgspec.Struct):
    sale: Sale | None = None


@dataclass
class _Running:
    """One register in one mode: training never mixes with what is sold."""

    report: Report | None = None
    no: int = 0
    grand_total_minor: int = 0
    known: bool = False
    """Whether a Z report was seen: before it, nothing here tells where numbers and grand total stood."""
    unread: int = field(default=0)


def days(entries: Iterable[Entry]) -> Iterator[Day]:
    """Each day in the order in which it was closed, the open ones last. Verify the file first: nothing is here."""
    running: dict[tuple[str, str, str], _Running] = {}
    for entry in entries:
        try:
            record = decode(entry.data)
        except BadRecord:
            continue
        register = running.setdefault((record.shop, record.reg, record.mode), _Running())
        try:
            closed = _take(register, record)
        except msgspec.ValidationError:
            register.unread += 1
            continue
        if closed is not None:
            yield closed
    for (shop, reg, _), left in running.items():
        if left.report is not None:
            yield Day(shop, reg, left.report, None, left.unread)


def _take(register: _Running, record: Record) -> Day | None:
    match record.typ:
        case "day.open":
            event = msgspec.convert(record.body, Body).event
            assert isinstance(event, on.DayOpened)
            currency = register.report.currency if register.report is not None else ""
            register.report = begun(event, register.no + 1, record.mode, currency, register.grand_total_minor)
            register.unread = 0
        case "sale.recalled" if register.report is not None:
            register.report = replace(register.report, recalled=register.report.recalled + 1)
        case "day.close":
            event = msgspec.convert(record.body, Body).event
            assert isinstance(event, on.DayClosed)
            return _close(register, record, event.report)
        case _ if record.typ.startswith("sale.") and register.report is not None:
            sale = msgspec.convert(record.body, _Sealed).sale
            if sale is not None:
                register.report = add(replace(register.report, currency=sale.currency.code), sale)
    return None


def _close(register: _Running, record: Record, sealed: Report) -> Day:
    report = register.report if register.report is not None else Report("", 0, record.mode, sealed.currency, 0)
    report = replace(report, currency=sealed.currency, closed_ms=sealed.closed_ms)
    if not register.known:  # the first Z report of the file tells where the series stood before it
        before = sealed.grand_total_minor - sealed.gross_minor
        report = replace(report, no=sealed.no, grand_total_minor=report.grand_total_minor + before)
    register.report, register.no, register.known = None, report.no, True
    register.grand_total_minor = report.grand_total_minor
    return Day(record.shop, record.reg, report, sealed, register.unread)
