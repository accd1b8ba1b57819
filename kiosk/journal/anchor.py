"""The head anchor: the last head, kept in another file, best on another partition.

A chain cannot show that its tail was cut, or that an older copy of the file was put back. The anchor can. It is
written after the record is durable, so it never names one that is not, and it is not synced on the append path: a
killed process loses nothing of it, a power cut at most what the kernel had not yet written back (about 30 s). It is
synced when the journal is idle, acknowledged or closed. So it promises: *a journal that ends before its anchor was
cut or rolled back*; it does not promise to name the newest record.

Two slots of one sector each are written in turn, so that a torn write leaves the one before.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from kiosk.records.journal import Head

SLOT_BYTES = 512


class _Slot(msgspec.Struct, frozen=True):
    dev: str
    ep: int
    seq: int
    hash: str
    check: str


def _check(head: Head) -> str:
    return hashlib.sha256(f"{head.dev}\n{head.ep}\n{head.seq}\n{head.hash}".encode()).hexdigest()


class Anchor:
    """Opens and creates the file (mode 0600). Raises OSError from the constructor only."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.error = ""
        self._dirty = False
        self._encoder = msgspec.json.Encoder()

    def read(self) -> Head | None:
        """The newest head of a whole slot, or None."""
        heads = []
        for slot in range(2):
            raw = os.pread(self._fd, SLOT_BYTES, slot * SLOT_BYTES)
            try:
                found = msgspec.json.decode(raw.rstrip(b"\0\n "), type=_Slot)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            head = Head(found.dev, found.ep, found.seq, found.hash)
            if found.check == _check(head):
                heads.append(head)
        return max(heads, key=lambda head: (head.ep, head.seq), default=None)

    def write(self, head: Head) -> None:
        """Into the page cache. A failure is kept in `error` and stops nothing: the record itself is safe."""
        line = self._encoder.encode(_Slot(head.dev, head.ep, head.seq, head.hash, _check(head)))
        try:
            os.pwrite(self._fd, line.ljust(SLOT_BYTES - 1) + b"\n", head.seq % 2 * SLOT_BYTES)
            self._dirty = True
        except OSError as error:
            self.error = str(error)

    def sync(self) -> None:
        if self._dirty:
            self._dirty = False
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                self.error = str(error)

    def close(self) -> None:
        self.sync()
        os.close(self._fd)
