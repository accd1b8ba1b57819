"""The terminal's line cut at every message of a payment: the terminal's ledger and the closed sale always agree."""

import itertools
from typing import Literal

import pytest

from tests.system.payment.shop import PRICE_MINOR, Shop, numbers_are_whole, until
from tests.system.payment.till import HouseTill, asks_for_card, leaves, moves_on, pays, shows_basket

pytestmark = pytest.mark.system

MESSAGES = {"in": 6, "out": 6}
"""Of one approved payment. In: the command, acknowledgements. Out: acknowledgement, two steps, result, receipt, end."""


def cut_and_pay(shop: Shop, till: HouseTill, direction: str, message: int, manner: str) -> int:
    """One sale with one cut; how often the card was asked for."""
    before = len(shop.captured())
    shows_basket(till, shop.scan)
    shop.fault({"direction": direction, "message": message, "manner": manner})
    asks_for_card(till)
    moves_on(till, lambda state: state.payment is not None)
    sale = pays(till, between=lambda: shop.fault(None))
    shop.fault(None)
    standing = shop.amounts()[before:]
    assert standing == [sale.total_minor] == [PRICE_MINOR], (direction, message, manner, sale.tenders)
    assert sum(t.authorised_minor for t in sale.tenders if t.state == "approved") == sale.total_minor
    leaves(till)
    return len(sale.tenders)


@pytest.mark.parametrize("print_final", [False, True], ids=["status_final", "print_final"])
@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_a_cut_line_charges_once(unacknowledged: Literal["stands", "reverses"], print_final: bool) -> None:
    cuts = [(d, m) for d, count in MESSAGES.items() for m in range(1, count + 1)]
    with Shop(print_final=print_final) as shop:
        shop.profile(unacknowledged=unacknowledged)
        with HouseTill(shop.lane) as till:
            tries = 0
            for (direction, message), manner in itertools.product(cuts, ("reset", "close", "silent")):
                tries += cut_and_pay(shop, till, direction, message, manner)
        assert tries > len(cuts) * 3, "no cut had any effect"
        assert shop.amounts() == [PRICE_MINOR] * len(cuts) * 3
        shop.verify_journal()
        sales = shop.sealed()
        assert all(sale.state == "closed" for sale in sales)
        numbers_are_whole(sales)


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_a_terminal_that_notices_late_is_not_believed_early(unacknowledged: str) -> None:
    """The register is back before the terminal has given up waiting for the acknowledgement: its record still shows
    the payment before, and only a little later ours."""
    with Shop() as shop:
        shop.profile(unacknowledged=unacknowledged, late_s=0.1)
        with HouseTill(shop.lane) as till:
            for manner in ("reset", "close"):
                tries = cut_and_pay(shop, till, "in", 4, manner)
                assert tries == (1 if unacknowledged == "stands" else 2)
            until(lambda: shop.terminal.display == "Ready", "the terminal is done")
        assert shop.amounts() == [PRICE_MINOR] * 2
        shop.verify_journal()
