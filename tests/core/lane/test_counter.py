"""Badges and PINs against signed settings; the attendant's wishes."""

from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.checkout import step
from kiosk.core.state import PinAsked, State
from kiosk.lane import port
from kiosk.lane.counter import Counter
from kiosk.lane.stamp import LaneStamp
from kiosk.records.settings import Settings, Staff, badge_hash, pin_hash
from tests.core.checkout.script import Script, product, ready_state

SALT = "0f" * 16
ANNA = Staff("a-1", badge_hash("s", "STAFF-ANNA0000"), SALT, pin_hash("2580", SALT), ("approve", "void"))


@pytest.fixture
def counter() -> Counter:
    made = Counter(LaneStamp())
    made.settings = Settings("v1", 1, "s", 0, 0, (ANNA,))
    return made


def after(state: State, event: Any) -> State:
    assert event is not None
    return step(state, event).state


def test_badge_then_pin(counter: Counter) -> None:
    state = after(ready_state(), counter.badge(ready_state(), "STAFF-ANNA0000"))
    assert state.prompt == PinAsked("a-1")
    assert counter.event(state, port.EnterPin("2580")) == on.AttendantIdentified("a-1", ("approve", "void"))
    wrong = counter.event(state, port.EnterPin("2581"))
    assert isinstance(wrong, on.AttendantRefused)


def test_a_pin_without_a_badge_is_nothing(counter: Counter) -> None:
    assert counter.event(ready_state(), port.EnterPin("2580")) is None


def test_no_pin_is_taken_while_the_pad_is_locked_not_even_the_right_one(counter: Counter) -> None:
    now = LaneStamp().wall_ms()
    state = ready_state(prompt=PinAsked("a-1"), refusals=(now,) * 5)
    event = counter.event(state, port.EnterPin("2580"))
    assert isinstance(event, on.BadgeShown)
    assert 0 < event.wait_s <= 300


def test_who_was_taken_out_meanwhile_is_refused(counter: Counter) -> None:
    state = ready_state(prompt=PinAsked("a-1"))
    assert counter.settings is not None
    counter.settings = replace(counter.settings, staff=())
    assert isinstance(counter.event(state, port.EnterPin("2580")), on.AttendantRefused)


def test_a_badge_of_nobody_is_no_product_and_is_not_shown(counter: Counter) -> None:
    assert counter.badge(ready_state(), "STAFF-OTHER000") == on.UnknownScanned("", "not_a_product")
    assert counter.badge(ready_state(), "05712345678906") is None


def test_nobody_identifies_while_nothing_can_be_recorded(counter: Counter) -> None:
    state = ready_state()
    state = replace(state, health=replace(state.health, journal="the disk is full"))
    assert counter.badge(state, "STAFF-ANNA0000") == on.UnknownScanned("", "not_a_product")


def test_a_decision_carries_who_looked_and_no_birth_date(counter: Counter) -> None:
    s = Script()
    s.scan(product(restriction="age_18"))
    assert counter.event(s.state, port.Decide("l1", "approved")) is None, "nobody is there"
    s.play(on.AttendantIdentified("a-1", ("approve",)))
    event = counter.event(s.state, port.Decide("l1", "approved"))
    assert isinstance(event, on.RestrictionChecked)
    assert (event.check.rule, event.check.outcome, event.check.actor_id) == ("age_18", "approved", "a-1")
    assert counter.event(s.state, port.Decide("l9", "approved")) is None


def test_only_the_line_that_was_asked_about_is_taken_off(counter: Counter) -> None:
    s = Script()
    s.scan()
    s.scan()
    s.play(on.AttendantIdentified("a-1", ("void",)), on.RemoveTouched("l2"))
    assert counter.event(s.state, port.Void("l1", "other")) is None
    event = counter.event(s.state, port.Void("l2", "other"))
    assert isinstance(event, on.LineVoided)
    assert len(event.void_ids) == 1
