"""The acquirer's end of day beside ours: totals compared, and the sales that explain a difference. Pure.

A terminal tells a sum and the range of its receipt numbers, not each payment. So what explains a difference is looked
for in three places: our approved payments outside its range (in ours and not in its), numbers of its range that no
payment of ours has (in its and not in ours), and attempts that did not end approved here and are as large as the
difference.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.report import Comparison, Explained, Totals
from kiosk.core.state import State
from kiosk.core.steps import Step, stay
from kiosk.records.sale import Sale, Tender

MOST_NAMED = 50
SENT = ("approved", "declined", "cancelled", "unknown", "reversed", "reversal_intent", "manual")


def compare(sales: Iterable[Sale], totals: Totals) -> Comparison:
    """Our card payments of the day against the terminal's totals. Where it told none there is no difference."""
    attempts = [(sale, tender) for sale in sales for tender in sale.tenders if tender.kind == "card"]
    approved = [(sale, tender) for sale, tender in attempts if tender.state == "approved"]
    ours = Comparison(sum(tender.authorised_minor for _, tender in approved), len(approved))
    if totals.outcome != "closed":
        return ours
    difference = ours.ours_minor - totals.amount_minor
    if not difference and ours.ours_count == totals.count:
        return ours
    return replace(
        ours, difference_minor=difference, explained=tuple(_explained(attempts, totals, difference))[:MOST_NAMED]
    )


def differs(comparison: Comparison, totals: Totals) -> bool:
    closed = totals.outcome == "closed"
    return closed and (comparison.difference_minor != 0 or comparison.ours_count != totals.count)


def reconciled(state: State, event: on.Reconciled) -> Step:
    """Recorded; a difference calls staff. The day was closed before, and stays so whatever the terminal says."""
    if event.no != state.reconcile_due:
        return stay(state)
    return Step(
        replace(state, reconcile_due=0),
        (do.CallStaff("day_difference"),) if differs(event.comparison, event.totals) else (),
    )


def resume(state: State) -> tuple[do.Any, ...]:
    """After a restart: asked again under the same number, which the daemon answers alike if it has answered before."""
    return (do.Reconcile(state.reconcile_due),) if state.reconcile_due else ()


def _explained(attempts: list[tuple[Sale, Tender]], totals: Totals, difference: int) -> Iterable[Explained]:
    first, last = _number(totals.first_receipt), _number(totals.last_receipt)
    seen = set()
    for sale, tender in attempts:
        number = _number(tender.card.receipt_no) if tender.card is not None else None
        seen.add(number)
        if tender.state == "approved":
            if number is None or first is None or last is None or not _within(number, first, last):
                yield _of("ours", sale, tender)
        elif tender.state in SENT and tender.requested_minor == abs(difference):
            yield _of("doubt", sale, tender)
    if first is not None and last is not None and last - first < 10_000:
        for number in range(first, last + 1):
            if number and number not in seen:
                yield Explained("terminal", receipt_no=f"{number:04d}")


def _within(number: int, first: int, last: int) -> bool:
    """Numbers wrap at 9999: a range that ends below its beginning goes over it."""
    return first <= number <= last if first <= last else number >= first or number <= last


def _of(where: Literal["ours", "doubt"], sale: Sale, tender: Tender) -> Explained:
    receipt_no, trace_no = (tender.card.receipt_no, tender.card.trace_no) if tender.card is not None else ("", "")
    return Explained(where, receipt_no, trace_no, tender.requested_minor, sale.sale_no, tender.state)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
