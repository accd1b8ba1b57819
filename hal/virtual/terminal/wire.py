"""ZVT bytes as the terminal (PT) reads and writes them: APDUs, BCD, bitmaps (BMP), TLV. Pure.

Sources: PA00P016 (TCP: bare APDUs in a stream, any fragmentation; length one byte, or FF lo hi above 254) and
PA00P015 rev. 13.08, chapters on bitmaps (formats) and TLV containers (BER lengths, tag 1F xx in two bytes).
"""

from collections.abc import Iterable
from dataclasses import dataclass

ACK = b"\x80\x00\x00"

LL, LLL, TLV = -2, -3, -4  # variable-length formats of a bitmap

# Length in bytes of every bitmap in the specification's summary of bitmaps, or LL / LLL / TLV.
FORMATS: dict[int, int] = {
    0x01: 1, 0x02: 1, 0x03: 1, 0x04: 6, 0x05: 1, 0x06: TLV, 0x0B: 3, 0x0C: 3, 0x0D: 2, 0x0E: 2, 0x17: 2,
    0x19: 1, 0x22: LL, 0x23: LL, 0x24: LLL, 0x27: 1, 0x29: 4, 0x2A: 15, 0x2D: LL, 0x2E: LLL, 0x37: 3, 0x3A: 2,
    0x3B: 8, 0x3C: LLL, 0x3D: 3, 0x49: 2, 0x60: LLL, 0x87: 2, 0x88: 3, 0x8A: 1, 0x8B: LL, 0x8C: 1, 0x9A: LLL,
    0xA0: 1, 0xA7: LL, 0xAA: 3, 0xAF: LLL, 0xBA: 5, 0xD0: 1, 0xD1: LL, 0xD2: 1, 0xE0: 1, 0xE1: LL, 0xE2: LL,
    0xE3: LL, 0xE4: LL, 0xE5: LL, 0xE6: LL, 0xE7: LL, 0xE8: LL, 0xE9: 1, 0xEA: 1, 0xEB: 8, 0xF0: 1, 0xF1: LL,
    0xF2: LL, 0xF3: LL, 0xF4: LL, 0xF5: LL, 0xF6: LL, 0xF7: LL, 0xF8: LL, 0xF9: 1, 0xFA: 1, 0xFB: 1, 0xFC: 1,
}  # fmt: skip


class Malformed(ValueError):
    """The data block of a command cannot be read; `unknown_bitmap` when it names a bitmap nobody knows."""

    def __init__(self, what: str, *, unknown_bitmap: bool = False) -> None:
        super().__init__(what)
        self.unknown_bitmap = unknown_bitmap


@dataclass(frozen=True)
class Apdu:
    cls: int
    ins: int
    data: bytes = b""

    @property
    def command(self) -> tuple[int, int]:
        return self.cls, self.ins


class Framer:
    """Cuts a byte stream into APDUs. Holds at most one incomplete APDU (64 KiB)."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def pending(self) -> bytes:
        return bytes(self._pending[:2])

    def feed(self, data: bytes) -> list[Apdu]:
        self._pending += data
        out: list[Apdu] = []
        while (apdu := self._cut()) is not None:
            out.append(apdu)
        return out

    def _cut(self) -> Apdu | None:
        held = self._pending
        if len(held) < 3:
            return None
        head, length = 3, held[2]
        if length == 0xFF:
            if len(held) < 5:
                return None
            head, length = 5, held[3] | held[4] << 8
        if len(held) < head + length:
            return None
        apdu = Apdu(held[0], held[1], bytes(held[head : head + length]))
        del held[: head + length]
        return apdu


def encode(cls: int, ins: int, data: bytes = b"") -> bytes:
    if len(data) < 0xFF:
        return bytes((cls, ins, len(data))) + data
    return bytes((cls, ins, 0xFF)) + len(data).to_bytes(2, "little") + data


def bcd(number: int, width: int) -> bytes:
    """`number` in `width` bytes of packed digits."""
    return bytes.fromhex(f"{number:0{2 * width}d}"[-2 * width :])


def number(data: bytes) -> int:
    """The number in packed digits; raises `Malformed` on a nibble above 9."""
    text = data.hex()
    if not text.isdecimal():
        raise Malformed(f"{text} is not packed decimal")
    return int(text)


def var(data: bytes, digits: int) -> bytes:
    """An LLVAR (2) or LLLVAR (3) value: each decimal digit of the length in a byte Fx, then the data."""
    return bytes(0xF0 | int(d) for d in f"{len(data):0{digits}d}") + data


def tlv(tag: int, data: bytes) -> bytes:
    name = tag.to_bytes(2, "big") if tag > 0xFF else bytes((tag,))
    return name + ber_length(len(data)) + data


def ber_length(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    if length < 0x100:
        return bytes((0x81, length))
    return b"\x82" + length.to_bytes(2, "big")


def bitmaps(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Bitmaps in the given order; values of variable length get their length here."""
    out = bytearray()
    for name, value in fields:
        form = FORMATS[name]
        out.append(name)
        if form == TLV:
            out += ber_length(len(value)) + value
        elif form < 0:
            out += var(value, -form)
        else:
            out += value
    return bytes(out)


def parse_bitmaps(data: bytes) -> dict[int, bytes]:
    """Bitmap → value. Raises `Malformed`."""
    out: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        name = data[at]
        form = FORMATS.get(name)
        if form is None:
            raise Malformed(f"bitmap {name:02X} is unknown", unknown_bitmap=True)
        length, at = _length(data, at + 1, form)
        if at + length > len(data):
            raise Malformed(f"bitmap {name:02X} is cut short")
        out[name] = data[at : at + length]
        at += length
    return out


def _length(data: bytes, at: int, form: int) -> tuple[int, int]:
    if form >= 0:
        return form, at
    if form == TLV:
        return _ber(data, at)
    digits = data[at : at - form]
    if len(digits) < -form or any(d >> 4 != 0xF or d & 0xF > 9 for d in digits):
        raise Malformed("a variable length is not written in bytes F0 to F9")
    return int("".join(str(d & 0xF) for d in digits)), at - form


def _ber(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise Malformed("a TLV length is missing")
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    count = first & 0x7F
    if count not in (1, 2) or at + count > len(data):
        raise Malformed("a TLV length is neither one, 81 xx nor 82 xx xx")
    return int.from_bytes(data[at : at + count], "big"), at + count


def parse_tlv(data: bytes) -> list[tuple[int, bytes]]:
    """Tag → value, in order. Raises `Malformed`."""
    out: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        tag, at = data[at], at + 1
        if tag & 0x1F == 0x1F:
            if at >= len(data):
                raise Malformed("a TLV tag is cut short")
            tag, at = tag << 8 | data[at], at + 1
        length, at = _ber(data, at)
        if at + length > len(data):
            raise Malformed(f"TLV tag {tag:X} is cut short")
        out.append((tag, data[at : at + length]))
        at += length
    return out
