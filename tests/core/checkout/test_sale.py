"""A whole sale, and the ways out of it."""

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import grouped
from kiosk.core.checkout import durable_part
from kiosk.core.closing import sealed
from kiosk.core.screen import screen
from kiosk.core.state import (
    CancelAsked,
    DeviceHealth,
    HelpCalled,
    ItemNotFound,
    NotForSale,
    PaymentFailed,
    Refused,
    ScanNotNow,
    StillThere,
)
from kiosk.core.tenders import due_minor
from kiosk.records.sale import Fiscal
from tests.core.checkout.script import PANT, READY, Script, product


def test_three_items_paid_by_card_and_printed() -> None:
    s = Script()
    s.scan(product(price=1250))
    s.scan(product("05712345678913", 995), PANT)
    s.scan(product(price=1250))
    sale = s.state.sale
    assert sale is not None
    assert (sale.total_minor, len(sale.lines), sale.sale_no) == (3595, 4, 1)
    assert [(t.category, t.base_minor, t.tax_minor, t.gross_minor) for t in sale.taxes] == [
        ("O", 100, 0, 100),
        ("S", 2796, 699, 3495),
    ]
    assert s.to_charge() == [do.Charge("t1", 3595, "DKK", "witness")]
    s.play(on.ChargeSent("t1"))
    assert s.approve() == [do.ConfirmPayment("t1", 7)]
    assert screen(s.state) == "card"
    (fiscalise,) = s.play(on.PaymentEnded("t1", "stands", ["Visa 1234"]))
    assert isinstance(fiscalise, do.Fiscalise)
    assert s.play(on.Fiscalised(Fiscal("none"))) == [do.CloseSale()]
    s.play(on.SaleClosed(2_000))
    closed = s.state.sale
    assert closed is not None
    assert (closed.state, closed.receipt_series, closed.receipt_no, due_minor(closed)) == ("closed", "A", 1, 0)
    assert closed.tenders[0].receipt_lines == ["Visa 1234"]
    assert s.play(on.ReceiptChosen("print", "{}", "j1")) == [do.PrintReceipt("j1", "{}", copy=False)]
    assert screen(s.state) == "printing"
    s.play(on.ReceiptPrintEnded("j1", "printed", ""))
    assert screen(s.state) == "thanks"
    assert s.play(on.TimerElapsed("thanks")) == [do.Finish()]
    s.play(on.SaleFinished())
    assert screen(s.state) == "attract"
    assert s.state.sale is None
    assert (s.state.next_sale_no, s.state.next_receipt_no) == (2, 2)


def test_like_items_are_shown_together_at_their_last_place() -> None:
    s = Script()
    a, b = product(price=1250), product("05712345678913", 995)
    for item in (a, b, a):
        s.scan(item, PANT)
    assert s.state.sale is not None
    shown = [(g.first.code[-3:], g.count, g.gross_minor, g.deposits_minor) for g in grouped(s.state.sale)]
    assert shown == [("913", 1, 995, 100), ("906", 2, 2500, 200)]
    assert grouped(s.state.sale)[-1].newest == "l3"


def test_each_accepted_scan_pulses_and_each_refused_one_does_not() -> None:
    s = Script()
    s.scan()
    s.scan()
    assert s.state.pulse == 2
    s.play(on.UnknownScanned("123", "unknown"))
    assert s.state.pulse == 2
    assert s.state.prompt == ItemNotFound("123", "unknown")
    s.scan()
    assert (s.state.pulse, s.state.prompt) == (3, None)


def test_what_needs_staff_is_refused_politely_and_nothing_is_added() -> None:
    s = Script()
    beer = product(restriction="age_18")
    s.scan(beer)
    assert s.state.prompt == Refused("restricted", "age_18", beer.name)
    assert s.state.sale is None
    s.scan()
    s.play(on.RemoveTouched("l2"))
    assert isinstance(s.state.prompt, Refused)
    assert s.state.prompt.what == "void"
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 1


def test_weighed_goods_are_not_for_sale_here_yet() -> None:
    s = Script()
    s.scan(product(unit="kg", code_kind="plu"))
    assert isinstance(s.state.prompt, NotForSale)
    assert s.state.sale is None


