"""Status bytes. Source: Epson "ESC/POS Command Reference", GS a (4 bytes), DLE EOT 1–4, GS r, GS I."""

from dataclasses import dataclass
from typing import Literal

PrinterError = Literal["none", "cutter", "overheat", "unrecoverable"]


@dataclass(frozen=True)
class Condition:
    """`error`: "cutter" recovers by DLE ENQ, "overheat" by itself, "unrecoverable" by power only."""

    paper_out: bool = False
    near_end: bool = False
    cover_open: bool = False
    drawer_high: bool = False
    error: PrinterError = "none"

    @property
    def offline(self) -> bool:
        return self.paper_out or self.cover_open or self.error != "none"


_ERROR_BITS = {"none": 0x00, "cutter": 0x08, "unrecoverable": 0x20, "overheat": 0x40}


def automatic(now: Condition) -> bytes:
    """The four bytes of ASB. The fourth is 0F on Epson's own models, its bits being reserved."""
    first = 0x10 | now.drawer_high * 0x04 | now.offline * 0x08 | now.cover_open * 0x20
    third = (now.near_end or now.paper_out) * 0x03 | now.paper_out * 0x0C
    return bytes((first, _ERROR_BITS[now.error], third, 0x0F))


def watched(status: bytes, mask: int) -> bytes:
    """The bits of `automatic` that GS a `mask` reports: 1 drawer, 2 online and cover, 4 errors, 8 paper."""
    first = (0x04 if mask & 1 else 0) | (0x28 if mask & 2 else 0)
    return bytes((status[0] & first, status[1] if mask & 4 else 0, status[2] if mask & 8 else 0))


def real_time(now: Condition, n: int) -> bytes:
    """DLE EOT n, n = 1–4."""
    bits = {
        1: now.drawer_high * 0x04 | now.offline * 0x08,
        2: now.cover_open * 0x04 | now.paper_out * 0x20 | (now.error != "none") * 0x40,
        3: _ERROR_BITS[now.error],
        4: (now.near_end or now.paper_out) * 0x0C | now.paper_out * 0x60,
    }
    return bytes((0x12 | bits[n],))


def paper_sensor(now: Condition) -> bytes:
    """GS r 1."""
    return bytes(((now.near_end or now.paper_out) * 0x03 | now.paper_out * 0x0C,))


_IDENTITIES = {65: b"1.00 VIRTUAL", 66: b"EPSON", 67: b"TM-T20II", 68: b"VIRTUAL0001", 69: b""}


def identity(n: int) -> bytes:
    """GS I n: one byte for 1–3 (model, type with autocutter, ROM version), 5F … NUL from 65; else b""."""
    if n in (1, 2, 3, 49, 50, 51):
        return {1: b"\x23", 2: b"\x02", 3: b"\x01"}[n & 0x03]
    name = _IDENTITIES.get(n)
    return b"" if name is None else b"\x5f" + name + b"\0"


def process_id(identifier: bytes) -> bytes:
    """GS ( H function 48: header 37, identifier 22, the four bytes, NUL."""
    return b"\x37\x22" + identifier + b"\0"


CLEARED = b"\x37\x25\x00"  # DLE DC4 8
