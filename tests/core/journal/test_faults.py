"""Every call to the disk that an append makes fails once, in every way: nothing is lost or doubled after the reopen."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from kiosk.journal.errors import AppendFailed, DiskFull, OutOfService
from kiosk.journal.reserve import Reserve
from kiosk.journal.store import Journal
from tests.core.journal.faults import FaultyVFS, Plan
from tests.core.journal.lane import CUSTOMER, TestLane, fill

# Long enough to need overflow pages: several frames, so that a transaction can be torn in its middle.
BODY = {"n": 4, "fill": "y" * 3000}
_MAX_CALLS = 60


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


@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("after", [False, True], ids=["not-done", "done"])
def test_every_call_of_an_append_fails_once(tmp_path_factory: pytest.TempPathFactory, code: str, after: bool) -> None:
    vfs = FaultyVFS("kassa-faulty")
    try:
        count = len(_calls_of_an_append(TestLane(tmp_path_factory.mktemp("count")), vfs))
        assert 5 <= count <= _MAX_CALLS
        outcomes = set()
        for at in range(count):
            lane = TestLane(tmp_path_factory.mktemp("fault"))
            with lane.open(vfs=vfs.registered) as journal:
                fill(journal, 3)
                outcome = _append_with_fault(journal, vfs.plan, at, code, after=after)
            outcomes.add(outcome)
            assert outcome != "failed" or code == "ENOSPC", f"call {at}: after an EIO nothing may be tried again"
            found = _numbers(lane)
            allowed = {"done": [[1, 2, 3, 4]], "failed": [[1, 2, 3]], "out": [[1, 2, 3], [1, 2, 3, 4]]}[outcome]
            assert found in allowed, f"call {at} ({vfs.plan.calls[at]}) {code}: {outcome}, then {found}"
        assert outcomes & {"failed", "out"}
    finally:
        vfs.unregister()


def _append_with_fault(journal: Journal, plan: Plan, at: int, code: str, *, after: bool) -> str:
    plan.arm(at, code, after=after)
    try:
        journal.append("test.note", BODY, CUSTOMER)
        return "done"
    except OutOfService:
        plan.disarm()
        with pytest.raises(OutOfService):
            journal.append("test.note", BODY, CUSTOMER)
        assert not journal.reserve_ok()
        return "out"
    except AppendFailed:
        return "failed"
    finally:
        plan.disarm()


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


def test_a_fault_while_the_log_is_carried_over_loses_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    vfs = FaultyVFS("kassa-faulty")
    try:
        for at in range(_MAX_CALLS):
            lane = TestLane(tmp_path_factory.mktemp("carry"))
            with lane.open(vfs=vfs.registered) as journal:
                for n in range(1, 5):
                    journal.append("test.note", {"n": n, "fill": "z" * 60_000}, CUSTOMER)
                vfs.plan.arm(at)
                with suppress(OutOfService):
                    journal.tend()
                vfs.plan.disarm()
            assert _numbers(lane) == [1, 2, 3, 4]
            if len(vfs.plan.calls) <= at:
                break
        else:
            pytest.skip("the log takes more calls than are tried")
    finally:
        vfs.unregister()
