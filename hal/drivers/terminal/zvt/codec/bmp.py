"""Bitmaps: the fields of status information and completion (PA00P015 rev. 13.08, 3.1.1, 3.2 and chapter 13).

A bitmap has no length of its own, so an unknown one ends the decoding: what came before it is reported, with
`undecoded` set. Track data (23, 24, 2D, tags 1F08 to 1F0A) is stepped over and never read.
"""

from dataclasses import dataclass, replace

from hal.drivers.terminal.zvt.codec.mask import mask_pan, scrub
from hal.drivers.terminal.zvt.codec.tlv import BadTlv, read_length, walk

LLVAR = -2
LLLVAR = -3
TLV = -1

# fmt: off
FORMATS: dict[int, int] = {
    0x01: 1, 0x02: 1, 0x03: 1, 0x04: 6, 0x05: 1, 0x06: TLV, 0x0B: 3, 0x0C: 3, 0x0D: 2, 0x0E: 2, 0x17: 2, 0x19: 1,
    0x22: LLVAR, 0x23: LLVAR, 0x24: LLLVAR, 0x27: 1, 0x29: 4, 0x2A: 15, 0x2D: LLVAR, 0x2E: LLLVAR, 0x37: 3, 0x3A: 2,
    0x3B: 8, 0x3C: LLLVAR, 0x3D: 3, 0x49: 2, 0x4C: LLVAR, 0x60: LLLVAR, 0x70: 4, 0x71: 4, 0x72: 1, 0x73: 1, 0x74: 1,
    0x75: 1, 0x87: 2, 0x88: 3, 0x8A: 1, 0x8B: LLVAR, 0x8C: 1, 0x92: LLLVAR, 0x9A: LLLVAR, 0xA0: 1, 0xA7: LLVAR,
    0xAA: 3, 0xAF: LLLVAR, 0xBA: 5, 0xD0: 1, 0xD1: LLVAR, 0xD2: 1, 0xD3: 1, 0xE0: 1, 0xE9: 1, 0xEA: 1, 0xEB: 8,
    0xF0: 1, 0xF9: 1, 0xFA: 1, 0xFB: 1, 0xFC: 1, 0xFD: 1,
    **dict.fromkeys(range(0xE1, 0xE9), LLVAR), **dict.fromkeys(range(0xF1, 0xF9), LLVAR),
}
# fmt: on

CHARSET = "cp437"
"""The terminal's own character set unless another was agreed (PA00P015, tag 14)."""


@dataclass(frozen=True)
class Sums:
    """BMP 60: the receipt numbers of an end of day, and count and amount of each of seven groups of cards."""

    first_receipt: str
    last_receipt: str
    groups: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Fields:
    """What a message told. Numbers keep their leading zeros as text; absent ones are None or empty.

    `date` is MMDD, `time` HHMMSS, `currency` the numeric ISO 4217 code as four digits. `totals` marks the status
    information of an end of day, `original_trace` that of a reversal. `undecoded`: something could not be read, so
    an absent field may have been there. `conflicting`: a field came twice with different contents.
    """

    result_code: int | None = None
    amount_minor: int | None = None
    currency: str = ""
    trace: str = ""
    original_trace: str = ""
    time: str = ""
    date: str = ""
    masked_pan: str = ""
    terminal_id: str = ""
    receipt: str = ""
    turnover: str = ""
    authorisation: str = ""
    card_type: int | None = None
    card_name: str = ""
    status_byte: int | None = None
    contract: str = ""
    totals: bool = False
    sums: Sums | None = None
    undecoded: bool = False
    conflicting: bool = False


class Undecodable(ValueError):
    """The bytes from here on cannot be told apart."""


def clean(data: bytes) -> str:
    """Text for people: printable, without card numbers."""
    text = data.rstrip(b"\0").decode(CHARSET, "replace")
    return scrub("".join(c if c.isprintable() else " " for c in text))


