"""What an append asks of the disk, and how a full one is met. That every call may fail: `tests.torture.disk`."""

from collections.abc import Iterator

import pytest

from kiosk.journal.errors import DiskFull
from kiosk.journal.reserve import Reserve
from tests.core.journal.faults import FaultyVFS
from tests.core.journal.lane import CUSTOMER, TestLane, fill

# Long enough to need overflow pages: several frames, so that a transaction can be torn in its middle.
BODY = {"n": 4, "fill": "y" * 3000}


@pytest.fixture
def vfs() -> Iterator[FaultyVFS]:
    faulty = FaultyVFS("kassa-faulty")
    yield faulty
    faulty.unregister()


def _numbers(lane: TestLane) -> list[int]:
    """What a restarted lane finds, read through the undisturbed disk."""
    with lane.open() as journal:
        return [record.body["n"] for record in journal.tail()]


def _calls_of_an_append(lane: TestLane, vfs: FaultyVFS) -> list[str]:
    with lane.open(vfs=vfs.registered) as journal:
        fill(journal, 3)
        vfs.plan.arm()
        journal.append("test.note", BODY, CUSTOMER)
        vfs.plan.disarm()
    return vfs.plan.calls


def test_an_append_writes_its_frames_and_syncs_once(lane: TestLane, vfs: FaultyVFS) -> None:
    calls = _calls_of_an_append(lane, vfs)
    assert calls.count("sync wal") == 1
    assert calls[-1] == "sync wal"
    assert calls.count("write wal") >= 4
    assert "write db" not in calls


def test_after_a_full_disk_the_same_append_may_be_tried_again(lane: TestLane, vfs: FaultyVFS) -> None:
    with lane.open(vfs=vfs.registered) as journal:
        fill(journal, 3)
        vfs.plan.arm(_first_write(lane, vfs), "ENOSPC")
        with pytest.raises(DiskFull, match="record 4 was not written"):
            journal.append("test.note", BODY, CUSTOMER)
        vfs.plan.disarm()
        assert journal.head().seq == 3
        assert journal.append("test.note", BODY, CUSTOMER).seq == 4
    assert _numbers(lane) == [1, 2, 3, 4]


def _first_write(lane: TestLane, vfs: FaultyVFS) -> int:
    other = TestLane(lane.folder / "other")
    other.folder.mkdir()
    return _calls_of_an_append(other, vfs).index("write wal")


def test_an_open_sale_is_finished_out_of_the_reserve(lane: TestLane, vfs: FaultyVFS) -> None:
    reserve = Reserve(lane.folder / "reserve", ballast_bytes=8192, low_water_bytes=4096)
    first = _first_write(lane, vfs)
    with lane.open(vfs=vfs.registered, reserve=reserve) as journal:
        fill(journal, 3)
        assert journal.reserve_ok()
        vfs.plan.arm(first, "ENOSPC")
        assert journal.append("test.note", BODY, CUSTOMER, finishing=True).seq == 4
        vfs.plan.disarm()
        assert (lane.folder / "reserve").stat().st_size == 0
        assert not journal.reserve_ok()
        journal.tend()
        assert journal.reserve_ok()
    assert _numbers(lane) == [1, 2, 3, 4]
