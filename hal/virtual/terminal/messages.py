"""The data blocks the terminal composes and reads, from its own state. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hal.virtual.terminal import tables
from hal.virtual.terminal.ledger import Entry
from hal.virtual.terminal.wire import (
    Malformed,
    bcd,
    bitmaps,
    encode,
    number,
    parse_bitmaps,
    parse_tlv,
    tlv,
)

if TYPE_CHECKING:
    from hal.virtual.terminal.device import VirtualTerminal

VISA = 0x0A  # list of card types
MASKED_PAN = bytes.fromhex("476173EEEEEE0010")  # E nibbles hide digits (BMP 22)
VU_NUMBER = b"KASSA VIRTUAL  "
CUSTOMER_RECEIPT, MERCHANT_RECEIPT = 2, 1


@dataclass(frozen=True)
class Registration:
    """`blocks`: the register takes 06 D3 (its TLV 26 lists the command)."""

    config_byte: int
    currency: int | None
    blocks: bool


def registration(data: bytes) -> Registration:
    """06 00: password 3 BCD, config byte; then perhaps currency 2 BCD, bitmaps 03, 06. Raises `Malformed`."""
    if len(data) < 4:
        raise Malformed("a registration without password and config byte")
    number(data[:3])
    if len(data) == 4:
        return Registration(data[3], None, blocks=False)
    if len(data) < 6:
        raise Malformed("a registration with half a currency code")
    container = parse_bitmaps(data[6:]).get(0x06, b"")
    commands = [v for tag, v in parse_tlv(container) if tag == 0x26]
    allowed = [v for block in commands for tag, v in parse_tlv(block) if tag == 0x0A]
    return Registration(data[3], number(data[4:6]), blocks=b"\x06\xd3" in allowed)


def registered(terminal: "VirtualTerminal") -> bytes:
    return bitmaps(
        (
            (0x19, bytes((terminal.profile.status_byte,))),
            (0x29, bcd(terminal.profile.terminal_id, 4)),
            (0x49, bcd(terminal.currency, 2)),
        )
    )


def intermediate_status(code: int, timeout_s: float, leaks: str = "") -> bytes:
    """04 FF: code, time-out in minutes (the register's watch on us), and the text as TLV 24 / 07."""
    minutes = min(max(round(timeout_s / 60), 1), 0xFF)
    text = f"{tables.STATUS_TEXTS[code].replace('…', '...')} {leaks}".strip().encode("ascii")
    return encode(0x04, 0xFF, bytes((code, minutes)) + bitmaps(((0x06, tlv(0x24, tlv(0x07, text))),)))


def status_information(terminal: "VirtualTerminal", entry: Entry) -> bytes:
    at, leaks = datetime.fromisoformat(entry.time), terminal.profile.leaks
    return encode(0x04, 0x0F, bitmaps((
        (0x27, b"\0"),
        (0x04, bcd(entry.amount_minor, 6)),
        (0x49, bcd(entry.currency, 2)),
        (0x0B, bcd(entry.trace, 3)),
        (0x0C, bytes.fromhex(f"{at:%H%M%S}")),
        (0x0D, bytes.fromhex(f"{at:%m%d}")),
        (0x17, bcd(1, 2)),
        (0x19, b"\x60"),
        *_card(leaks),
        (0x29, bcd(terminal.profile.terminal_id, 4)),
        (0x2A, VU_NUMBER),
        (0x3B, f"{entry.trace:06d}".encode() + b"\0\0"),
        (0x3C, f"{'REVERSED' if entry.outcome == 'reversed' else 'APPROVED'} {leaks}".strip().encode()),
        (0x87, bcd(entry.receipt, 2)),
        (0x8A, bytes((VISA,))),
        (0x8B, f"Visa {leaks}".strip().encode() + b"\0"),
        (0xA0, b"\0"),
    )))  # fmt: skip


def _card(leaks: str) -> tuple[tuple[int, bytes], ...]:
    """BMP 22, masked as it should be; or the whole number, and track 2 in BMP 23."""
    if not leaks:
        return ((0x22, MASKED_PAN),)
    return tuple(
        (bitmap, bytes.fromhex(digits + "F" * (len(digits) % 2)))
        for bitmap, digits in ((0x22, leaks), (0x23, f"{leaks}D25121010000012345678"))
    )


def declined(terminal: "VirtualTerminal", entry: Entry) -> bytes:
    """A refusal takes no trace and no receipt number."""
    at = datetime.fromisoformat(entry.time)
    return encode(0x04, 0x0F, bitmaps((
        (0x27, bytes((terminal.profile.decline_code,))),
        (0x04, bcd(entry.amount_minor, 6)),
        (0x49, bcd(entry.currency, 2)),
        (0x0C, bytes.fromhex(f"{at:%H%M%S}")),
        (0x0D, bytes.fromhex(f"{at:%m%d}")),
        (0x29, bcd(terminal.profile.terminal_id, 4)),
        (0xA0, bytes((terminal.profile.decline_code,))),
    )))  # fmt: skip


def totals(terminal: "VirtualTerminal") -> bytes:
    """04 0F of an end of day; BMP 60 holds receipt range, then count and sum per scheme, Visa among them."""
    day = terminal.ledger.day
    sum_minor = sum(e.amount_minor if e.outcome == "captured" else -e.amount_minor for e in day)
    receipts = [e.receipt for e in day] or [0]
    none = b"\0" * 7
    visa = bytes((min(len(day), 0xFF),)) + bcd(sum_minor, 6)
    individual = bcd(receipts[0], 2) + bcd(receipts[-1], 2) + none * 4 + visa + none * 2
    at = terminal.ledger.now()
    return encode(0x04, 0x0F, bitmaps((
        (0x27, b"\0"),
        (0x04, bcd(sum_minor, 6)),
        (0x0C, bytes.fromhex(f"{at:%H%M%S}")),
        (0x0D, bytes.fromhex(f"{at:%m%d}")),
        (0x29, bcd(terminal.profile.terminal_id, 4)),
        (0x49, bcd(terminal.currency, 2)),
        (0x60, individual),
    )))  # fmt: skip


def receipt_lines(terminal: "VirtualTerminal", entry: Entry) -> list[str]:
    at = datetime.fromisoformat(entry.time)
    return [
        "Card payment" if entry.outcome == "captured" else "Card payment reversed",
        f"Terminal {terminal.profile.terminal_id:08d}",
        f"Trace {entry.trace:06d} Receipt {entry.receipt:04d}",
        f"Visa {terminal.profile.leaks or '############0010'}",
        f"{at:%Y-%m-%d %H:%M:%S}",
        tables.money(entry.amount_minor, entry.currency),
        "APPROVED" if entry.outcome == "captured" else "REVERSED",
        *([f";{terminal.profile.leaks}=25121010000012345678?"] if terminal.profile.leaks else []),
    ]


def receipt(terminal: "VirtualTerminal", entry: Entry) -> Iterator[bytes]:
    """The customer's receipt, as one 06 D3 block or as 06 D1 lines, whichever the register can take."""
    lines = [line.encode("ascii") for line in receipt_lines(terminal, entry)]
    if terminal.takes_blocks:
        texts = b"".join(tlv(0x09, b"\x00") + tlv(0x07, line) for line in lines)
        container = tlv(0x1F07, bytes((CUSTOMER_RECEIPT,))) + tlv(0x25, texts)
        yield encode(0x06, 0xD3, bitmaps(((0x06, container),)))
        return
    for at, line in enumerate(lines):
        attribute = 0x81 if at == len(lines) - 1 else 0x00  # 81: the last line
        yield encode(0x06, 0xD1, bytes((attribute,)) + line)
