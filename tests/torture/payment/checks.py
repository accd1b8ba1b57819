"""What must hold, whatever happened: the journal of the lane against the ledger of the terminal."""

from collections.abc import Iterable, Sequence
from typing import Literal

from kiosk.core.state import State
from kiosk.core.tenders import UNSETTLED, paid_minor, reckoning, settled_minor
from kiosk.records.sale import Sale
from tests.torture.payment.terminal import HAND, Terminal

Kind = Literal["doubled", "lost", "wrong"]


class Violation(AssertionError):
    """`kind`: doubled, a customer was charged more than is recorded; lost, less, or an intent or alarm is missing;
    wrong, a rule was broken that keeps from both."""

    def __init__(self, kind: Kind, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind


def require(holds: bool, kind: Kind, what: str) -> None:
    if not holds:
        raise Violation(kind, what)


def sealed(sale: Sale, terminal: Terminal) -> None:
    """At its last record a sale and the ledger say the same, tender by tender."""
    require(not any(t.state in UNSETTLED for t in sale.tenders), "wrong", f"sealed with a doubt: {sale.tenders}")
    for tender in sale.tenders:
        charged, recorded = terminal.net_minor(tender.tender_id), settled_minor(tender)
        words = f"{tender.tender_id} is {tender.state} with {recorded}, and charged {charged}"
        require(charged <= recorded, "doubled", words)
        require(charged >= recorded, "lost", words)
    expected = sale.total_minor if sale.state == "closed" else 0
    require(paid_minor(sale) == expected, "lost", f"{sale.state} with {paid_minor(sale)} of {expected} paid")
    if sale.state == "closed":
        require(reckoning(sale).difference_minor == 0, "wrong", f"does not add up: {reckoning(sale)}")


def standing(state: State) -> None:
    """After every event."""
    sale, payment = state.sale, state.payment
    if sale is None:
        require(payment is None, "wrong", "a payment without a sale")
        return
    unsettled = [t for t in sale.tenders if t.state in UNSETTLED]
    if state.stage in ("closing", "receipt", "printing", "thanks"):
        require(not unsettled, "wrong", f"goods with a doubt: {unsettled}")
        require(paid_minor(sale) == sale.total_minor, "lost", "goods without a charge")
    if unsettled:
        require(payment is not None, "wrong", f"nobody cares for {unsettled}")
    for tender in sale.tenders:
        require(tender.state != "manual" or tender.evidence is not None, "wrong", "manual without evidence")


def at_rest(terminal: Terminal, sales: Sequence[Sale], intents: Iterable[str], alarms: Iterable[str]) -> None:
    """When all is quiet: every intent has its end, every charge its sale, and the sums are one."""
    named = {t.tender_id: t for sale in sales for t in sale.tenders}
    for tender_id in intents:
        require(tender_id in named, "lost", f"intent {tender_id} stands in no sealed sale")
    for tender in named.values():
        resolved = tender.evidence is not None and tender.resolved_by
        require(not resolved or tender.tender_id in alarms, "wrong", f"{tender.tender_id} resolved without an alarm")
    ledger = [entry for entry in terminal.ledger if entry.tender != HAND]
    for entry in ledger:
        require(entry.tender in named, "lost", f"charged without a sale: {entry}")
        captures = [e for e in ledger if e.tender == entry.tender and e.amount_minor > 0]
        require(len(captures) <= 1, "doubled", f"captured more than once: {captures}")
    charged = sum(entry.amount_minor for entry in ledger)
    sold = sum(sale.total_minor for sale in sales if sale.state == "closed")
    require(charged <= sold, "doubled", f"charged {charged}, sold {sold}")
    require(charged >= sold, "lost", f"charged {charged}, sold {sold}")
