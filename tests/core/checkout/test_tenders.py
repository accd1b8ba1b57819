"""How tenders of every kind add up to what is due."""

import pytest
from msgspec.structs import replace

from kiosk.core.tenders import cash_rounding_minor, due_minor, paid_minor, reckoning, settled_minor
from kiosk.records.sale import Currency, Foreign, Sale, Tender
from tests.core.checkout.script import DKK


def sale(total_minor: int, *tenders: Tender) -> Sale:
    return Sale("s", 1, "sale", "open", DKK, True, "r", "v1", "da", 1, tenders=list(tenders), total_minor=total_minor)


CARD = Tender("t1", "card", "approved", 1000, 1000)
PAID: dict[str, tuple[list[Tender], int]] = {
    "card": ([CARD], 1000),
    "card with tip and surcharge": ([replace(CARD, authorised_minor=1115, tip_minor=100, surcharge_minor=15)], 1000),
    "cash with change": ([Tender("t1", "cash", "approved", 1000, 2000, change_minor=1000)], 1000),
    "card in part, gift card for the rest": (
        [replace(CARD, authorised_minor=600), Tender("t2", "gift_card", "approved", 400, 400)],
        1000,
    ),
    "foreign cash": (
        [Tender("t1", "cash", "approved", 1000, 1000, foreign=Foreign(134, Currency("EUR", 2), "7.46"))],
        1000,
    ),
    "a refund of a return": ([Tender("t1", "card", "approved", -1000, -1000, reverses="t0")], -1000),
    "declined, then approved": ([replace(CARD, state="declined"), replace(CARD, tender_id="t2")], 1000),
    "given back, then paid": ([replace(CARD, state="reversed"), replace(CARD, tender_id="t2")], 1000),
}


@pytest.mark.parametrize("name", PAID)
def test_a_sale_that_may_close_has_no_difference(name: str) -> None:
    tenders, total_minor = PAID[name]
    whole = sale(total_minor, *tenders)
    assert (due_minor(whole), reckoning(whole).difference_minor) == (0, 0)


@pytest.mark.parametrize("state", ["open", "intent", "sent", "declined", "cancelled", "unknown", "manual", "reversed"])
def test_only_an_approved_tender_pays(state: str) -> None:
    tender = replace(CARD, state=state)  # type: ignore[arg-type]
    assert settled_minor(tender) == 0
    assert paid_minor(sale(1000, tender)) == 0
    assert reckoning(sale(1000, tender)).difference_minor == 1000


@pytest.mark.parametrize(
    ("due", "step", "rounding"),
    [(1024, 50, -24), (1025, 50, 25), (1050, 50, 0), (1024, 1, 0), (-1024, 50, 24), (-1025, 50, -25), (7, 5, -2)],
)
def test_cash_is_rounded_to_its_smallest_coin(due: int, step: int, rounding: int) -> None:
    assert cash_rounding_minor(due, step) == rounding
