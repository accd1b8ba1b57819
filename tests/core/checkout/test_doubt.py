"""Payments whose end is not known: restarts, lost lines, late and wrong answers. Nothing is ever charged anew."""

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import UNCLEAR_S, durable_part
from kiosk.core.screen import screen
from kiosk.core.state import DeviceHealth, PaymentFailed
from kiosk.records.sale import Fiscal
from tests.core.checkout.script import CARD, READY, Script

QUERY = do.QueryPayment("t1", 1250, "DKK", "witness")


def charged() -> Script:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.ChargeSent("t1"))
    return s


def answer(kind: str, *, seq: int = 0, minor: int = 1250, currency: str = "DKK") -> on.PaymentQueried:
    card = CARD if kind == "approved" else None
    return on.PaymentQueried("t1", kind, seq, minor if card else 0, currency, card, "")  # type: ignore[arg-type]


def tender_state(s: Script) -> str:
    assert s.state.sale is not None
    return s.state.sale.tenders[0].state


def test_a_lost_line_is_asked_about_and_the_customer_is_told_not_to_pay_again() -> None:
    s = charged()
    assert s.play(on.PaymentLost("t1", sent=True, reason="line_lost")) == [QUERY]
    assert (screen(s.state), tender_state(s)) == ("checking", "unknown")
    assert s.play(on.PayChosen("t2")) == []


def test_nothing_sent_is_nothing_charged() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.PaymentLost("t1", sent=False, reason="unplugged"))
    assert (screen(s.state), tender_state(s)) == ("pay", "cancelled")


@pytest.mark.parametrize(
    ("given", "state", "shown"),
    [
        ("approved", "approved", "closing"),
        ("not_charged", "cancelled", "pay"),
        ("declined", "declined", "pay"),
        ("cancelled", "cancelled", "pay"),
        ("unknown", "manual", "checking"),
        ("unreachable", "unknown", "checking"),
        ("in_progress", "unknown", "card"),
    ],
)
def test_what_the_terminals_record_says_decides(given: str, state: str, shown: str) -> None:
    s = charged()
    s.play(on.PaymentLost("t1", sent=True, reason="line_lost"), answer(given))
    s.answer_effects()
    assert (tender_state(s), screen(s.state)) == (state, shown)


def test_an_approval_that_still_waits_is_confirmed_after_it_is_recorded() -> None:
    s = charged()
    s.restart()
    assert s.play(answer("approved", seq=12)) == [do.ConfirmPayment("t1", 12)]
    assert tender_state(s) == "approved"
    assert screen(s.state) == "card"


@pytest.mark.parametrize(("minor", "currency"), [(1251, "DKK"), (0, "DKK"), (1250, "EUR"), (-5, "DKK")])
def test_an_approval_of_something_else_is_never_taken(minor: int, currency: str) -> None:
    s = charged()
    effects = s.play(on.PaymentApproved("t1", 5, minor, currency, CARD))
    assert [type(e) for e in effects] == [do.LeaveToStaff, do.CallStaff]
    assert (tender_state(s), screen(s.state)) == ("unknown", "checking")
    assert s.answer_effects() == []
    assert tender_state(s) == "manual"


def test_an_approval_that_could_not_be_confirmed_in_time_is_asked_about() -> None:
    s = charged()
    s.approve()
    assert s.play(on.ConfirmFailed("t1")) == [QUERY]
    assert screen(s.state) == "checking"
    s.play(answer("not_charged"))
    assert (tender_state(s), s.state.prompt) == ("reversed", PaymentFailed("not_charged"))


def test_an_approval_voided_by_the_terminal_brings_no_goods() -> None:
    s = charged()
    s.approve()
    s.play(on.PaymentEnded("t1", "void", []))
    assert (tender_state(s), screen(s.state)) == ("reversed", "pay")


def test_a_late_approval_is_neither_confirmed_nor_silent() -> None:
    s = charged()
    s.play(on.PaymentDeclined("t1", 3, "declined", "card_declined", "05"))
    before = len(s.journal)
    effects = s.play(on.PaymentApproved("t1", 9, 1250, "DKK", CARD))
    assert [type(e) for e in effects] == [do.LeaveToStaff, do.CallStaff]
    assert len(s.journal) == before + 1
    assert (tender_state(s), screen(s.state)) == ("unknown", "checking")
    assert s.play(on.PayChosen("t2")) == []


def test_an_approval_for_a_sale_that_is_over_is_an_alarm_in_the_journal() -> None:
    s = Script()
    s.scan()
    s.play(on.SaleCancelled(1_000))
    s.play(on.PaymentApproved("t9", 9, 1250, "DKK", CARD))
    assert s.answer_effects() == [do.CallStaff("payment_late_approval")]
    alarm = s.journal[-1]
    assert isinstance(alarm, on.PaymentLeftToStaff)
    assert (alarm.tender_id, alarm.evidence.why, alarm.evidence.told_minor) == ("t9", "late_approval", 1250)
    assert s.state.sale is None


def test_a_repeated_approval_is_only_confirmed_again() -> None:
    s = charged()
    s.approve(seq=7)
    assert s.approve(seq=7) == [do.ConfirmPayment("t1", 7)]


