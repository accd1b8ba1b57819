"""MANUAL: an alarm in the journal, a locked lane, and a member of staff who has seen the evidence."""

import pytest
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import under_way
from kiosk.core.checkout import UNCLEAR_S
from kiosk.core.screen import screen
from kiosk.core.state import DeviceHealth, ResolveAsked
from kiosk.core.tenders import paid_minor
from kiosk.records.sale import Evidence, Tender
from tests.core.checkout.script import CARD, READY, Script

QUERY = do.QueryPayment("t1", 1250, "DKK", "witness")
UNKNOWN = on.PaymentQueried("t1", "unknown", 0, 0, "", None, "other_amount", 4_000)
STAFF = on.AttendantIdentified("a1", ("payments",))


def manual() -> Script:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.ChargeSent("t1"), on.PaymentLost("t1", sent=True, reason="line_lost"), UNKNOWN)
    s.answer_effects()
    return s


def tender(s: Script) -> Tender:
    assert s.state.sale is not None
    return s.state.sale.tenders[0]


def evidence(s: Script) -> Evidence:
    found = tender(s).evidence
    assert found is not None
    return found


def resolve(s: Script, *, charged: bool, by: str = "a1", seen: Evidence | None = None) -> list[do.Any]:
    return s.play(on.PaymentResolved("t1", charged, by, seen or evidence(s), 6_000))


def test_the_alarm_is_a_record_with_what_was_asked_and_what_the_terminal_said() -> None:
    s = manual()
    alarm = s.journal[-1]
    assert isinstance(alarm, on.PaymentLeftToStaff)
    assert alarm.evidence == Evidence("unclear", 1250, "DKK", "unknown", "other_amount", told_wall_ms=4_000)
    assert tender(s).state == "manual"
    assert screen(s.state) == "checking"


def test_no_new_payment_while_staff_are_waited_for() -> None:
    s = manual()
    for event in (on.PayChosen("t2"), on.BackTouched(), on.SaleCancelled(1), on.SaleAbandoned(1)):
        assert s.play(event) == []
    assert (tender(s).state, screen(s.state)) == ("manual", "checking")


@pytest.mark.parametrize("answer", ["approved", "not_charged", "declined"])
def test_the_terminal_is_asked_on_for_the_evidence_but_settles_nothing(answer: str) -> None:
    s = manual()
    assert s.play(on.TimerElapsed("query")) == [QUERY]
    card = CARD if answer == "approved" else None
    s.play(on.PaymentQueried("t1", answer, 0, 1250 if card else 0, "DKK" if card else "", card, "x", 5_000))  # type: ignore[arg-type]
    assert tender(s).state == "manual"
    assert (evidence(s).said, evidence(s).card) == (answer, card)


def test_the_terminals_return_brings_new_evidence_at_once() -> None:
    s = manual()
    s.play(on.DeviceChanged("terminal", DeviceHealth("absent", "unreachable")))
    assert s.play(on.DeviceChanged("terminal", READY)) == [QUERY]


def test_the_same_answer_again_is_no_new_record() -> None:
    s = manual()
    before = len(s.journal)
    s.play(replace(UNKNOWN, wall_ms=9_000))
    assert len(s.journal) == before
    assert s.timers == [do.StartTimer("query", 15)]


def test_only_who_is_at_the_lane_and_may_decides() -> None:
    s = manual()
    resolve(s, charged=True)
    s.play(on.AttendantIdentified("a1", ("void", "day")))
    resolve(s, charged=True)
    assert screen(s.state) == "checking"
    s.play(STAFF)
    assert screen(s.state) == "evidence"
    resolve(s, charged=True, by="a2")
    assert tender(s).state == "manual"


def test_evidence_that_changed_meanwhile_must_be_seen_first() -> None:
    s = manual()
    s.play(STAFF)
    seen = evidence(s)
    s.play(on.ResolveTouched(charged=False))
    assert s.state.prompt == ResolveAsked(charged=False)
    s.play(on.PaymentQueried("t1", "approved", 0, 1250, "DKK", CARD, "advanced", 5_000))
    assert s.state.prompt is None, "asked on older evidence"
    resolve(s, charged=False, seen=seen)
    assert tender(s).state == "manual"
    resolve(s, charged=False)
    assert tender(s).state == "cancelled"


def test_charged_counts_as_paid_and_the_sale_goes_on_to_its_receipt() -> None:
    s = manual()
    s.play(STAFF)
    assert [type(effect) for effect in resolve(s, charged=True)] == [do.Fiscalise, do.Leave]
    settled = tender(s)
    assert (settled.state, settled.authorised_minor, settled.resolved_by) == ("approved", 1250, "a1")
    assert settled.evidence is not None


def test_not_charged_leads_back_to_paying() -> None:
    s = manual()
    s.play(STAFF)
    assert resolve(s, charged=False) == [do.Leave("a1")]
    assert (tender(s).state, screen(s.state)) == ("cancelled", "pay")
    assert s.play(on.PayChosen("t2")) == [do.PrepareTerminal("t2")]


def test_charged_counts_as_the_smaller_part_that_the_terminal_tells_of() -> None:
    s = manual()
    s.play(on.PaymentQueried("t1", "unknown", 0, 500, "DKK", CARD, "other_amount", 5_000), STAFF)
    resolve(s, charged=True)
    assert s.state.sale is not None
    assert paid_minor(s.state.sale) == 500
    assert screen(s.state) == "pay"


def test_a_doubt_survives_a_restart_and_who_was_there_does_not() -> None:
    s = manual()
    s.play(STAFF)
    assert s.restart() == [QUERY]
    assert (tender(s).state, screen(s.state), s.state.attendant) == ("manual", "checking", None)
    assert do.StartTimer("unclear", UNCLEAR_S) not in s.timers
    s.play(STAFF)
    resolve(s, charged=True)
    assert screen(s.state) == "closing"


def test_a_late_result_of_a_tender_that_staff_must_settle_is_never_confirmed() -> None:
    s = manual()
    s.play(on.PaymentApproved("t1", 9, 1250, "DKK", CARD))
    assert not any(isinstance(effect, do.ConfirmPayment) for effect in s.effects)
    assert (tender(s).state, evidence(s).said) == ("manual", "approved")


def test_a_late_approval_waits_for_the_tender_under_way_and_then_locks_the_lane() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.PaymentDeclined("t1", 3, "declined", "card_declined", "05"))
    s.to_charge("t2")
    s.play(on.ChargeSent("t2"), on.PaymentApproved("t1", 9, 1250, "DKK", CARD))
    s.answer_effects()
    current = under_way(s.state)
    assert current is not None
    assert (current.tender_id, tender(s).state) == ("t2", "manual")
    s.approve("t2", 1250)
    s.play(on.PaymentEnded("t2", "stands", []))
    assert (screen(s.state), tender(s).state) == ("checking", "manual")
    s.play(STAFF)
    resolve(s, charged=True)
    assert screen(s.state) == "reversing", "it was paid twice: one of both is given back"
    s.answer_effects()
    s.play(on.ReversalEnded("t2", "r-t2", "reversed", ""))
    assert screen(s.state) == "closing"
    assert s.state.sale is not None
    assert paid_minor(s.state.sale) == 1250
