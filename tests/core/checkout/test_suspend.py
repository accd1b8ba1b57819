"""Put aside on one lane, taken up on another."""

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part
from kiosk.core.closing import sealed
from kiosk.core.screen import screen
from kiosk.core.state import Change, Recalled
from kiosk.records.sale import Product
from tests.core.checkout.script import PANT, Script, product

BREAD = product(price=1250)
SODA = product("05712345678913", 995)
BEER = product("05712345678920", 2000, restriction="age_18")
ORIGINAL = "ab" * 16


def recall(
    *items: tuple[Product, int, int], original: str = ORIGINAL, missing: tuple[str, ...] = ()
) -> on.SaleRecalled:
    return on.SaleRecalled(
        original, "transferred", "v0",
        tuple(on.RecalledItem(p, PANT if p is SODA else None, pieces, was) for p, pieces, was in items),
        missing, "r", "s9", "v1", "da", 9,
    )  # fmt: skip


def test_put_aside_it_is_sealed_and_shown_until_the_customer_goes() -> None:
    s = Script()
    s.scan()
    before = s.state
    event = on.SaleSuspended("KASSA1:…", "{}", "j1", 5)
    assert s.play(event) == [do.PrintReceipt("j1", "{}", copy=False)]
    assert screen(s.state) == "suspended"
    kept = sealed(before, event, s.state)
    assert kept is not None
    assert (kept.state, kept.closed_wall_ms, kept.receipt_no) == ("suspended", 5, 0)
    s.play(on.ReceiptPrintEnded("j1", "printed", ""))
    assert screen(s.state) == "suspended", "the code stays on the screen"
    assert durable_part(s.replayed()) == durable_part(s.state)
    assert s.play(on.TimerElapsed("thanks")) == [do.Finish()]
    s.play(on.SaleFinished())
    assert (s.state.sale, s.state.slip, s.state.next_receipt_no) == (None, "", 1)


def test_after_a_restart_the_slip_is_asked_about_and_not_printed_again() -> None:
    s = Script()
    s.scan()
    s.play(on.SaleSuspended("KASSA1:…", "{}", "j1", 5))
    assert s.restart() == [do.AskPrint("j1")]
    assert (screen(s.state), s.state.slip) == ("suspended", "KASSA1:…")


def test_without_a_printer_nothing_is_printed_or_asked_about() -> None:
    s = Script()
    s.scan()
    assert s.play(on.SaleSuspended("KASSA1:…", "{}", "", 5)) == []
    assert s.restart() == []


def test_what_is_partly_paid_or_empty_is_not_put_aside() -> None:
    s = Script()
    s.play(on.SaleSuspended("KASSA1:…", "{}", "j1", 5))
    assert s.state.stage == "idle"
    s.scan(product(price=2000))
    s.to_charge()
    s.approve(minor=500)
    s.play(on.PaymentEnded("t1", "stands", []), on.SaleSuspended("KASSA1:…", "{}", "j1", 5))
    assert s.state.stage == "choosing"


def test_taken_up_it_is_a_sale_of_this_lane_that_names_the_other() -> None:
    s = Script()
    s.play(recall((BREAD, 2, 1250), (SODA, 1, 995)))
    sale = s.state.sale
    assert sale is not None
    assert (sale.original, sale.sale_id, sale.sale_no, sale.total_minor) == (ORIGINAL, "s9", 1, 2 * 1250 + 995 + 100)
    assert [line.kind for line in sale.lines] == ["item", "item", "item", "deposit"]
    assert len({line.line_id for line in sale.lines}) == 4
    assert s.state.prompt is None
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_the_goods_cost_what_they_cost_here_and_it_is_said() -> None:
    s = Script()
    s.play(recall((BREAD, 2, 1100), (SODA, 1, 995), missing=("05712345678999",)))
    assert s.state.sale is not None
    assert s.state.sale.total_minor == 2 * 1250 + 995 + 100
    assert s.state.prompt == Recalled((Change(BREAD.name, 1100, 1250),), 1)


def test_restricted_goods_wait_for_staff_again() -> None:
    s = Script()
    assert s.play(recall((BREAD, 1, 1250), (BEER, 2, 2000))) == [do.CallStaff("restricted")]
    assert s.state.sale is not None
    assert (len(s.state.sale.lines), len(s.state.waiting)) == (1, 2)


def test_a_code_is_taken_once_and_the_lane_remembers_over_sales_and_restarts() -> None:
    s = Script()
    s.play(recall((BREAD, 1, 1250)), on.SaleCancelled(3))
    s.scan()
    s.play(on.SaleCancelled(4))
    s.restart()
    s.play(recall((BREAD, 1, 1250)))
    assert s.state.sale is None
    s.play(recall((BREAD, 1, 1250), original="cd" * 16))
    assert s.state.sale is not None


def test_nothing_is_taken_up_into_another_basket() -> None:
    s = Script()
    s.scan()
    s.play(recall((BREAD, 1, 1250)))
    assert s.state.sale is not None
    assert s.state.sale.original == ""


def test_a_slip_over_the_last_customers_thank_you_begins_the_next_sale() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("none", "{}", "j1"), recall((BREAD, 1, 1250)))
    assert s.state.sale is not None
    assert (s.state.sale.sale_no, s.state.sale.original) == (2, ORIGINAL)
