"""What was paid goes back when the sale is given up: intended first, asked for once, and never taken for granted."""

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part
from kiosk.core.screen import screen
from kiosk.core.tenders import paid_minor
from tests.core.checkout.script import CARD, Script, product

STAFF = on.AttendantIdentified("a1", ("payments",))
REVERSE = do.Reverse("t1", "r1", "0017", 500, "DKK")


def partly_paid(*, parts: int = 1) -> Script:
    """A sale of 20.00 with parts of 5.00 paid."""
    s = Script()
    s.scan(product(price=2000))
    for n in range(1, parts + 1):
        s.to_charge(f"t{n}")
        s.approve(f"t{n}", 500)
        s.play(on.PaymentEnded(f"t{n}", "stands", []))
    return s


def states(s: Script) -> list[str]:
    assert s.state.sale is not None
    return [tender.state for tender in s.state.sale.tenders]


def given_up() -> Script:
    s = partly_paid()
    s.play(on.ReversalIntended("t1", "r1", "cancelled", 3_000))
    return s


def test_the_intent_is_durable_before_the_terminal_is_asked() -> None:
    s = partly_paid()
    before = len(s.journal)
    assert s.play(on.ReversalIntended("t1", "r1", "cancelled", 3_000)) == [REVERSE]
    assert len(s.journal) == before + 1
    assert (states(s), screen(s.state)) == (["reversal_intent"], "reversing")


def test_a_sale_that_is_given_up_ends_when_its_part_is_back() -> None:
    s = given_up()
    assert s.play(on.ReversalEnded("t1", "r1", "reversed", "reversed")) == [do.GiveUp(cancelled=True)]
    assert states(s) == ["reversed"]
    s.answer_effects()
    assert isinstance(s.journal[-1], on.SaleCancelled)
    assert s.state.sale is None


def test_nothing_new_is_paid_before_the_sale_has_ended() -> None:
    s = given_up()
    s.play(on.ReversalEnded("t1", "r1", "reversed", "reversed"))
    assert s.play(on.PayChosen("t2")) == []
    assert states(s) == ["reversed"]


def test_every_part_goes_back_the_newest_first() -> None:
    s = partly_paid(parts=2)
    s.play(on.ReversalIntended("t2", "r2", "abandoned", 3_000))
    assert s.play(on.ReversalEnded("t2", "r2", "reversed", "")) == [do.IntendReversal("t1", "abandoned")]
    s.answer_effects()
    assert states(s) == ["reversal_intent", "reversed"]
    assert s.play(on.ReversalEnded("t1", "r-t1", "reversed", "")) == [do.GiveUp()]


def test_nobody_there_any_more_is_given_back_what_they_paid() -> None:
    s = partly_paid()
    s.play(on.TimerElapsed("idle"))
    assert s.play(on.TimerElapsed("answer")) == [do.IntendReversal("t1", "abandoned")]


@pytest.mark.parametrize(("outcome", "why"), [("refused", "reversal_refused"), ("unknown", "reversal_unclear")])
@pytest.mark.parametrize("charged", [True, False])
def test_whatever_is_not_clearly_back_is_left_to_staff(outcome: str, why: str, charged: bool) -> None:
    s = given_up()
    s.play(on.ReversalEnded("t1", "r1", outcome, "B5"))  # type: ignore[arg-type]
    s.answer_effects()
    assert (states(s), screen(s.state)) == (["manual"], "checking")
    assert s.state.sale is not None
    evidence = s.state.sale.tenders[0].evidence
    assert evidence is not None
    assert (evidence.why, evidence.detail, evidence.told_minor) == (why, "B5", 500)
    assert s.play(on.TimerElapsed("query")) == [], "the terminal's record of a payment says nothing of a reversal"
    s.play(STAFF)
    effects = s.play(on.PaymentResolved("t1", charged, "a1", evidence, 6_000))
    if charged:
        assert (states(s), screen(s.state)) == (["approved"], "pay")
        assert paid_minor(s.state.sale) == 500
    else:
        assert states(s) == ["reversed"]
        assert effects == [do.GiveUp(cancelled=True), do.Leave("a1")]


def test_a_restart_after_staff_said_that_it_is_back_ends_the_sale() -> None:
    s = given_up()
    s.play(on.ReversalEnded("t1", "r1", "unknown", "line_lost"))
    s.answer_effects()
    assert s.state.sale is not None
    evidence = s.state.sale.tenders[0].evidence
    assert evidence is not None
    s.play(STAFF, on.PaymentResolved("t1", False, "a1", evidence, 6_000))
    assert do.GiveUp(cancelled=True) in s.restart()
    s.answer_effects()
    assert s.state.sale is None


def test_an_answer_to_another_reversal_is_none_to_this() -> None:
    s = given_up()
    assert s.play(on.ReversalEnded("t1", "r0", "reversed", "")) == []
    assert states(s) == ["reversal_intent"]