def test_a_long_hostile_code_is_cut_and_cleaned_for_showing() -> None:
    s = Script()
    s.play(on.UnknownScanned("\x1b\x00\x07" * 3000 + "x", "not_a_product"))
    assert s.state.prompt == ItemNotFound("", "not_a_product")
    s.play(on.UnknownScanned("A" * 10_000, "unknown"))
    assert isinstance(s.state.prompt, ItemNotFound)
    assert len(s.state.prompt.text) == 32


def test_a_scan_while_paying_changes_nothing_but_says_so() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    sale = s.state.sale
    s.scan()
    assert s.state.sale == sale
    assert isinstance(s.state.prompt, ScanNotNow)


def test_a_scan_at_thank_you_begins_the_next_customers_sale() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.LanguageChosen("zh-Hans"), on.ReceiptChosen("none", "{}", "j1"))
    assert screen(s.state) == "thanks"
    s.scan()
    sale = s.state.sale
    assert sale is not None
    assert (sale.sale_no, sale.language, len(sale.lines), sale.tenders) == (2, "da", 1, [])


def test_cancel_is_asked_and_then_done_and_never_with_money_in() -> None:
    s = Script()
    s.scan()
    s.play(on.CancelTouched())
    assert isinstance(s.state.prompt, CancelAsked)
    s.play(on.SaleCancelled(3_000))
    assert screen(s.state) == "attract"
    s.scan()
    s.to_charge()
    s.approve(minor=500)
    s.play(on.PaymentEnded("t1", "stands", []))
    assert screen(s.state) == "pay"
    before = len(s.journal)
    assert s.play(on.SaleCancelled(3_000)) == []
    assert len(s.journal) == before, "a record of a cancelled sale would be its end at the next start"
    assert s.state.sale is not None
    assert due_minor(s.state.sale) == 750


def test_a_partly_authorised_amount_leaves_the_rest_to_pay() -> None:
    s = Script()
    s.scan(product(price=2000))
    s.to_charge()
    s.approve(minor=500)
    s.play(on.PaymentEnded("t1", "stands", []))
    assert s.state.sale is not None
    assert s.state.sale.state == "open"
    assert s.play(on.PayChosen("t2"), on.TerminalPrepared("t2", "w2")) == [do.Charge("t2", 1500, "DKK", "w2")]
    assert s.state.sale is not None
    assert [(t.requested_minor, t.authorised_minor, t.state) for t in s.state.sale.tenders] == [
        (2000, 500, "approved"),
        (1500, 0, "intent"),
    ]


def test_idle_is_warned_and_any_sign_of_life_answers() -> None:
    s = Script()
    s.scan()
    s.play(on.TimerElapsed("idle"))
    assert s.state.prompt == StillThere(25)
    s.play(on.Touched())
    assert s.state.prompt is None
    s.play(on.TimerElapsed("idle"))
    assert s.play(on.TimerElapsed("answer")) == [do.GiveUp()]
    s.play(on.SaleAbandoned(4_000))
    assert s.state.sale is None


def test_whoever_leaves_without_the_receipt_does_not_close_the_lane_to_the_next() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    s.play(on.DeviceChanged("printer", DeviceHealth("fault", "paper_out")))
    assert do.StartTimer("idle", 60) in s.timers
    s.play(on.TimerElapsed("idle"))
    assert s.state.prompt == StillThere(25)
    assert s.play(on.TimerElapsed("answer")) == [do.Finish()]
    s.play(on.SaleFinished())
    assert (s.state.stage, s.state.sale) == ("idle", None)


def test_nobody_is_asked_any_more_when_the_receipt_comes_out_after_all() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    s.play(on.DeviceChanged("printer", DeviceHealth("fault", "paper_out")), on.TimerElapsed("idle"))
    s.play(on.DeviceChanged("printer", READY))
    assert s.state.prompt is None
    assert do.StopTimer("answer") in s.timers


def test_a_restart_starts_the_clocks_again() -> None:
    """Else what the last customer left stays for the next."""
    s = Script()
    s.scan()
    s.restart()
    assert do.StartTimer("idle", 60) in s.timers
    s.to_receipt()
    s.restart()
    assert do.StartTimer("idle", 60) in s.timers
    s.play(on.ReceiptChosen("none", "{}", ""))
    s.restart()
    assert do.StartTimer("thanks", 8) in s.timers


