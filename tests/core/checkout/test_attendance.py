"""Staff at the lane: who they are, what they may do, how they leave."""

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attendance import AWAY_S, NO_PIN_FOR_MS, PIN_S, WRONG_PINS, wait_s
from kiosk.core.checkout import durable_part
from kiosk.core.screen import screen
from kiosk.core.state import Attendant, AttendantMenu, PinAsked, Refused, VoidAsked
from kiosk.records.sale import RestrictionCheck
from tests.core.checkout.script import PANT, Script, product

BEER = product(restriction="age_18")
MINUTE_MS = 60_000


def staffed(*roles: str) -> Script:
    s = Script()
    s.scan()
    s.play(on.AttendantIdentified("a-1", roles))
    return s


def decided(wait_id: str, outcome: str = "approved", *, deposit: bool = False) -> on.RestrictionChecked:
    check = RestrictionCheck("age_18", "seen_by_staff", outcome, "attendant", "a-1")
    return on.RestrictionChecked(BEER, PANT if deposit else None, "]E0", wait_id, "dx", "sx", "v1", "da", 9, check)


def test_a_badge_asks_for_a_pin_in_the_middle_of_a_sale_and_the_basket_stays() -> None:
    s = Script()
    s.scan()
    before = s.state.sale
    s.play(on.BadgeShown("a-1", 0))
    assert s.state.prompt == PinAsked("a-1")
    assert do.StartTimer("attendant", PIN_S) in s.timers
    s.play(on.AttendantIdentified("a-1", ("void",)))
    assert (s.state.attendant, s.state.prompt, s.state.sale) == (Attendant("a-1", ("void",)), AttendantMenu(), before)
    assert do.StartTimer("attendant", AWAY_S) in s.timers


def test_a_pin_that_nobody_enters_is_not_asked_for_any_longer() -> None:
    s = Script()
    s.play(on.BadgeShown("a-1", 0), on.TimerElapsed("attendant"))
    assert (s.state.prompt, s.effects) == (None, [])


def test_who_does_nothing_has_left_and_every_touch_says_that_they_are_there() -> None:
    s = staffed("void")
    s.play(on.Touched())
    assert do.StartTimer("attendant", AWAY_S) in s.timers
    assert s.play(on.TimerElapsed("attendant")) == [do.Leave("a-1")]
    s.play(on.AttendantLeft("a-1"))
    assert (s.state.attendant, s.state.prompt) == (None, None)
    assert do.StopTimer("attendant") in s.timers
    assert do.StartTimer("idle", 60) in s.timers, "from here on the customer is asked again"


def test_nobody_asks_the_customer_while_staff_are_there() -> None:
    s = staffed("void")
    s.play(on.TimerElapsed("idle"))
    assert s.state.prompt == AttendantMenu()


def test_five_wrong_pins_lock_the_pad_and_a_restart_does_not_open_it() -> None:
    s = Script()
    for n in range(WRONG_PINS):
        s.play(on.AttendantRefused("a-1", n * MINUTE_MS))
    assert s.effects == [do.CallStaff("wrong_pins")]
    assert s.state.prompt == PinAsked("a-1", "locked", 300)
    s.scan()
    s.to_receipt()
    s.play(on.SaleFinished())
    s.restart()
    assert wait_s(s.state.refusals, 5 * MINUTE_MS) == 240


LOCKS = {
    "four are not five": (range(0, 4 * MINUTE_MS, MINUTE_MS), 4 * MINUTE_MS, 0),
    "five at once": ((0, 0, 0, 0, 0), 0, 300),
    "five spread over more than ten minutes": (range(0, 15 * MINUTE_MS, 3 * MINUTE_MS), 12 * MINUTE_MS, 0),
    "five within ten minutes": (range(0, 10 * MINUTE_MS, 2 * MINUTE_MS), 8 * MINUTE_MS, 300),
    "the lock's last second": ((0, 0, 0, 0, 0), NO_PIN_FOR_MS - 1, 1),
    "over": ((0, 0, 0, 0, 0), NO_PIN_FOR_MS, 0),
    "a clock set back by an hour": ((60 * MINUTE_MS,) * 5, 0, 0),
}


@pytest.mark.parametrize("name", LOCKS)
def test_when_a_pin_is_taken_again(name: str) -> None:
    refusals, now_ms, expected = LOCKS[name]
    assert wait_s(tuple(refusals), now_ms) == expected


