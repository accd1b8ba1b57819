"""The process whose power is cut: it writes a journal, and says how long the disk's log was when each record was
durable. From that length on, the record must be on the disk, whatever else is lost."""

import random
from multiprocessing.connection import Connection
from pathlib import Path

import apsw

from kiosk.journal.store import Journal
from tests.core.journal.lane import CUSTOMER, TestLane

_EACH_ACKNOWLEDGED = 15
_EACH_REOPENED = 70
_EACH_TENDED = 25


class _Forgetful(apsw.VFSFile):
    """Leaves one flush out: that of the write-ahead log."""

    def __init__(self, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        text = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._forgets = text.endswith("-wal")
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:
        if not self._forgets:
            super().xSync(flags)


class ForgetfulVFS(apsw.VFS):
    """Register by making one."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> _Forgetful:
        return _Forgetful(name, flags)


def fill_of(number: int, chance: random.Random) -> str:
    """Mostly as long as a sale's events are, now and then of many pages."""
    return "x" * chance.choice((10, 200, 900, 900, 2500, 9000)) + str(number)


def write(
    folder: Path, log: Path, records: int, seed: str, report: "Connection[object, object]", *, forget: bool
) -> None:
    """Sends (log length, seq, hash) for each durable record. `forget`: the flush of the write-ahead log is left out."""
    # Kept in a variable: a VFS that is forgotten is no longer there.
    forgetful = ForgetfulVFS("kassa-forgetful") if forget else None
    vfs = "kassa-forgetful" if forgetful else ""
    lane, chance = TestLane(folder), random.Random(seed)
    done = 0
    while done < records:
        with lane.open(vfs=vfs) as journal:
            for _ in range(min(_EACH_REOPENED, records - done)):
                done += 1
                _append(lane, journal, done, chance)
                head = journal.head()
                report.send((log.stat().st_size, head.seq, head.hash))
    report.close()


def _append(lane: TestLane, journal: Journal, number: int, chance: random.Random) -> None:
    head = journal.append("test.note", {"n": number, "fill": fill_of(number, chance)}, CUSTOMER)
    if number % _EACH_ACKNOWLEDGED == 0:
        journal.acknowledge(lane.acknowledgement(head))
    if number % _EACH_TENDED == 0:
        journal.tend()
