"""What went wrong with other tills at the counter, each with what must happen here. On the way to the backend:
`tests.core.sync.test_rivals`."""

import pytest
from playwright.sync_api import Browser

from kiosk.lane import port
from tests.system.lane.harness import LaneUnderTest, customer
from tests.system.lane.test_sale import TOAST
from tests.system.payment.shop import PRICE_MINOR, Shop, numbers_are_whole, until
from tests.system.payment.test_cuts import cut_and_pay
from tests.system.payment.test_kills import finishes
from tests.system.payment.till import (
    HouseTill,
    KillableTill,
    asks_for_card,
    moves_on,
    pays,
    ready,
    shows_basket,
    stage_is,
)

pytestmark = pytest.mark.system


def test_two_windows_are_one_sale_and_one_charge(own_lane: LaneUnderTest, browser: Browser) -> None:
    """Odoo #152259. Elsewhere: the till open in two windows makes two orders of one. Here: a window renders the lane's
    one state and posts wishes to it; the second wish to pay finds the first one's payment."""
    with customer(own_lane, browser) as first, customer(own_lane, browser) as second:
        first.scans(TOAST)
        for window in (first, second):
            window.sees("basket")
        first.touches("pay")
        for window in (first, second):
            window.sees("pay")
        for window in (first, second, first, second):
            window.page.evaluate("document.querySelector('[data-wish=card]')?.click()")
        own_lane.waits_for_card()
        first.taps()
        for window in (first, second):
            window.sees("receipt")
        second.touches("receipt", "how=none")
        for window in (first, second):
            window.sees("thanks")
    assert len(own_lane.captured()) == len(own_lane.ledger()) == 1
    own_lane.until(lambda: bool(own_lane.cloud("/api/sales")["sales"]))
    assert len(own_lane.cloud("/api/sales")["sales"]) == 1
    own_lane.journal_verifies()


def test_a_power_cut_leaves_the_open_order() -> None:
    """Odoo #125037. Elsewhere: the order that was open when the power went is gone. Here: every line was durable before
    it was shown, and the customer goes on where she was. (That a disk keeps it: `make torture ARGS=power`.)"""
    with Shop() as shop:
        till = KillableTill(shop.lane)
        try:
            shows_basket(till, shop.scan, 3)
            open_sale = till.state().sale
            assert open_sale is not None
            till.kill()
            till = KillableTill(shop.lane)
            found = moves_on(till, ready).sale
            assert found is not None
            assert (found.sale_id, found.lines) == (open_sale.sale_id, open_sale.lines)
            asks_for_card(till)
            assert pays(till).total_minor == 3 * PRICE_MINOR
        finally:
            till.kill()
        assert shop.amounts() == [3 * PRICE_MINOR]


def test_a_print_in_doubt_is_never_repeated_by_itself() -> None:
    """Odoo #240253. Elsewhere: a print whose answer is lost is sent again under a new id, and comes out twice. Here:
    the job keeps its id, a daemon that has forgotten it says so, and the customer decides about a copy."""
    with Shop() as shop, HouseTill(shop.lane) as till:
        printer = shop.devices.printer
        shows_basket(till, shop.scan)
        asks_for_card(till)
        pays(till)
        shop.devices.call(lambda: printer.set_paper(present=True, left_mm=30))
        till.post(port.ChooseReceipt("print"))
        moves_on(till, lambda state: state.stage == "printing" and state.health.printer.reason == "paper_out")
        shop.kill_hal()
        shop.devices.call(lambda: printer.set_paper(present=True))
        shop.start_hal()
        moves_on(till, lambda state: state.receipt is not None and state.receipt.outcome == "uncertain")
        moves_on(till, lambda state: state.health.printer.usable)
        printed = len(printer.receipts)
        assert printed <= 1
        till.post(port.PrintAgain())
        moves_on(till, stage_is("thanks"))
        assert len(printer.receipts) == printed + 1
        [chosen] = [record for record in shop.records() if record.typ == "receipt.copied"]
        assert [effect["copy"] for effect in chosen.body["effects"]] == [True], "marked as a copy"


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_paid_on_the_terminal_and_then_the_order_fails(unacknowledged: str) -> None:
    """Odoo #256042. Elsewhere: the terminal took the money, closing the order failed, and nobody knows of it. Here: the
    intent was durable before; the restarted lane asks the terminal, and the sale is closed with that payment."""
    with Shop() as shop:
        shop.profile(unacknowledged=unacknowledged, auto=None)
        till = KillableTill(shop.lane)
        try:
            shows_basket(till, shop.scan)
            asks_for_card(till)
            shop.devices.call(lambda: shop.terminal.tap("approve"))
            until(lambda: bool(shop.devices.call(lambda: shop.terminal.ledger.entries)), "the terminal has charged")
            till.kill()
            shop.profile(auto="approve")
            till = KillableTill(shop.lane)
            finishes(till, shop, 0)
        finally:
            till.kill()
        assert shop.amounts() == [PRICE_MINOR]
        assert [sale.state for sale in shop.sealed()] == ["closed"]
        shop.verify_journal()


class _Impatient(HouseTill):
    """A customer who touches the button three times."""

    def post(self, wish: port.AnyWish) -> None:
        for _ in range(3 if isinstance(wish, port.PayByCard) else 1):
            super().post(wish)


def test_eight_orders_are_eight_charges() -> None:
    """stripe-terminal-android #747. Elsewhere: eight orders became nineteen charges, for each retry was a new payment.
    Here: no new attempt while one is unknown, however often the button is touched and wherever the line breaks."""
    with Shop() as shop:
        shop.profile(unacknowledged="stands")
        with _Impatient(shop.lane) as till:
            places = [("out", 4), ("in", 4), ("out", 5), ("in", 1), ("out", 6), ("in", 3), ("out", 1), ("in", 5)]
            for direction, message in places:
                cut_and_pay(shop, till, direction, message, "reset")
        assert shop.amounts() == [PRICE_MINOR] * 8
        sales = shop.sealed()
        assert [sale.state for sale in sales] == ["closed"] * 8
        numbers_are_whole(sales)
        shop.verify_journal()
