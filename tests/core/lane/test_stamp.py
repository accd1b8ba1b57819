"""What the lane makes of its machine's clock, whatever that says."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from kiosk.journal.stamp import Moment
from kiosk.lane.stamp import BUILT_MS, LaneStamp

DAY_MS = 24 * 60 * 60 * 1000
YEAR_MS = 365 * DAY_MS
NOON_MS = 1_784_030_400_000  # 2026-07-14 12:00 UTC
COPENHAGEN = ZoneInfo("Europe/Copenhagen")


@dataclass
class Clock:
    """A machine's clock, and the hand that sets it."""

    wall: int = NOON_MS
    boot: int = 1_000_000
    is_synced: bool = True
    stands: bool = False

    def wall_ms(self) -> int:
        return self.wall

    def boot_us(self) -> int:
        return self.boot

    def synced(self) -> bool:
        return self.is_synced

    def passes(self, milliseconds: int) -> None:
        self.boot += milliseconds * 1000
        if not self.stands:
            self.wall += milliseconds


def _stamp(clock: Clock, last_record_ms: int = 0) -> LaneStamp:
    stamp = LaneStamp(clock, COPENHAGEN)
    stamp.not_before(last_record_ms)
    return stamp


def _later(clock: Clock, stamp: LaneStamp, milliseconds: int = 60_000) -> Moment:
    clock.passes(milliseconds)
    return stamp.moment()


@pytest.mark.parametrize(("synced", "quality"), [(True, "synced"), (False, "unsynced")])
def test_a_clock_that_runs_is_believed(synced: bool, quality: str) -> None:
    clock = Clock(is_synced=synced)
    stamp = _stamp(clock)
    before = stamp.moment()
    after = _later(clock, stamp)
    assert (after.wall_ms - before.wall_ms, after.mono_us - before.mono_us) == (60_000, 60_000_000)
    assert (after.clk, after.tzo, after.bday) == (quality, 120, "2026-07-14")


@pytest.mark.parametrize("synced", [True, False])
@pytest.mark.parametrize("leap_ms", [10 * YEAR_MS, -10 * YEAR_MS, 2 * DAY_MS, -2 * DAY_MS])
def test_a_leap_is_not_believed_and_time_goes_on(leap_ms: int, synced: bool) -> None:
    clock = Clock(is_synced=synced)
    stamp = _stamp(clock)
    stamp.moment()
    clock.wall += leap_ms
    leapt = _later(clock, stamp)
    assert (leapt.wall_ms, leapt.clk, leapt.bday) == (NOON_MS + 60_000, "floor", "2026-07-14")
    clock.wall -= leap_ms
    assert _later(clock, stamp).clk == ("synced" if synced else "unsynced"), "put right again, it is believed again"


def test_the_synchronisation_may_leap() -> None:
    """A machine with an empty clock: sold with what the last record says, and right once the time server answers."""
    clock = Clock(wall=0, is_synced=False)
    stamp = _stamp(clock, NOON_MS - DAY_MS)
    offline = _later(clock, stamp)
    assert (offline.clk, offline.bday) == ("floor", "2026-07-13")
    clock.wall, clock.is_synced = NOON_MS, True
    online = _later(clock, stamp)
    assert (online.wall_ms, online.clk, online.bday) == (NOON_MS + 60_000, "synced", "2026-07-14")


def test_it_was_never_before_this_software_was_built() -> None:
    clock = Clock(wall=0)
    moment = _stamp(clock).moment()
    assert (moment.wall_ms, moment.clk) == (BUILT_MS, "floor")


@pytest.mark.parametrize("synced", [True, False])
def test_a_clock_that_stands_still_is_noticed_and_time_goes_on(synced: bool) -> None:
    clock = Clock(is_synced=synced, stands=True)
    stamp = _stamp(clock)
    first = stamp.moment()
    moments = [_later(clock, stamp, 10_000) for _ in range(6)]
    assert [moment.wall_ms - first.wall_ms for moment in moments] == [n * 10_000 for n in range(1, 7)]
    assert {moment.clk for moment in moments} == {"floor"}


def test_an_unsynchronised_clock_is_never_before_the_last_record() -> None:
    clock = Clock(is_synced=False)
    moment = _stamp(clock, NOON_MS + 5000).moment()
    assert (moment.wall_ms, moment.clk) == (NOON_MS + 5000, "floor")


def test_a_synchronised_one_may_be_when_the_last_record_was_wrong() -> None:
    moment = _stamp(Clock(), NOON_MS + 10 * YEAR_MS).moment()
    assert (moment.wall_ms, moment.clk, moment.bday) == (NOON_MS, "synced", "2026-07-14")


def test_a_small_step_back_of_a_synchronised_clock_is_believed() -> None:
    clock = Clock()
    stamp = _stamp(clock)
    stamp.moment()
    clock.wall -= 3000
    assert (_later(clock, stamp).wall_ms, stamp.moment().clk) == (NOON_MS + 57_000, "synced")


@pytest.mark.parametrize(
    ("utc_ms", "offsets", "days"),
    [
        (1_774_745_999_000, (60, 120), ("2026-03-29", "2026-03-29")),  # 02:00 becomes 03:00
        (1_792_889_999_000, (120, 60), ("2026-10-25", "2026-10-25")),  # 03:00 becomes 02:00
        (1_774_738_799_000, (60, 60), ("2026-03-28", "2026-03-29")),  # midnight of that day
    ],
)
def test_summer_time_changes_the_offset_and_nothing_else(
    utc_ms: int, offsets: tuple[int, int], days: tuple[str, str]
) -> None:
    clock = Clock(wall=utc_ms)
    stamp = _stamp(clock)
    before = stamp.moment()
    after = _later(clock, stamp, 2000)
    assert after.wall_ms - before.wall_ms == 2000
    assert ((before.tzo, after.tzo), (before.bday, after.bday)) == (offsets, days)
    assert (before.clk, after.clk) == ("synced", "synced")


def test_2038_is_a_year_like_any_other() -> None:
    clock = Clock(wall=(2**31 - 1) * 1000)
    stamp = _stamp(clock)
    before = stamp.moment()
    after = _later(clock, stamp, 2000)
    assert after.wall_ms - before.wall_ms == 2000
    assert (before.bday, after.bday, after.clk) == ("2038-01-19", "2038-01-19", "synced")
