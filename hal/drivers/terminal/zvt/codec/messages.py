"""What the terminal says, as types (PA00P015 rev. 13.08, chapter 3). No message holds a card number or track data."""

import enum
from dataclasses import dataclass

from hal.drivers.terminal.zvt.codec.apdu import Apdu, ApduReader
from hal.drivers.terminal.zvt.codec.bmp import FORMATS, Fields, Undecodable, bcd, clean, lvar, parse
from hal.drivers.terminal.zvt.codec.tlv import BadTlv, read_length, walk

MAX_LINES = 400


class Receipt(enum.Enum):
    """For whom a printed receipt is (PA00P015, tag 1F07)."""

    unsaid = 0
    merchant = 1
    customer = 2
    administration = 3


@dataclass(frozen=True)
class Ack:
    """80 00, or 84 00, which means the same (PA00P016, 5.2.3)."""


@dataclass(frozen=True)
class Nak:
    code: int


@dataclass(frozen=True)
class Status:
    """04 0F."""

    fields: Fields


@dataclass(frozen=True)
class Intermediate:
    """04 FF. `timeout_min` is the new T4 when the terminal asked for one."""

    code: int
    timeout_min: int | None
    text: str


@dataclass(frozen=True)
class Completion:
    """06 0F. `terminal_status` and `software` come only as the end of a status enquiry (2.56.5)."""

    fields: Fields
    terminal_status: int | None
    software: str


@dataclass(frozen=True)
class Abort:
    """06 1E."""

    code: int


@dataclass(frozen=True)
class Print:
    """06 D1 or 06 D3. `ends` is true when the last line ends a receipt (Table 16)."""

    lines: list[str]
    receipt: Receipt
    ends: bool


@dataclass(frozen=True)
class Other:
    """A command of no use to us."""

    command: int


Message = Ack | Nak | Status | Intermediate | Completion | Abort | Print | Other


class Decoder:
    """Byte stream to messages; `broken` says why when the stream can no longer be followed."""

    def __init__(self) -> None:
        self._reader = ApduReader()

    @property
    def broken(self) -> str:
        return self._reader.broken

    @property
    def partial(self) -> bool:
        return self._reader.partial

    def feed(self, data: bytes) -> list[Message]:
        return [decode(apdu) for apdu in self._reader.feed(data)]


def decode(apdu: Apdu) -> Message:
    """One APDU to a message; never raises."""
    data = apdu.data
    match apdu.command:
        case 0x8000 | 0x8400:
            return Ack()
        case command if command >> 8 == 0x84:
            return Nak(command & 0xFF)
        case 0x040F:
            return Status(parse(data))
        case 0x04FF:
            return _intermediate(data)
        case 0x060F:
            return _completion(data)
        case 0x061E:
            return Abort(data[0] if data else 0xFF)
        case 0x06D1:
            return _print_line(data)
        case 0x06D3:
            return _print_block(data)
        case command:
            return Other(command)


def _container(data: bytes) -> bytes | None:
    """The contents of a TLV container that fills `data` exactly."""
    try:
        length, start = read_length(data, 1)
    except BadTlv:
        return None
    return data[start:] if data[:1] == b"\x06" and start + length == len(data) else None


def _intermediate(data: bytes) -> Intermediate:
    """Status, then a time-out in minutes, then a container; a container must not come without the time-out (3.7),
    but the specification's own example in 5.1 does just that."""
    code = data[0] if data else 0xFF
    rest = data[1:]
    timeout_min = None
    container = _container(rest)
    if container is None and rest:
        try:
            timeout_min = int(bcd(rest[:1]))
        except Undecodable:
            timeout_min = None
        container = _container(rest[1:])
    return Intermediate(code, timeout_min or None, " ".join(_texts(container or b"", 0x24)).strip())


def _texts(container: bytes, parent: int) -> list[str]:
    try:
        return [clean(value).strip() for path, value in walk(container) if path == (parent, 0x07)]
    except BadTlv:
        return []


def _completion(data: bytes) -> Completion:
    """Bitmaps; or, after a status enquiry, [version as LLLVAR] status [container]. A status is never the number of
    a bitmap that may stand here (2.56.5, 3.2, chapter 11)."""
    software, status = "", None
    try:
        length, start = lvar(data, 0, 3)
        if start + length < len(data):
            software, data = clean(data[start : start + length]).strip(), data[start + length :]
    except Undecodable:
        pass
    if data and (software or data[0] not in (0x06, 0x0C, 0x19, 0x27, 0x29, 0x49, 0xAA) or data[0] not in FORMATS):
        status, data = data[0], data[1:]
    return Completion(parse(data), status, software)


def _ends_receipt(attribute: int) -> bool:
    """Table 16: 1xxx xxxx but neither 80 (reserved) nor FF (line feeds)."""
    return attribute & 0x80 != 0 and attribute not in (0x80, 0xFF)


def _print_line(data: bytes) -> Print:
    attribute = data[0] if data else 0
    if attribute == 0xFF:
        feeds = min(data[1] if len(data) > 1 else 1, 10)
        return Print([""] * feeds, Receipt.unsaid, ends=False)
    return Print([_line(attribute, data[1:])], Receipt.unsaid, ends=_ends_receipt(attribute))


def _line(attribute: int, text: bytes) -> str:
    indent = 0 if attribute & 0x80 else attribute & 0x0F
    return (" " * indent + clean(text)).rstrip()


def _print_block(data: bytes) -> Print:
    """Attributes (09) hold for the text lines (07) after them; the one that ends a receipt comes last (tag 25).
    In practice the text stands in tag 25, or in the container itself."""
    lines: list[str] = []
    receipt, attribute, ends = Receipt.unsaid, 0, False
    try:
        for path, value in walk(_container(data) or b""):
            match path[-1]:
                case 0x1F07 if len(value) == 1 and value[0] in (1, 2, 3):
                    receipt = Receipt(value[0])
                case 0x09 if len(value) == 1:
                    attribute = value[0]
                    ends = ends or _ends_receipt(attribute)
                case 0x07 if len(lines) < MAX_LINES:
                    lines.append(_line(attribute, value))
    except BadTlv:
        pass
    return Print(lines, receipt, ends)
