"""The head anchor: the last head, kept in another file, best on another partition.

A chain cannot show that its tail was cut, or that an older copy of the file was put back. The anchor can. It is
written after the record is durable, so it never names one that is not, and it is not synced on the append path: a
killed process loses nothing of it, a power cut at most what the kernel had not yet written back (about 30 s). It is
synced when the journal is idle, acknowledged or closed. So it promises: *a journal that ends before its anchor was
cut or rolled back*; it does not promise to name the newest record.

Two slots of one sector each are written in turn, so that a torn write leaves the one before.
"""

import os
import zlib
from pathlib import Path

from kiosk.records.journal import Head

SLOT_BYTES = 512


def _line(head: Head) -> bytes:
    text = f"{head.dev} {head.ep} {head.seq} {head.hash} "
    return f"{text}{zlib.crc32(text.encode()):08x}".encode()


def _parse(raw: bytes) -> Head | None:
    """The head in a slot, or None when the slot is empty, torn or anything else. A CRC is enough: it is there for
    torn writes, and whoever forges the anchor can as well delete it."""
    try:
        dev, ep, seq, digest, _ = raw.decode().rsplit(" ", 4)
        head = Head(dev, int(ep), int(seq), digest)
    except ValueError:
        return None
    return head if _line(head) == raw else None


class Anchor:
    """Opens and creates the file (mode 0600). Raises OSError from the constructor only."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.error = ""
        self._dirty = False

    def read(self) -> Head | None:
        """The newest head of a whole slot, or None."""
        slots = (os.pread(self._fd, SLOT_BYTES, slot * SLOT_BYTES) for slot in range(2))
        heads = [head for raw in slots if (head := _parse(raw.rstrip(b"\0\n "))) is not None]
        return max(heads, key=lambda head: (head.ep, head.seq), default=None)

    def write(self, head: Head) -> None:
        """Into the page cache. A failure is kept in `error` and stops nothing: the record itself is safe."""
        try:
            os.pwrite(self._fd, _line(head).ljust(SLOT_BYTES - 1) + b"\n", head.seq % 2 * SLOT_BYTES)
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
