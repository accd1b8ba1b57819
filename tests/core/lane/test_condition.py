"""What the lane tells of itself: figures from the real journal, and the stream of changes over the real socket."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.api.client import LaneClient
from kiosk.core import events as on
from kiosk.core.state import DeviceHealth
from kiosk.journal.stamp import Moment
from kiosk.journal.store import Journal
from kiosk.lane.condition import Condition
from kiosk.lane.interpreter import Lane
from kiosk.lane.server import Service
from kiosk.lane.upkeep import Upkeep
from tests.core.checkout.script import Script
from tests.core.journal.lane import TestLane, fill
from tests.core.lane.test_interpreter import Effects

HOUR_US = 3600 * 1_000_000
HOUR_MS = 3600 * 1000


class Clock:
    """A stamp whose clocks are set by the test."""

    inc = "i1"

    def __init__(self) -> None:
        self.now = Moment("boot-1", 5 * HOUR_US, 1_700_000_000_000, 60, "synced", "2026-11-21")

    def moment(self) -> Moment:
        return self.now

    def new_txn(self) -> str:
        return "x"

    def later(self, hours: int, **other: Any) -> None:
        """The time passes on the clock that nobody sets."""
        self.now = replace(self.now, mono_us=self.now.mono_us + hours * HOUR_US, **other)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    with TestLane(tmp_path).open(stamp=clock) as opened:
        yield opened


def told(journal: Journal, clock: Clock, folder: Path) -> Condition:
    return Condition(journal, clock, folder, "kassa test")


def test_the_backlogs_age_is_that_of_the_oldest_unacknowledged_record(
    journal: Journal, clock: Clock, tmp_path: Path
) -> None:
    condition, state = told(journal, clock, tmp_path), Script().state
    fill(journal, 1)
    waiting = condition.status(state).backlog
    clock.later(1)
    [first] = fill(journal, 1)
    clock.later(2)
    fill(journal, 3)
    clock.later(1)
    assert condition.status(state).backlog == waiting + 4
    assert condition.status(state).backlog_s == 4 * 3600
    journal.acknowledge(TestLane(tmp_path).acknowledgement(first))
    assert condition.status(state).backlog == 3
    assert condition.status(state).backlog_s == 3600
    journal.acknowledge(TestLane(tmp_path).acknowledgement(journal.head()))
    assert (condition.status(state).backlog, condition.status(state).backlog_s) == (0, 0)


def test_a_clock_that_is_set_does_not_change_the_age(journal: Journal, clock: Clock, tmp_path: Path) -> None:
    fill(journal, 1)
    clock.later(2, wall_ms=clock.now.wall_ms + 10 * 365 * 24 * HOUR_MS, clk="floor")
    status = told(journal, clock, tmp_path).status(Script().state)
    assert (status.backlog_s, status.clock) == (2 * 3600, "floor")


def test_over_a_reboot_the_wall_clock_has_to_do_and_never_gives_less_than_nothing(
    journal: Journal, clock: Clock, tmp_path: Path
) -> None:
    fill(journal, 1)
    began = clock.now.wall_ms
    clock.now = replace(clock.now, boot="boot-2", mono_us=0, wall_ms=began + HOUR_MS)
    assert told(journal, clock, tmp_path).status(Script().state).backlog_s == 3600
    clock.now = replace(clock.now, wall_ms=began - 24 * HOUR_MS)
    assert told(journal, clock, tmp_path).status(Script().state).backlog_s == 0


def test_devices_and_disk_are_told(journal: Journal, clock: Clock, tmp_path: Path) -> None:
    s = Script()
    s.play(on.DeviceChanged("printer", DeviceHealth("fault", "paper_out", ("cutter_worn",))))
    status = told(journal, clock, tmp_path).status(s.state)
    printer = next(device for device in status.devices if device.name == "printer")
    assert (printer.condition, printer.reason, printer.warnings) == ("fault", "paper_out", ["cutter_worn"])
    assert [device.name for device in status.devices] == ["scanner", "printer", "terminal"]
    assert 0 < status.disk_free_bytes < 2**53


def test_a_journal_that_is_out_of_service_still_leaves_a_status(clock: Clock, tmp_path: Path) -> None:
    journal = TestLane(tmp_path).open(stamp=clock)
    fill(journal, 2)
    condition = told(journal, clock, tmp_path)
    journal.close()
    assert condition.status(Script().state).backlog_s == 0


def test_a_change_is_told_over_the_socket_and_a_figure_is_not(journal: Journal, clock: Clock, tmp_path: Path) -> None:
    async def script(path: Path) -> None:
        nothing: Any = None
        lane = Lane(Script().state, journal, nothing)
        lane.start(Effects())
        condition, upkeep = told(journal, clock, tmp_path), Upkeep(lane, journal)
        service = Service(lane, journal, upkeep, condition, lambda _: None, lambda _: None, frozenset())
        await service.start(str(path))
        try:
            async with await LaneClient.connect(path) as client:
                statuses = client.watch_status()
                first = await asyncio.wait_for(anext(statuses), 5)
                assert first.software == "kassa test"
                coming = asyncio.ensure_future(anext(statuses))
                clock.later(1)
                lane.post(on.DeviceChanged("printer", DeviceHealth("fault", "cover_open")))
                changed = await asyncio.wait_for(coming, 5)
                assert [d.reason for d in changed.devices if d.name == "printer"] == ["cover_open"]
                coming = asyncio.ensure_future(anext(statuses))
                clock.later(1)
                lane.post(on.DeviceChanged("printer", DeviceHealth("fault", "cover_open")))
                lane.post(on.DeviceChanged("scanner", DeviceHealth("absent", "unplugged")))
                changed = await asyncio.wait_for(coming, 5)
                assert [d.condition for d in changed.devices if d.name == "scanner"] == ["absent"]
                await statuses.aclose()
        finally:
            await service.stop()
            lane.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder) / "lane.sock"))
