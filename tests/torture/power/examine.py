"""What a lane finds on a disk whose power was cut."""

import sys
from collections.abc import Callable
from pathlib import Path

from kiosk.journal.errors import JournalError
from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.verify import verify
from kiosk.records.journal import leaf_hash
from tests.core.journal.lane import CUSTOMER, TestLane
from tests.torture.power import rig
from tests.torture.power.cuts import Cut


def examine(folder: Path, cut: Cut, promised: list[tuple[int, str]], *, quiet: bool) -> dict[str, int]:
    """Mounts the disk, opens the journal as a lane does, appends a record and compares all with `promised` (number and
    hash). Counts faults; says each unless `quiet`."""
    counters = {"unflushed": cut.unflushed, "records": 0, "lost": 0, "doubled": 0, "torn": 0, "wrong": 0}

    def fault(kind: str, why: object) -> None:
        counters[kind] += 1
        if not quiet:
            print(f"\npower: {kind}: cut at {cut.log_bytes} of the log: {why}", file=sys.stderr)

    image, mounted = folder / "cut", folder / "found"
    image.write_bytes(cut.image)
    mounted.mkdir(exist_ok=True)
    try:
        with rig.recovered(image, mounted) as repaired:
            counters["repaired"] = int(repaired)
            _examine(TestLane(mounted), promised, counters, fault)
    except (RuntimeError, JournalError, Unreadable, BrokenOff) as why:
        fault("wrong", why)
    return counters


def _examine(
    lane: TestLane, promised: list[tuple[int, str]], counters: dict[str, int], fault: Callable[[str, object], None]
) -> None:
    with lane.open() as journal:
        journal.append("test.note", {"n": 0, "fill": "after the cut"}, CUSTOMER)
    with Source(lane.path) as source:
        entries = list(source.entries())
        bad = verify(entries, source.certificates, source.acknowledgements, lane.keys()).bad
    if bad is not None:
        fault("torn", bad)
    found = {entry.seq: leaf_hash(entry.data) for entry in entries}
    if len(found) != len(entries):
        fault("doubled", "a record is there twice")
    for seq, digest in promised:
        if found.get(seq) != digest:
            fault("lost", f"record {seq} was reported durable")
    counters["records"] += len(entries) - 1