def test_a_restricted_item_waits_for_staff_and_the_customer_goes_on() -> None:
    s = Script()
    assert s.scan(BEER, PANT) == [do.CallStaff("restricted")]
    assert s.state.prompt == Refused("restricted", "age_18", BEER.name)
    s.scan()
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 1
    s.play(on.AttendantIdentified("a-1", ("approve",)))
    assert s.play(decided("l1", deposit=True)) == [do.Leave("a-1")], "their only task is done"
    lines = s.state.sale.lines
    assert [(line.line_id, line.parent, line.restriction) for line in lines] == [
        ("l2", "", ""), ("l1", "", "age_18"), ("dx", "l1", ""),
    ]  # fmt: skip
    assert lines[1].check == RestrictionCheck("age_18", "seen_by_staff", "approved", "attendant", "a-1")
    assert s.state.sale.total_minor == 1250 + 1250 + 100
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_an_approval_may_open_the_sale() -> None:
    s = Script()
    s.scan(BEER)
    s.play(on.AttendantIdentified("a-1", ("approve",)), decided("l1"))
    assert s.state.sale is not None
    assert (s.state.sale.sale_id, s.state.next_sale_no, screen(s.state)) == ("sx", 2, "basket")


def test_a_refusal_is_recorded_and_adds_nothing() -> None:
    s = Script()
    s.scan(BEER)
    s.scan(BEER)
    s.play(on.AttendantIdentified("a-1", ("approve",)))
    s.play(decided("l1", "refused"))
    assert (s.state.sale, len(s.state.waiting), s.state.prompt) == (None, 1, AttendantMenu())
    assert isinstance(s.journal[-1], on.RestrictionChecked)


@pytest.mark.parametrize("roles", [(), ("void", "day", "payments", "suspend")])
def test_nobody_approves_without_the_role(roles: tuple[str, ...]) -> None:
    s = Script()
    s.scan(BEER)
    if roles:
        s.play(on.AttendantIdentified("a-1", roles))
    s.play(decided("l1"))
    assert s.state.sale is None


def test_a_line_is_taken_off_with_its_deposit_by_new_lines() -> None:
    s = Script()
    s.scan(product(price=1250), PANT)
    s.scan(product("05712345678913", 995))
    s.play(on.AttendantIdentified("a-1", ("void",)), on.RemoveTouched("l1"))
    assert isinstance(s.state.prompt, VoidAsked)
    s.play(on.LineVoided("l1", ("v1", "v2"), "changed_mind"))
    sale = s.state.sale
    assert sale is not None
    assert sale.total_minor == 995
    assert [(x.line_id, x.voids, x.parent, x.quantity.value, x.gross_minor, x.reason) for x in sale.lines[3:]] == [
        ("v1", "l1", "", -1, -1250, "changed_mind"),
        ("v2", "d1", "v1", -1, -100, "changed_mind"),
    ]
    assert [(t.category, t.gross_minor) for t in sale.taxes] == [("O", 0), ("S", 995)]
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_a_line_is_taken_off_once_and_what_is_gone_cannot_be_paid() -> None:
    s = staffed("void")
    s.play(on.LineVoided("l1", ("v1",), "other"), on.LineVoided("l1", ("v2",), "other"))
    assert s.state.sale is not None
    assert (len(s.state.sale.lines), screen(s.state)) == (2, "scan")
    s.play(on.PayTouched())
    assert s.state.stage == "scanning"


@pytest.mark.parametrize("ids", [(), ("v1",), ("v1", "v2", "v3")])
def test_a_void_must_name_every_line(ids: tuple[str, ...]) -> None:
    s = Script()
    s.scan(product(), PANT)
    s.play(on.AttendantIdentified("a-1", ("void",)), on.LineVoided("l1", ids, "other"))
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 2


def test_a_deposit_alone_is_not_taken_off() -> None:
    s = Script()
    s.scan(product(), PANT)
    s.play(on.AttendantIdentified("a-1", ("void",)), on.LineVoided("d1", ("v1",), "other"))
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 2


def test_what_is_paid_already_is_not_taken_off() -> None:
    s = Script()
    s.scan(product(price=2000))
    s.to_charge()
    s.approve(minor=500)
    s.play(on.PaymentEnded("t1", "stands", []), on.AttendantIdentified("a-1", ("void",)))
    assert s.play(on.LineVoided("l1", ("v1",), "other")) == [do.CallStaff("partly_paid")]


def test_a_void_without_the_role_is_refused_politely() -> None:
    s = staffed("approve")
    s.play(on.RemoveTouched("l1"))
    assert isinstance(s.state.prompt, Refused)
    s.play(on.LineVoided("l1", ("v1",), "other"))
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 1


def test_the_sale_is_over_and_so_is_the_attendants_task() -> None:
    s = staffed("void")
    assert s.play(on.SaleCancelled(9)) == [do.Leave("a-1")]


def test_an_attendant_from_before_the_sale_is_known_to_its_replay_and_gone_after_a_restart() -> None:
    s = Script()
    s.play(on.AttendantIdentified("a-1", ("void",)))
    s.scan()
    s.play(on.LineVoided("l1", ("v1",), "other"))
    assert durable_part(s.replayed()) == durable_part(s.state)
    s.restart()
    assert s.state.attendant is None
