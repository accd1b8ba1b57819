"""What a damaged copy still says, and whether that may be so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.journal.errors import JournalError
from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.verify import Entry, verify
from kiosk.records.identity import Acknowledgement, KeyCertificate
from kiosk.records.journal import Head, leaf_hash
from tests.core.journal.lane import TestLane
from tests.torture.bits.subject import FILES, VFS

_EACH_OPENED = 101


_Texts = tuple[dict[int, KeyCertificate], dict[int, Acknowledgement]]


class Wrong(Exception):
    """Damage that was neither noticed nor cut rightly."""


class Judge:
    """Damages the files of a lane, one way at a time, and puts them right again.

    Every damaged copy is read and verified as `kassa-journal verify` does. One that verifies with less than what had
    been reported durable must be noticed when the lane opens it; of the others every `_EACH_OPENED`-th is opened too.
    """

    def __init__(self, lane: TestLane) -> None:
        self._lane = lane
        self._whole = {name: (lane.folder / name).read_bytes() for name in FILES}
        self._anchor = lane.anchor_path.read_bytes()
        self._fds = {name: os.open(lane.folder / name, os.O_RDWR) for name in FILES}
        self._entries, self._texts = self._read()
        self._heads = [Head(lane.dev, 1, 0, "0" * 64)]
        self._heads += [Head(lane.dev, 1, entry.seq, leaf_hash(entry.data)) for entry in self._entries]
        if verify(self._entries, *self._texts, lane.keys()).bad is not None:
            raise Wrong("the undamaged journal does not verify")
        self._judged = 0

    def sizes(self) -> dict[str, int]:
        return {name: len(raw) for name, raw in self._whole.items()}

    def cut(self, name: str, length: int) -> str:
        """The file's first `length` bytes alone: `detected`, `cut` or `intact`. Raises Wrong."""
        os.ftruncate(self._fds[name], length)
        try:
            return self._judge(f"{name} cut to {length} bytes")
        finally:
            os.pwrite(self._fds[name], self._whole[name][length:], length)

    def flip(self, name: str, bit: int) -> str:
        """One bit of the file changed: `detected`, `cut` or `intact`. Raises Wrong."""
        at, mask = bit // 8, 1 << bit % 8
        os.pwrite(self._fds[name], bytes([self._whole[name][at] ^ mask]), at)
        try:
            return self._judge(f"{name} with bit {bit % 8} of byte {at} changed")
        finally:
            os.pwrite(self._fds[name], self._whole[name][at : at + 1], at)

    def _read(self) -> tuple[list[Entry], _Texts]:
        with Source(self._lane.path) as source:
            return list(source.entries()), (source.certificates, source.acknowledgements)

    def _judge(self, damage: str) -> str:
        self._judged += 1
        try:
            outcome, records = self._verified()
        except Wrong as why:
            raise Wrong(f"{damage}: {why}") from None
        if outcome == "short" or self._judged % _EACH_OPENED == 0:
            with self._restored():
                opened = self._open(damage)
            if outcome == "short" and opened is not None:
                raise Wrong(f"{damage}: {records} records verify, and the lane opened it without noticing")
        return "detected" if outcome == "short" else outcome

    def _verified(self) -> tuple[str, int]:
        """The outcome, and how many records there are. `short`: what is there verifies, but more had been durable."""
        try:
            entries, texts = self._read()
        except (Unreadable, BrokenOff):
            return "detected", 0
        if entries == self._entries and texts == self._texts:
            return "intact", len(entries)
        pairs = zip(entries, self._entries, strict=False)
        same = next((index for index, (one, other) in enumerate(pairs) if one != other), None)
        if same is None:
            same = min(len(entries), len(self._entries))
        # Verification is a fold over the records: those that are still the same need not be verified again.
        start = {1: self._heads[same]}
        if verify(entries[same:], *texts, self._lane.keys(), starts=start).bad is not None:
            return "detected", 0
        if entries != self._entries[: len(entries)]:
            raise Wrong("records were changed, and it verifies")
        durable = len(self._entries) - 1
        if len(entries) < durable or _meaning(texts) != _meaning(self._texts):
            return "short", len(entries)
        return ("cut" if len(entries) == durable else "intact"), len(entries)

    def _open(self, damage: str) -> int | None:
        """As the lane does at start: how many records it goes on with, or None when it noticed the damage."""
        try:
            with self._lane.open(vfs=VFS) as journal:
                head = journal.head()
        except JournalError:
            return None
        if head.seq < len(self._entries) - 1 or head != self._heads[head.seq]:
            raise Wrong(f"{damage}: the lane opened it at record {head.seq}")
        return head.seq

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """Opening may write; afterwards the damaged bytes are as they were."""
        damaged = {name: (self._lane.folder / name).read_bytes() for name in FILES}
        try:
            yield
        finally:
            for name, raw in damaged.items():
                os.ftruncate(self._fds[name], len(raw))
                os.pwrite(self._fds[name], raw, 0)
            (self._lane.folder / "journal.db-shm").unlink(missing_ok=True)
            self._lane.anchor_path.write_bytes(self._anchor)


def _meaning(texts: _Texts) -> object:
    """What verified certificates and acknowledgements say: the last character of base64 has bits that say nothing."""
    certificates, acknowledgements = texts
    keys = {ep: certificate.key for ep, certificate in certificates.items()}
    return keys, {ep: (ack.hwm, ack.hash) for ep, ack in acknowledgements.items()}
