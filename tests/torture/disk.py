"""Every call to the disk, of everything that the journal does, fails once, in every way.

After each the journal is opened as after a restart, on a disk that works: what had been durable is there, and the
record in question is there or not, as it was told. If it is not, it is appended again, as the lane would do: in the
end every number is there once.
"""

import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiosk.journal.errors import AppendFailed, JournalError, OutOfService
from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.records.journal import Head, leaf_hash
from tests.core.journal.faults import EFFECTS, FaultyVFS
from tests.core.journal.lane import CUSTOMER, TestLane
from tests.torture.proofs import Progress

_MEMORY = Path("/dev/shm")
_VFS = "unix"
_LONG_BYTES = 70_000
_NEW = 5
"""The number of the record whose append is disturbed; the ones before it are there."""


def _append(journal: Journal, size: int, *, finishing: bool = False) -> None:
    journal.append("test.note", {"n": _NEW, "fill": "y" * size}, CUSTOMER, finishing=finishing)


def _acknowledge(journal: Journal) -> None:
    journal.acknowledge(TestLane(Path()).acknowledgement(journal.head()))


DEEDS: dict[str, Callable[[Journal], None]] = {
    "append": lambda journal: _append(journal, 10),
    "append of several pages": lambda journal: _append(journal, 3000),
    "append of an open sale": lambda journal: _append(journal, 10, finishing=True),
    "acknowledge": _acknowledge,
    "tend": Journal.tend,
    "close": Journal.close,
    "open": lambda journal: None,
    "create": lambda journal: None,
}


@dataclass(frozen=True)
class Fault:
    deed: str
    at: int
    code: str = "EIO"
    effect: str = "nothing"


def run(count: int, seed: int, progress: Progress) -> dict[str, int]:
    """About `count` of all faults that there are, or all. `refused`: the lane was told; `there` and `again`: how the
    record in question was settled after a failed append."""
    vfs = FaultyVFS("kassa-torture")
    folder = Path(tempfile.mkdtemp(prefix="kassa-disk-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        files, heads = _made(folder / "made")
        trial = lambda name, fault: _Trial(folder / name, files, heads, vfs, fault)  # noqa: E731
        faults = _all_faults(trial)
        if count < len(faults):
            # Of the appends and acknowledgements all, for they are few; of the rest a sample.
            few = [fault for fault in faults if fault.deed.startswith(("append", "acknowledge"))]
            many = [fault for fault in faults if fault not in few]
            faults = few + random.Random(seed).sample(many, max(count - len(few), 0))
        names = ("refused", "there", "again", "lost", "doubled", "torn", "wrong")
        totals: Counter[str] = Counter(dict.fromkeys(names, 0), count=len(faults))
        for done, fault in enumerate(faults, 1):
            totals.update(trial(str(done), fault).run())
            shutil.rmtree(folder / str(done))
            progress(done, len(faults))
        return dict(totals)
    finally:
        vfs.unregister()
        shutil.rmtree(folder)


def _made(folder: Path) -> tuple[dict[str, bytes], list[Head]]:
    """Files as a killed process leaves them, with so much in the log that `tend` and `close` have to carry it over."""
    folder.mkdir()
    with TestLane(folder).open(vfs=_VFS) as journal:
        bodies = [{"n": n, "fill": "z" * _LONG_BYTES} for n in range(1, _NEW)]
        heads = [journal.append("test.note", body, CUSTOMER) for body in bodies]
        return {name: (folder / name).read_bytes() for name in ("journal.db", "journal.db-wal", "anchor")}, heads


def _all_faults(trial: "Callable[[str, Fault], _Trial]") -> list[Fault]:
    """An undisturbed run of each deed tells what calls it makes."""
    found = []
    for deed in DEEDS:
        undisturbed = trial(deed, Fault(deed, -1))
        undisturbed.run()
        for at, call in enumerate(undisturbed.calls):
            effects = EFFECTS if call.startswith(("write", "sync")) else EFFECTS[:1]
            codes = ("EIO", "ENOSPC") if call.startswith("write") else ("EIO",)
            found += [Fault(deed, at, code, effect) for code in codes for effect in effects]
    return found


class _Trial:
    """One fault, in a journal of its own."""

    def __init__(self, folder: Path, files: dict[str, bytes], heads: list[Head], vfs: FaultyVFS, fault: Fault) -> None:
        folder.mkdir()
        self._lane, self._vfs, self._fault, self._heads = TestLane(folder), vfs, fault, heads
        if fault.deed == "create":
            self._heads = []
        else:
            for name, raw in files.items():
                (folder / name).write_bytes(raw)
        self.calls: list[str] = []
        self._counters: Counter[str] = Counter()

    def run(self) -> dict[str, int]:
        told = self._disturbed()
        self.calls = self._vfs.plan.calls
        self._counters["refused"] += told != "done"
        try:
            self._settle(told)
        except (JournalError, Unreadable, BrokenOff) as error:
            self._wrong("wrong", f"was told {told}; the restarted lane: {error}")
        return dict(self._counters)

    def _wrong(self, kind: str, why: str) -> None:
        self._counters[kind] += 1
        call = self.calls[self._fault.at] if self._fault.at < len(self.calls) else "none"
        print(f"\ndisk: {kind}: {self._fault} ({call}): {why}", file=sys.stderr)

    def _disturbed(self) -> str:
        """What the lane was told: `done`, `failed` (certainly not there) or `out` (of service, nobody knows)."""
        fault, plan = self._fault, self._vfs.plan
        opening = fault.deed in ("open", "create")
        plan.disarm()
        if opening:
            plan.arm(fault.at, fault.code, fault.effect)
        try:
            journal = self._lane.open(vfs=self._vfs.registered)
        except OutOfService:
            return "out"
        finally:
            plan.disarm()
        if not opening:
            plan.arm(fault.at, fault.code, fault.effect)
        try:
            DEEDS[fault.deed](journal)
            return "done"
        except OutOfService:
            plan.disarm()
            self._stays_out(journal)
            return "out"
        except AppendFailed:
            return "failed"
        finally:
            plan.disarm()
            journal.close()

    def _stays_out(self, journal: Journal) -> None:
        try:
            _append(journal, 10)
        except OutOfService:
            return
        self._wrong("wrong", "something was written after an error of the disk")

    def _settle(self, told: str) -> None:
        """What a restarted lane does about it, on a disk that works."""
        appending = self._fault.deed.startswith("append")
        with self._lane.open(vfs=_VFS) as journal:
            there = any(record.body["n"] == _NEW for record in journal.tail())
            if appending and there != (told == "done") and told != "out":
                self._wrong(
                    "lost" if told == "done" else "wrong", f"was told {told}, and it is {there} that it is there"
                )
            if self._fault.deed == "acknowledge" and told == "done" and journal.acknowledged() is None:
                self._wrong("lost", "the acknowledgement")
            if appending and told != "done":
                self._counters["there" if there else "again"] += 1
            if not there:
                _append(journal, 10)
        self._compare()

    def _compare(self) -> None:
        with Source(self._lane.path) as source:
            entries = list(source.entries())
            bad = verify(entries, source.certificates, source.acknowledgements, self._lane.keys()).bad
        if bad is not None:
            self._wrong("torn", str(bad))
        found = [leaf_hash(entry.data) for entry in entries]
        if found[: len(self._heads)] != [head.hash for head in self._heads]:
            self._wrong("lost", f"{len(self._heads)} records were durable; found are {len(entries)}")
        if len(found) > len(self._heads) + 1:
            self._wrong("doubled", f"{len(found) - len(self._heads)} records where one was appended")