def test_staff_are_called_also_when_the_terminal_never_answers() -> None:
    s = charged()
    s.play(on.PaymentLost("t1", sent=True, reason="line_lost"))
    assert do.StartTimer("unclear", UNCLEAR_S) in s.timers
    s.play(answer("unreachable"))
    left, called = s.play(on.TimerElapsed("unclear"))
    assert isinstance(left, do.LeaveToStaff)
    assert called == do.CallStaff("payment_unreachable")
    assert s.play(on.TimerElapsed("unclear")) == [left], "once more in case it could not be recorded; staff come once"
    s.answer_effects()
    assert tender_state(s) == "manual"
    assert do.StopTimer("unclear") in s.timers
    assert s.play(on.TimerElapsed("unclear")) == []


def test_nothing_is_in_doubt_while_nothing_was_sent() -> None:
    s = Script()
    s.scan()
    s.play(on.PayTouched(), on.PayChosen("t1"), on.HalChanged(connected=False, resumed=False))
    assert s.play(on.TimerElapsed("unclear")) == [do.CallStaff("payment_unreachable")]
    s.play(on.TerminalNotPrepared("t1", "hal_gone"))
    assert (tender_state(s), screen(s.state)) == ("cancelled", "pay")


def test_a_restart_does_not_forget_to_call_staff() -> None:
    s = charged()
    s.play(on.PaymentLost("t1", sent=True, reason="line_lost"))
    s.restart()
    assert do.StartTimer("unclear", UNCLEAR_S) in s.timers


def test_the_terminals_return_is_used_at_once() -> None:
    s = charged()
    s.play(on.PaymentLost("t1", sent=True, reason="line_lost"), answer("unreachable"))
    s.play(on.DeviceChanged("terminal", DeviceHealth("absent", "unreachable")))
    assert s.play(on.DeviceChanged("terminal", READY)) == [QUERY]


def test_the_hardware_daemon_gone_and_back_without_memory_is_asked() -> None:
    s = charged()
    s.play(on.HalChanged(connected=False, resumed=False))
    assert screen(s.state) == "checking"
    assert s.play(on.HalChanged(connected=True, resumed=True)) == []
    s.play(on.HalChanged(connected=False, resumed=False))
    assert s.play(on.HalChanged(connected=True, resumed=False)) == [QUERY]


STORY: list[on.Any] = [
    on.PayChosen("t1"),
    on.TerminalPrepared("t1", "witness"),
    on.ChargeSent("t1"),
    on.PaymentApproved("t1", 7, 1250, "DKK", CARD),
    on.PaymentEnded("t1", "stands", ["KORT"]),
    on.Fiscalised(Fiscal("none")),
    on.SaleClosed(2_000),
    on.ReceiptChosen("print", "{}", "j1"),
    on.ReceiptPrintEnded("j1", "printed", ""),
]
AFTER_RESTART: list[object] = [
    [],
    [do.PrepareTerminal("t1")],
    [QUERY],
    [QUERY],
    [QUERY],
    "fiscalise",
    [do.CloseSale()],
    [],
    [do.AskPrint("j1")],
    [],
]


@pytest.mark.parametrize("steps", range(len(STORY) + 1))
def test_a_restart_after_any_step_goes_on_and_never_charges(steps: int) -> None:
    s = Script()
    s.scan()
    s.play(*STORY[:steps])
    before = durable_part(s.state)
    effects = s.restart()
    assert durable_part(s.state) == before
    assert not any(isinstance(e, do.Charge | do.PrintReceipt) for e in effects)
    expected = AFTER_RESTART[steps]
    if expected == "fiscalise":
        assert [type(e) for e in effects] == [do.Fiscalise]
    else:
        assert effects == expected
    # With the answers that such questions get, the sale ends well, charged once.
    rest = [answer("approved"), *STORY[5:]] if 2 <= steps <= 4 else STORY[steps:]
    s.play(*rest)
    assert s.state.sale is not None
    assert (screen(s.state), s.state.sale.state) == ("thanks", "closed")
    assert sum(t.authorised_minor for t in s.state.sale.tenders if t.state == "approved") == 1250


@pytest.mark.parametrize("recorded", [True, False])
def test_a_late_approval_is_not_settled_by_a_record_that_may_be_of_a_later_payment(recorded: bool) -> None:
    """The record has moved on by t2, of the same amount: compared with t1's witness it looks like t1."""
    s = Script()
    s.scan()
    s.to_charge("t1")
    s.play(on.PaymentDeclined("t1", 3, "declined", "card_declined", "05"))
    s.to_charge("t2")
    s.approve("t2", 500)
    s.play(on.PaymentEnded("t2", "stands", []), on.PaymentApproved("t1", 9, 500, "DKK", CARD))
    if recorded:
        s.answer_effects()
    assert not any(isinstance(effect, do.QueryPayment) for effect in s.restart())
    s.answer_effects()
    assert tender_state(s) == "manual"
    assert s.play(on.TimerElapsed("query")) == []
    s.play(answer("approved", minor=500))
    assert tender_state(s) == "manual"
