"""The read end: bounded batches for the process that carries the journal to the backend."""

import threading
from dataclasses import dataclass
from pathlib import Path

import apsw

from kiosk.journal import database
from kiosk.journal.landmarks import DeclaredGap, Landmarks
from kiosk.records.gap import MAX_DAMAGED_BYTES, Damaged, GapNotice
from kiosk.records.identity import b64
from kiosk.records.journal import GENESIS, MAX_RECORD_BYTES, leaf_hash

MAX_RECORDS = 1000
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """Consecutive records as their exact bytes. `prev`: hash of the record before the first, GENESIS at the start.
    `signature`: 64 bytes over the last one's hash; empty when there is no record. `gap`: the damaged range just before
    the first one, where there is one."""

    dev: str
    ep: int
    first_seq: int
    prev: str
    records: list[bytes]
    signature: bytes
    gap: GapNotice | None = None


class Reader:
    """A read-only connection of its own: in a write-ahead log a reader and the writer do not wait for each other.
    May be called from any thread; one call at a time is served."""

    def __init__(self, path: Path, marks: Landmarks, dev: str, vfs: str = "") -> None:
        self._dev = dev
        self._marks = marks
        self._lock = threading.Lock()
        self._connection = apsw.Connection(str(path.absolute()), apsw.SQLITE_OPEN_READONLY, vfs or None)
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.set_busy_timeout(2000)

    def read(self, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Batch | None:
        """At most `max_records` and about `max_bytes`, but one record if there is one. None: no record `after_seq`."""
        max_records = min(max(max_records, 1), MAX_RECORDS)
        max_bytes = min(max(max_bytes, MAX_RECORD_BYTES), MAX_BYTES)
        with self._lock:
            # Copied at once: the lane's thread may add to it meanwhile.
            gaps = [found for found in tuple(self._marks.gaps.values()) if found.gap.ep == ep]
            here = [g for g in gaps if g.gap.first <= after_seq + 1 and after_seq <= g.gap.last]
            over = max(here, key=lambda g: (g.gap.last, -g.gap.first), default=None)
            if over is not None:
                after_seq, prev = over.gap.last, over.gap.after_prev
            elif (found := self._hash(ep, after_seq)) is not None:
                prev = found
            else:
                return None
            until = min((g.gap.first for g in gaps if g.gap.first > after_seq), default=database.MAX_SEQ)
            # A batch ends with the record that changes the key, so that it brings the old key's own signature of it.
            until = min(until, self._marks.keys[ep].next_change(after_seq + 1) or until)
            records: list[bytes] = []
            signature, size = b"", 0
            for seq, data, signed in database.rows(self._connection, ep, after_seq):
                size += len(data)
                if seq >= until or len(records) == max_records or (records and size > max_bytes):
                    break
                if seq != after_seq + len(records) + 1:
                    break
                records.append(data)
                signature = signed
            notice = None if over is None else self._notice(over)
        return Batch(self._dev, ep, after_seq + 1, prev, records, signature, notice)

    def _notice(self, found: DeclaredGap) -> GapNotice:
        """The gap record with all that verifies it, and the damaged rows if they are not too many."""
        gap, rows, size = found.gap, list[Damaged](), 0
        for seq, data, signature in database.rows(self._connection, gap.ep, gap.first - 1):
            size += len(data) + len(signature)
            if seq > gap.last or size > MAX_DAMAGED_BYTES:
                break
            rows.append(Damaged(seq, b64(data), b64(signature)))
        certificate = self._marks.keys[found.ep].certificate(found.seq)
        whole = tuple(rows) if size <= MAX_DAMAGED_BYTES else ()
        return GapNotice(found.data.decode(), b64(found.signature), certificate, whole)

    def _hash(self, ep: int, seq: int) -> str | None:
        if seq == 0:
            return GENESIS
        row = self._connection.execute(
            "SELECT data FROM records WHERE place = ?", (database.place(ep, seq),)
        ).fetchone()
        return None if row is None else leaf_hash(row[0])

    def close(self) -> None:
        with self._lock:
            self._connection.close()
