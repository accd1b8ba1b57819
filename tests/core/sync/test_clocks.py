"""A lane whose clock is anywhere: its records keep their order, and go up as any others do."""

from pathlib import Path

from kiosk.journal.source import Source
from kiosk.journal.verify import verify
from kiosk.lane.stamp import LaneStamp
from kiosk.records.canonical import parse
from tests.core.cloud.lane import Backend
from tests.core.journal.lane import TestLane, fill
from tests.core.lane.test_stamp import NOON_MS, YEAR_MS, Clock
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.test_uplink import play, syncing

WALLS_MS = [NOON_MS, NOON_MS + 10 * YEAR_MS, 0, (2**31 - 1) * 1000, NOON_MS - 10 * YEAR_MS, 2**31 * 1000, NOON_MS]


def test_the_order_of_a_sale_is_the_journals_whatever_the_clock_says(tmp_path: Path) -> None:
    clock, lane = Clock(), TestLane(tmp_path)
    with lane.open(stamp=LaneStamp(clock)) as journal:
        for number, wall_ms in enumerate(WALLS_MS, 1):
            clock.wall = wall_ms
            clock.boot += 1_000_000
            fill(journal, 1, first=number)
    with Source(lane.path) as source:
        entries = list(source.entries())
        assert verify(entries, source.certificates, source.acknowledgements, lane.keys()).bad is None
    records = [parse(entry.data) for entry in entries]
    assert [record["body"]["n"] for record in records] == list(range(1, len(WALLS_MS) + 1))
    assert [record["clk"] for record in records] == ["synced", *["floor"] * 5, "synced"]
    assert {record["bday"] for record in records} == {records[0]["bday"]}
    assert sorted(record["mono_us"] for record in records) == [record["mono_us"] for record in records]


def test_records_of_any_time_go_up_in_their_order(backend: Backend) -> None:
    """The backend orders by place in the chain; a lane that believed its clock is taken as it is."""

    async def script() -> None:
        lane = FakeLane(backend.device())
        for wall_ms in WALLS_MS:
            lane.device.append(wall_ms=wall_ms, clk="unsynced")
        async with syncing(lane):
            await lane.until_acked(len(WALLS_MS))
        assert backend.held(lane.device) == lane.device.records

    play(script)
