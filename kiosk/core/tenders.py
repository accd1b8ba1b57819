"""How tenders add up to what is due, whatever their kind. This lane offers cards; the reckoning knows all of them.

    sum of lines (with tax, deposits, discounts, rounding) = sum of tenders - change - tips - surcharges

What is charged besides the goods (tip, surcharge) and what is handed back (change) pays for nothing. A refund is a
tender of a return: its amounts are negative and `reverses` names the tender it gives back. Cash may be rounded; the
difference is a line of kind `rounding` that comes with the cash and with nothing else.
"""

import msgspec

from kiosk.core.tax import rounded_ratio
from kiosk.records.sale import Sale, Tender, TenderState

UNDECIDED: tuple[TenderState, ...] = ("intent", "sent", "unknown")
"""Sent, or about to be: the terminal may have charged."""
UNSETTLED: tuple[TenderState, ...] = ("open", *UNDECIDED, "reversal_intent", "manual")
"""While a tender stands there no other is begun, and the sale does not end."""


def settled_minor(tender: Tender) -> int:
    """What the tender pays towards the goods, in minor units; nothing unless it is approved."""
    if tender.state != "approved":
        return 0
    return tender.authorised_minor - tender.tip_minor - tender.surcharge_minor - tender.change_minor


def paid_minor(sale: Sale) -> int:
    """What approved tenders have brought so far, without tips, surcharges and change."""
    return sum(settled_minor(tender) for tender in sale.tenders)


def due_minor(sale: Sale) -> int:
    """What is still to be paid; negative when too much was."""
    return sale.total_minor - paid_minor(sale)


def cash_rounding_minor(due: int, step_minor: int) -> int:
    """The rounding line that comes with paying `due` in cash, whose smallest coin is `step_minor`: to the nearest,
    halves away from zero. 0 for a step of 1."""
    return rounded_ratio(due, step_minor) * step_minor - due


class Reckoning(msgspec.Struct, frozen=True):
    """Both sides of a sale, in minor units. `lines_minor` is with tax."""

    lines_minor: int
    charged_minor: int
    change_minor: int
    tips_minor: int
    surcharges_minor: int

    @property
    def difference_minor(self) -> int:
        """0 where a sale may close; positive when goods are not paid for."""
        settled = self.charged_minor - self.change_minor - self.tips_minor - self.surcharges_minor
        return self.lines_minor - settled


def reckoning(sale: Sale) -> Reckoning:
    approved = [tender for tender in sale.tenders if tender.state == "approved"]
    return Reckoning(
        lines_minor=sale.total_minor,
        charged_minor=sum(tender.authorised_minor for tender in approved),
        change_minor=sum(tender.change_minor for tender in approved),
        tips_minor=sum(tender.tip_minor for tender in approved),
        surcharges_minor=sum(tender.surcharge_minor for tender in approved),
    )