def lvar(data: bytes, at: int, digits: int) -> tuple[int, int]:
    """Length and start of an LLVAR (2) or LLLVAR (3) field: each digit in a byte Fx (PA00P016, 5.2.8)."""
    marks = data[at : at + digits]
    if len(marks) < digits or any(b & 0xF0 != 0xF0 or b & 0x0F > 9 for b in marks):
        raise Undecodable("a length is not of the form Fx Fy")
    return int("".join(str(b & 0x0F) for b in marks)), at + digits


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The bitmaps with their contents, and whether something was left that could not be told apart."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        try:
            length, start = _extent(data, at)
        except (Undecodable, BadTlv):
            return found, True
        if start + length > len(data):
            return found, True
        found.append((data[at], data[start : start + length]))
        at = start + length
    return found, False


def _extent(data: bytes, at: int) -> tuple[int, int]:
    form = FORMATS.get(data[at])
    if form is None:
        raise Undecodable(f"unknown bitmap {data[at]:02X}")
    if form == TLV:
        return read_length(data, at + 1)
    return (form, at + 1) if form > 0 else lvar(data, at + 1, -form)


def bcd(data: bytes) -> str:
    """Packed digits; Undecodable for any nibble above 9."""
    digits = data.hex()
    if not digits.isdecimal():
        raise Undecodable("not a BCD number")
    return digits


def parse(data: bytes) -> Fields:
    """Decode as far as possible; never raises."""
    pairs, undecoded = split(data)
    fields, seen, conflicting = Fields(), dict[int, bytes](), False
    for number, value in pairs:
        conflicting |= seen.setdefault(number, value) != value
        try:
            fields = _take(fields, number, value)
        except (Undecodable, BadTlv):
            undecoded = True
    return replace(fields, undecoded=undecoded, conflicting=conflicting)


def _take(fields: Fields, number: int, value: bytes) -> Fields:
    match number:
        case 0x04:
            return replace(fields, amount_minor=int(bcd(value)))
        case 0x06:
            return _take_container(fields, value)
        case 0x0B:  # 000000 when tag 1F2B holds a longer number
            return replace(fields, trace=bcd(value) if bcd(value).strip("0") else fields.trace or bcd(value))
        case 0x0C:
            return replace(fields, time=bcd(value))
        case 0x0D:
            return replace(fields, date=bcd(value))
        case 0x19:
            return replace(fields, status_byte=value[0])
        case 0x22:
            return replace(fields, masked_pan=mask_pan(value.hex()))
        case 0x27:
            return replace(fields, result_code=value[0])
        case 0x29:
            return replace(fields, terminal_id=bcd(value))
        case 0x2A:
            return replace(fields, contract=clean(value).strip())
        case 0x37:
            return replace(fields, original_trace=bcd(value))
        case 0x3B:
            return replace(fields, authorisation=clean(value).strip())
        case 0x49:
            return replace(fields, currency=bcd(value))
        case 0x60:
            return replace(fields, totals=True, sums=_sums(value))
        case 0x87:
            return replace(fields, receipt=bcd(value))
        case 0x88:
            return replace(fields, turnover=bcd(value))
        case 0x8A:
            return replace(fields, card_type=value[0])
        case 0x8B:
            return replace(fields, card_name=clean(value).strip())
        case _:
            return fields


_GROUPS = 7


def _sums(value: bytes) -> Sums | None:
    """None for a field of another length: some terminals add groups of their own, and then none can be told apart."""
    if len(value) != 4 + 7 * _GROUPS:
        return None
    try:
        groups = tuple((value[at], int(bcd(value[at + 1 : at + 7]))) for at in range(4, len(value), 7))
        return Sums(bcd(value[:2]), bcd(value[2:4]), groups)
    except Undecodable:
        return None


def _take_container(fields: Fields, value: bytes) -> Fields:
    for path, inner in walk(value):
        if path == (0x41,) and 1 <= len(inner) <= 2:  # card type above 255 does not fit into 8A
            fields = replace(fields, card_type=int.from_bytes(inner, "big"))
        elif path == (0x1F2B,) and 0 < len(inner) <= 8:  # a trace number above six digits: 0B is then 000000
            fields = replace(fields, trace=bcd(inner))
    return fields