def test_a_restart_never_asks_for_a_reversal_again() -> None:
    s = given_up()
    effects = s.restart()
    assert [type(effect) for effect in effects] == [do.LeaveToStaff, do.CallStaff]
    s.answer_effects()
    assert states(s) == ["manual"]


def test_a_restart_between_two_parts_goes_on_with_the_next() -> None:
    s = partly_paid(parts=2)
    s.play(on.ReversalIntended("t2", "r2", "cancelled", 3_000), on.ReversalEnded("t2", "r2", "reversed", ""))
    assert s.restart() == [do.IntendReversal("t1", "cancelled")]


def test_a_restart_after_the_last_part_ends_the_sale() -> None:
    s = given_up()
    s.play(on.ReversalEnded("t1", "r1", "reversed", ""))
    assert s.restart() == [do.GiveUp(cancelled=True)]


def test_an_answer_that_could_not_be_recorded_is_asked_for_again_of_the_same_process() -> None:
    s = given_up()
    s.play(on.JournalChanged("full"))
    assert s.play(on.JournalChanged("")) == [REVERSE]


def test_what_the_payment_still_says_disturbs_no_reversal() -> None:
    s = given_up()
    for event in (
        on.PaymentEnded("t1", "void", []),
        on.PaymentLost("t1", sent=True, reason="line_lost"),
        on.ConfirmFailed("t1"),
        on.PaymentQueried("t1", "not_charged", 0, 0, "", None, ""),
    ):
        s.play(event)
    assert states(s) == ["reversal_intent"]


def test_nothing_is_given_back_that_was_not_paid_nor_while_another_payment_runs() -> None:
    s = partly_paid()
    assert s.play(on.ReversalIntended("t9", "r9", "", 3_000)) == []
    s.to_charge("t2")
    assert s.play(on.ReversalIntended("t1", "r1", "cancelled", 3_000)) == []
    assert s.play(on.ReversalIntended("t2", "r2", "cancelled", 3_000)) == []


def test_a_late_approval_after_the_last_part_is_back_stops_the_end_of_the_sale() -> None:
    s = Script()
    s.scan(product(price=2000))
    s.to_charge("t0")
    s.play(on.PaymentDeclined("t0", 3, "declined", "card_declined", "05"))
    s.to_charge("t1")
    s.approve("t1", 500)
    s.play(on.PaymentEnded("t1", "stands", []), on.ReversalIntended("t1", "r1", "cancelled", 3_000))
    s.play(on.ReversalEnded("t1", "r1", "reversed", ""))
    s.play(on.PaymentApproved("t0", 9, 2000, "DKK", CARD))
    s.answer_effects()
    assert (states(s), screen(s.state)) == (["manual", "reversed"], "checking")
    s.play(on.SaleCancelled(4_000))
    assert s.state.sale is not None
    evidence = s.state.sale.tenders[0].evidence
    assert evidence is not None
    s.play(STAFF, on.PaymentResolved("t0", True, "a1", evidence, 6_000))
    assert screen(s.state) == "reversing", "what was charged goes back as well, for the sale is given up"


def test_what_the_daemon_or_the_disk_does_changes_nothing_that_no_record_holds() -> None:
    s = partly_paid(parts=2)
    s.play(on.ReversalIntended("t2", "r2", "cancelled", 3_000), on.ReversalEnded("t2", "r2", "reversed", ""))
    before = durable_part(s.state)
    asked = do.IntendReversal("t1", "cancelled")
    assert s.play(on.HalChanged(connected=False, resumed=False), on.HalChanged(connected=True, resumed=False)) == [
        asked
    ]
    assert durable_part(s.state) == before == durable_part(s.replayed())


def test_every_late_approval_is_settled_before_a_sale_that_is_given_up_ends() -> None:
    """The second comes while the lane only waits to record the end, with staff's answer to the first just given."""
    s = Script()
    s.scan(product(price=2000))
    for tender_id in ("t0", "t1"):
        s.to_charge(tender_id)
        s.play(on.PaymentDeclined(tender_id, 3, "declined", "card_declined", "05"))
    s.to_charge("t2")
    s.approve("t2", 500)
    s.play(on.PaymentEnded("t2", "stands", []), on.ReversalIntended("t2", "r2", "cancelled", 3_000))
    s.play(on.PaymentApproved("t0", 9, 2000, "DKK", CARD))
    s.answer_effects()
    s.play(on.ReversalEnded("t2", "r2", "reversed", ""), STAFF)
    for n, tender_id in enumerate(("t0", "t1")):
        assert s.state.sale is not None
        evidence = s.state.sale.tenders[n].evidence
        assert evidence is not None
        s.play(STAFF, on.PaymentResolved(tender_id, False, "a1", evidence, 6_000))
        if n == 0:
            s.play(on.PaymentApproved("t1", 10, 2000, "DKK", CARD))
            s.answer_effects()
            assert states(s) == ["cancelled", "manual", "reversed"]
    s.answer_effects()
    assert s.state.sale is None
