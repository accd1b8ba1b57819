"""A day is opened before its first sale, records carry its date, and each says who did it."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.report import Report
from kiosk.core.state import State
from kiosk.lane import days
from kiosk.lane.interpreter import Lane
from kiosk.lane.stamp import LaneStamp
from kiosk.records.journal import Actor
from tests.core.checkout.script import READY, Script, ready_state
from tests.core.lane.test_interpreter import Disk, Effects, scanned

OPENED = on.DayOpened("2026-11-27", 1)


class Told(Disk):
    """Remembers who did what."""

    def __init__(self) -> None:
        super().__init__()
        self.actors: list[tuple[str, Actor]] = []

    def append(self, typ: str, body: object, actor: object, *, finishing: bool = False) -> None:
        super().append(typ, body, actor, finishing=finishing)
        assert isinstance(actor, Actor)
        self.actors.append((typ, actor))


def played(state: State, *events: Any, opens_day: Callable[[], on.DayOpened] = lambda: OPENED) -> Told:
    disk = Told()
    no_translator: Any = None
    lane = Lane(state, disk, no_translator)  # type: ignore[arg-type]
    lane.opens_day = opens_day
    lane.start(Effects())
    for event in events:
        lane.post(event)
    lane.stop()
    return disk


def test_the_first_sale_opens_the_day_and_the_second_does_not() -> None:
    disk = played(ready_state(), scanned(1), on.SaleCancelled(2), scanned(3))
    assert disk.records == ["day.open", "item.scanned", "sale.cancelled", "item.scanned"]


def test_no_sale_is_begun_in_a_day_that_could_not_be_recorded() -> None:
    disk = Told()
    disk.full = True
    no_translator: Any = None
    lane = Lane(ready_state(), disk, no_translator)  # type: ignore[arg-type]
    lane.opens_day = lambda: OPENED
    lane.start(Effects())
    lane.post(scanned(1))
    lane.stop()
    state = lane.snapshot().state
    assert (state.day, state.sale, bool(state.health.journal)) == (None, None, True)


def test_what_is_done_at_the_page_while_staff_are_there_is_done_in_their_name() -> None:
    anna = Actor("attendant", "a-1")
    disk = played(
        ready_state(day=Report("2026-11-27", 1, "live", "DKK", 1)),
        scanned(1),
        on.AttendantRefused("a-1", 5),
        on.AttendantIdentified("a-1", ("void",)),
        on.LineVoided("l1", ("v1",), "other"),
        scanned(2),
        on.AttendantLeft("a-1"),
        scanned(3),
    )
    assert disk.actors == [
        ("item.scanned", Actor("customer")),
        ("attendant.refused", Actor("system")),
        ("attendant.identified", anna),
        ("line.voided", anna),
        ("item.scanned", anna),
        ("attendant.left", anna),
        ("item.scanned", Actor("customer")),
    ]


def test_records_carry_the_open_days_date_and_else_the_calendars() -> None:
    stamp = LaneStamp()
    today = stamp.moment().bday
    assert days.opened(stamp).date == today
    stamp.business_day = lambda: "2026-11-27"
    assert stamp.moment().bday == "2026-11-27"


def at_rest(**changes: Any) -> State:
    opened = LaneStamp().wall_ms() - 25 * 3_600_000
    return ready_state(day=Report("2026-11-27", 1, "live", "DKK", opened), **changes)


def test_at_the_configured_time_a_lane_at_rest_closes_its_day() -> None:
    event = days.due(at_rest(), LaneStamp(), 0)
    assert isinstance(event, on.DayClosed)
    assert (event.by_clock, event.report.no, bool(event.job_id)) == (True, 1, True)


@pytest.mark.parametrize("name", ["no time", "no day", "a sale", "a customer", "staff"])
def test_it_does_not_while(name: str) -> None:
    s = Script(at_rest())
    close_at_min: int | None = 0
    match name:
        case "no time":
            close_at_min = None
        case "no day":
            s.state = replace(s.state, day=None)
        case "a sale":
            s.scan()
        case "a customer":
            s.play(on.StartTouched())
        case "staff":
            s.play(on.AttendantIdentified("a-1", ("day",)))
    assert days.due(s.state, LaneStamp(), close_at_min) is None


def test_without_a_printer_the_day_is_closed_and_nothing_is_printed() -> None:
    state = at_rest()
    state = replace(state, health=replace(state.health, printer=replace(READY, condition="fault")))
    event = days.due(state, LaneStamp(), 0)
    assert isinstance(event, on.DayClosed)
    assert event.job_id == ""