def test_a_basket_is_never_cleared_while_a_payment_is_open() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    assert s.play(on.TimerElapsed("idle"), on.TimerElapsed("answer")) == []
    recorded = len(s.journal)
    for event in (on.SaleAbandoned(4_000), on.SaleCancelled(4_000)):
        before = s.state
        s.play(event)
        assert s.state.sale is not None
        assert sealed(before, event, s.state) is None
    assert len(s.journal) == recorded, "a restart would take such a record for the sale's end"
    assert s.state.prompt is None


def test_language_and_contrast_go_back_for_the_next_customer() -> None:
    s = Script()
    s.scan()
    s.play(on.LanguageChosen("zh-Hant"), on.ContrastChosen("high"))
    assert s.state.sale is not None
    assert (s.state.sale.language, s.state.contrast) == ("zh-Hant", "high")
    s.play(on.LanguageChosen("xx"))
    assert s.state.language == "zh-Hant"
    s.play(on.SaleCancelled(1))
    assert (s.state.language, s.state.contrast) == ("da", "normal")


def test_help_calls_staff_and_the_customer_goes_on_scanning() -> None:
    s = Script()
    s.scan()
    assert s.play(on.HelpTouched()) == [do.CallStaff("customer")]
    assert isinstance(s.state.prompt, HelpCalled)
    s.scan()
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 2


def test_a_declined_card_leads_back_to_paying() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    effects = s.play(on.PaymentDeclined("t1", 9, "declined", "card_declined", "05"))
    assert effects == [do.ConfirmPayment("t1", 9)]
    assert (screen(s.state), s.state.prompt) == ("pay", PaymentFailed("card_declined"))
    assert s.play(on.PayChosen("t2")) == [do.PrepareTerminal("t2")]


def test_stopping_a_payment_is_quiet_and_may_come_too_late() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    assert s.play(on.BackTouched()) == [do.AbortPayment("t1")]
    s.play(on.PaymentDeclined("t1", 9, "cancelled", "aborted", "6C"))
    assert (screen(s.state), s.state.prompt) == ("pay", None)
    s.to_charge("t2")
    s.play(on.BackTouched())
    assert s.approve("t2") == [do.ConfirmPayment("t2", 7)]


def test_stopping_before_the_terminal_was_asked_stops_it_as_soon_as_it_is() -> None:
    s = Script()
    s.scan()
    s.play(on.PayTouched(), on.PayChosen("t1"))
    assert s.play(on.BackTouched()) == []
    charge = do.Charge("t1", 1250, "DKK", "witness")
    assert s.play(on.TerminalPrepared("t1", "witness")) == [charge, do.AbortPayment("t1")]
    s.play(on.PaymentDeclined("t1", 9, "cancelled", "aborted", "6C"))
    assert (screen(s.state), s.state.prompt) == ("pay", None)
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_a_print_in_doubt_is_offered_again_as_a_copy_and_only_so_often() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    assert s.play(on.ReceiptPrintEnded("j1", "uncertain", "unplugged")) == [do.CallStaff("printer")]
    assert screen(s.state) == "print_trouble"
    assert s.play(on.CopyChosen("j2")) == [do.PrintReceipt("j2", "{}", copy=True)]
    s.play(on.ReceiptPrintEnded("j2", "uncertain", "unplugged"), on.CopyChosen("j3"))
    s.play(on.ReceiptPrintEnded("j3", "uncertain", "unplugged"))
    assert s.play(on.CopyChosen("j4")) == [do.CallStaff("printer")]
    s.play(on.ReceiptChosen("qr", "{}", "j5"))
    assert screen(s.state) == "thanks"


def test_a_print_that_put_nothing_on_paper_is_no_copy() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"), on.ReceiptPrintEnded("j1", "failed", "unplugged"))
    assert s.play(on.CopyChosen("j2")) == [do.PrintReceipt("j2", "{}", copy=False)]


def test_staff_are_called_as_soon_as_the_printer_stops_inside_a_receipt() -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    assert s.play(on.DeviceChanged("printer", DeviceHealth("fault", "paper_out"))) == [do.CallStaff("printer")]
    assert s.play(on.DeviceChanged("printer", DeviceHealth("fault", "cover_open"))) == []
    assert screen(s.state) == "print_trouble"
