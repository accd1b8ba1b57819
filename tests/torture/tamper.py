"""Every way to tamper with a journal, at every record: all are noticed.

By `kassa-journal verify`, with the backend's counter-signature, wherever that reaches or a key is missing; what is done
after it with the journal's own key, or by cutting, is noticed by the lane's head anchor when it opens the file.
"""

import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kiosk.journal.errors import JournalError
from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.verify import Entry, verify
from kiosk.records.canonical import canonical, parse
from tests.core.journal.forge import remade, replace_records
from tests.core.journal.lane import TestLane, fill
from tests.torture.proofs import Progress

RECORDS = 100
ACKNOWLEDGED = 60
_VFS = "unix"
_Tamper = Callable[[TestLane, list[Entry], int], list[Entry]]


def _change(fields: dict[str, object]) -> None:
    fields["body"] = {"n": 0, "text": "another sum"}


def _edited(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    fields = parse(entries[at - 1].data)
    _change(fields)
    return [*entries[: at - 1], replace(entries[at - 1], data=canonical(fields)), *entries[at:]]


def _deleted(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[: at - 1], *entries[at:]]


def _closed_up(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[: at - 1], *(replace(entry, seq=entry.seq - 1) for entry in entries[at:])]


def _inserted(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return [*entries[:at], *(replace(entry, seq=entry.seq + 1) for entry in entries[at - 1 :])]


def _swapped(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    here, there = entries[at - 1], entries[at % len(entries)]
    swapped = {here.seq: replace(there, seq=here.seq), there.seq: replace(here, seq=there.seq)}
    return [swapped.get(entry.seq, entry) for entry in entries]


def _cut(_: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return entries[: at - 1]


def _resigned(lane: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return remade(entries, at, _change, lane.key(9))


def _resigned_one(lane: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return [*remade(entries, at, _change, lane.key(9))[:at], *entries[at:]]


def _rewritten(lane: TestLane, entries: list[Entry], at: int) -> list[Entry]:
    return remade(entries, at, _change, lane.key())


TAMPERINGS: dict[str, _Tamper] = {
    "edited": _edited,
    "deleted": _deleted,
    "deleted, numbers closed up": _closed_up,
    "inserted": _inserted,
    "swapped with the next": _swapped,
    "tail cut": _cut,
    "re-signed with another key": _resigned_one,
    "re-signed to the end with another key": _resigned,
    "rewritten to the end with the stolen key": _rewritten,
}


def run(count: int, seed: int, progress: Progress) -> dict[str, int]:
    """Counts by whom it was noticed; `wrong` are those that nobody noticed."""
    tasks = [(name, at) for name in TAMPERINGS for at in range(1, RECORDS + 1)]
    if count < len(tasks):
        tasks = random.Random(seed).sample(tasks, count)
    counters = {"count": len(tasks), "by_verify": 0, "by_the_lane": 0, "wrong": 0}
    folder = Path(tempfile.mkdtemp(prefix="kassa-tamper-"))
    try:
        lane = TestLane(folder)
        entries, files = _made(lane)
        for done, (name, at) in enumerate(tasks, 1):
            for file, raw in files.items():
                file.write_bytes(raw)
            replace_records(lane.path, TAMPERINGS[name](lane, entries, at))
            who = _noticed(lane)
            counters[who] += 1
            if who == "wrong":
                print(f"\ntamper: record {at} {name}: nobody noticed", file=sys.stderr)
            progress(done, len(tasks))
    finally:
        shutil.rmtree(folder)
    return counters


def _made(lane: TestLane) -> tuple[list[Entry], dict[Path, bytes]]:
    with lane.open(vfs=_VFS) as journal:
        heads = fill(journal, RECORDS)
        journal.acknowledge(lane.acknowledgement(heads[ACKNOWLEDGED - 1]))
    with Source(lane.path) as source:
        entries = list(source.entries())
    return entries, {file: file.read_bytes() for file in lane.folder.iterdir()}


def _noticed(lane: TestLane) -> str:
    try:
        with Source(lane.path) as source:
            if verify(source.entries(), source.certificates, source.acknowledgements, lane.keys()).bad is not None:
                return "by_verify"
    except (Unreadable, BrokenOff):
        return "by_verify"
    try:
        lane.open(vfs=_VFS).close()
    except JournalError:
        return "by_the_lane"
    return "wrong"
