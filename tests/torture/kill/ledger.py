"""What the killed processes said was durable, and whether the journal agrees."""

import sys

from kiosk.journal.source import Source
from kiosk.journal.verify import verify
from kiosk.records.canonical import parse
from kiosk.records.journal import leaf_hash
from tests.core.journal.lane import TestLane
from tests.torture.kill.appender import fill_of


class Ledger:
    """Hear every report, then `compare` once."""

    def __init__(self) -> None:
        self.reported: dict[int, str] = {}
        self.acknowledged_seq = 0
        self.counters = dict.fromkeys(("records", "acknowledged", "looks", "lost", "doubled", "torn", "wrong"), 0)

    def hear(self, report: str) -> None:
        kind, _, rest = report.partition(" ")
        if kind == "record":
            seq, digest = rest.split()
            if self.reported.setdefault(int(seq), digest) != digest:
                self._fault("doubled", f"record {seq} was reported durable twice, as two different records")
        elif kind == "acknowledged":
            self.acknowledged_seq = int(rest)
            self.counters["acknowledged"] += 1
        elif kind == "looks":
            self.counters["looks"] += int(rest)
        else:
            self._fault("wrong", report)

    def compare(self, lane: TestLane) -> dict[str, int]:
        """The counters, with what the journal at `lane` lacks, has twice, or has damaged."""
        with Source(lane.path) as source:
            entries = list(source.entries())
            acknowledgements = source.acknowledgements
            bad = verify(entries, source.certificates, acknowledgements, lane.keys()).bad
        if bad is not None:
            self._fault("torn", str(bad))
        found = {entry.seq: leaf_hash(entry.data) for entry in entries}
        for seq, digest in self.reported.items():
            if found.get(seq) != digest:
                self._fault("lost", f"record {seq} was reported durable as {digest}, found is {found.get(seq)}")
        numbers: set[int] = set()
        for entry in entries:
            body = parse(entry.data)["body"]
            if body["n"] in numbers:
                self._fault("doubled", f"record {entry.seq} holds number {body['n']} again")
            if body["n"] != entry.seq or body["fill"] != fill_of(body["n"]):
                self._fault("torn", f"record {entry.seq} holds number {body['n']} and {len(body['fill'])} bytes")
            numbers.add(body["n"])
        kept = acknowledgements[1].hwm if acknowledgements else 0
        if kept < self.acknowledged_seq:
            self._fault("lost", f"the acknowledgement of record {self.acknowledged_seq}; kept is that of {kept}")
        self.counters["records"] = len(entries)
        return self.counters

    def _fault(self, kind: str, why: str) -> None:
        self.counters[kind] += 1
        print(f"\nkill: {kind}: {why}", file=sys.stderr)
