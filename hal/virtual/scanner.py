"""A serial barcode scanner at the far end of a pty.

The driver opens a stable symlink, as udev would give it, and finds a terminal device behind it. A read is
``<AIM identifier><data><suffix>`` (AIM identifiers: ISO/IEC 15424).

Thread-safe, and never blocks for longer than `WRITE_LIMIT_S`: a scanner does not care who listens.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

SUFFIXES = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n", "none": b""}
TEXT_LIMIT_BYTES = 16 * 1024
WRITE_LIMIT_S = 1.0
STALE_LIMIT_BYTES = 2048  # half a pty's queue: with more unread than this, nobody is listening

_AIM = re.compile(rb"\][A-Za-z][0-9A-Za-z]")


class ScannerUnplugged(Exception):
    """There is no scanner to scan with."""


class ScanRefused(ValueError):
    """The text or the AIM identifier is not something a scanner could send."""


def guess_aim(data: bytes) -> bytes:
    """The AIM identifier a scanner would most likely send with this data (ISO/IEC 15424).

    EAN-13, UPC-A and UPC-E travel as ]E0, EAN-8 as ]E4; links, long and non-ASCII texts come from QR codes.
    """
    if data.isdigit() and len(data) in (12, 13):
        return b"]E0"
    if data.isdigit() and len(data) == 8:
        return b"]E4"
    if data[:8].lower().startswith((b"http://", b"https://")) or len(data) > 80 or any(b > 0x7E for b in data):
        return b"]Q1"
    return b"]C0"


class VirtualScanner:
    """`path` is the symlink to open, `suffix` one of `SUFFIXES`; `on_change` hears of plug and scan."""

    def __init__(self, path: Path, *, suffix: str = "CR", on_change: Callable[[], None] = lambda: None) -> None:
        if suffix not in SUFFIXES:
            raise ScanRefused(f"suffix {suffix!r} is not one of {', '.join(SUFFIXES)}")
        self.path = path
        self.suffix = suffix
        self._on_change = on_change
        self._lock = threading.Lock()
        self._master: int | None = None
        self._slave: int | None = None
        self._scans = 0
        self._last = ""

    def plug(self) -> None:
        """Put the scanner on the cable: a new pty behind the same symlink. Does nothing if it is there."""
        with self._lock:
            if self._master is not None:
                return
            master, slave = pty.openpty()
            # Our own handle on the slave keeps it raw: Linux resets a pty's settings at its last close.
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._master, self._slave = master, slave
            self.path.parent.mkdir(parents=True, exist_ok=True)
            aside = self.path.with_name(self.path.name + ".new")
            aside.unlink(missing_ok=True)
            aside.symlink_to(os.ttyname(slave))
            aside.replace(self.path)
        self._on_change()

    def unplug(self) -> None:
        """Pull the cable: whoever has the device open sees a hang-up, and the symlink goes."""
        with self._lock:
            if self._master is None:
                return
            self.path.unlink(missing_ok=True)
            os.close(self._master)
            if self._slave is not None:
                os.close(self._slave)
            self._master = self._slave = None
        self._on_change()

    def scan(self, text: str | bytes, aim: str | None = None) -> int:
        """Read a code and send it; returns `time.monotonic_ns()` taken at the write.

        `aim` None guesses (`guess_aim`), "" sends none. Raises `ScannerUnplugged`, `ScanRefused`.
        """
        data = self._checked(text)
        prefix = guess_aim(data) if aim is None else aim.encode("ascii", "replace")
        if prefix and not _AIM.fullmatch(prefix):
            raise ScanRefused(f"aim {aim!r} is not an AIM identifier: ']', a letter, a digit or letter; or ''")
        written = self._write(prefix + data + SUFFIXES[self.suffix])
        self._note(data)
        return written

    def scan_partial(self, text: str | bytes) -> int:
        """Send half a code and no suffix, then silence: the customer pulled the product away."""
        data = self._checked(text)
        return self._write((guess_aim(data) + data)[: 3 + (len(data) + 1) // 2])

    def state(self) -> dict[str, object]:
        return {
            "plugged": self._master is not None,
            "path": str(self.path),
            "suffix": self.suffix,
            "scans": self._scans,
            "last": self._last,
        }

    def _note(self, data: bytes) -> None:
        self._scans += 1
        self._last = data[:80].decode("utf-8", "replace")
        self._on_change()

    @staticmethod
    def _checked(text: str | bytes) -> bytes:
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
        if not 1 <= len(data) <= TEXT_LIMIT_BYTES:
            raise ScanRefused(f"text has {len(data)} bytes; allowed are 1 to {TEXT_LIMIT_BYTES}")
        return data

    def _write(self, data: bytes) -> int:
        with self._lock:
            if self._master is None or self._slave is None:
                raise ScannerUnplugged("the scanner is unplugged; plug it in first")
            unread = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4))[0]
            if unread > STALE_LIMIT_BYTES:
                termios.tcflush(self._slave, termios.TCIFLUSH)
            written = time.monotonic_ns()
            self._write_bounded(self._master, data, written)
            return written

    @staticmethod
    def _write_bounded(master: int, data: bytes, begun_ns: int) -> None:
        poll = select.poll()
        poll.register(master, select.POLLOUT)
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(master, data) :]
            left_ms = WRITE_LIMIT_S * 1000 - (time.monotonic_ns() - begun_ns) / 1e6
            if not data or left_ms <= 0:
                return
            poll.poll(min(left_ms, 20))
