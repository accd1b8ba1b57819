"""ESC/POS status as bytes and types: pure, both ways.

Sources: Epson ESC/POS Application Programming Guide (DLE EOT, DLE ENQ, GS a, GS r, GS I, GS ( H function 48); for
telling the answers apart, its appendix "Transmission status identification", which Citizen's command reference (5.3)
gives as bit patterns:

    XON 00010001, XOFF 00010011, DLE EOT 0xx1xx10, ASB first byte 0xx1xx00, ASB bytes 2 to 4 and GS r 0xx0xxxx

Blocks begin with 37 (process id: 37 22 d1 d2 d3 d4 00) or 5F (GS I text) and end with 00.
"""

from dataclasses import dataclass, replace

NUL_FLUSH = bytes(256)
"""A command received half swallows what follows as its parameters; NULs are ignored outside of one."""

ASB_ON = b"\x1d\x61\xff"
"""GS a 255: send four status bytes at each change."""

ASK_MODEL = b"\x1d\x49\x43"
"""GS I 67: the printer's name."""

ASK_PAPER = b"\x1d\x72\x01"
"""GS r 1: executed in its turn, so its answer follows what was printed before; not executed without paper."""

INITIALISE = b"\x1b\x40"
"""ESC @."""

CLEAR_AFTER_ERROR = b"\x10\x05\x02"
"""DLE ENQ 2: leave a recoverable error and forget what was to be printed. DLE ENQ 1 would repeat lines."""

_MAX_BLOCK_BYTES = 80
_PROCESS_ID = b"\x37\x22"


def ask_now(n: int) -> bytes:
    """DLE EOT n, 1 to 4: answered at once, even while offline."""
    return bytes([0x10, 0x04, n])


def ask_when_done(process_id: str) -> bytes:
    """GS ( H 48 with four printable characters: answered when everything before it is on paper."""
    return b"\x1d\x28\x48\x06\x00\x30\x30" + process_id.encode("ascii")


def with_status(data: bytes) -> bytes:
    """The data with status back switched on again: ESC @, by which most receipts begin, switches it off (GS a is in
    effect until ESC @). Again at the end, for an ESC @ elsewhere."""
    if data.startswith(INITIALISE):
        data = INITIALISE + ASB_ON + data[len(INITIALISE) :]
    return data + ASB_ON


def realtime_command(data: bytes) -> int:
    """Where a printer would see DLE ENQ 0 to 2 or DLE DC4 (pulse, power off, buzzer, clear) in the data, else -1.

    They act at once wherever they stand, even in a picture: one could open the drawer or throw the receipt away.
    DLE EOT in a picture only costs a stray status byte.
    """
    at = data.find(b"\x10")
    while at >= 0:
        pair = data[at + 1 : at + 3]
        if len(pair) == 2 and ((pair[0] == 0x05 and pair[1] <= 2) or (pair[0] == 0x14 and pair[1] in (1, 2, 3, 7, 8))):
            return at
        at = data.find(b"\x10", at + 1)
    return -1


@dataclass(frozen=True)
class State:
    """What the printer's status bits say together."""

    offline: bool = False
    cover_open: bool = False
    feeding: bool = False
    drawer_high: bool = False
    paper_near_end: bool = False
    paper_out: bool = False
    mechanical: bool = False
    cutter: bool = False
    unrecoverable: bool = False
    auto_recoverable: bool = False

    def with_answer(self, n: int, byte: int) -> "State":
        """This state with the answer to DLE EOT n in it."""
        match n:
            case 1:
                return replace(self, offline=_on(byte, 0x08), drawer_high=_on(byte, 0x04), feeding=_on(byte, 0x40))
            case 2:
                return replace(self, cover_open=_on(byte, 0x04))
            case 3:
                return replace(
                    self,
                    mechanical=_on(byte, 0x04),
                    cutter=_on(byte, 0x08),
                    unrecoverable=_on(byte, 0x20),
                    auto_recoverable=_on(byte, 0x40),
                )
            case _:
                return replace(self, paper_near_end=_on(byte, 0x0C), paper_out=_on(byte, 0x60))


def _on(byte: int, mask: int) -> bool:
    return byte & mask != 0


@dataclass(frozen=True)
class Changed:
    """Four bytes of automatic status back: the whole state."""

    state: State


@dataclass(frozen=True)
class Told:
    """One byte in answer to DLE EOT; which of them, only the order of asking tells."""

    byte: int


@dataclass(frozen=True)
class Paper:
    """Answer to GS r 1."""

    out: bool


@dataclass(frozen=True)
class Done:
    """Everything before the request with this process id is printed."""

    process_id: str


@dataclass(frozen=True)
class Named:
    """Answer to GS I."""

    text: str


Answer = Changed | Told | Paper | Done | Named


class Splitter:
    """Cuts the printer's stream into answers, however they interleave. `junk` counts bytes that are none."""

    def __init__(self) -> None:
        self._asb: bytearray | None = None
        self._block: bytearray | None = None
        self.junk = 0

    def feed(self, data: bytes) -> list[Answer]:
        found: list[Answer] = []
        for byte in data:
            answer = self._take(byte)
            if answer is not None:
                found.append(answer)
        return found

    def _take(self, byte: int) -> Answer | None:
        if byte in (0x11, 0x13):  # XON, XOFF: flow control of a serial line; may come in the midst of anything
            return None
        if self._block is not None:
            if byte == 0:
                return self._end_block(self._block)
            if 0x20 <= byte <= 0x7E and len(self._block) < _MAX_BLOCK_BYTES:
                self._block.append(byte)
                return None
            if byte & 0x93 == 0x12:  # an answer to DLE EOT below 20 hex is no text
                return Told(byte)
            self.junk += len(self._block)
            self._block = None
        return self._begin(byte)

    def _begin(self, byte: int) -> Answer | None:
        if byte & 0x93 == 0x10:
            self.junk += len(self._asb or b"")
            self._asb = bytearray([byte])
        elif byte & 0x93 == 0x12:
            return Told(byte)
        elif byte & 0x90 == 0x00:
            return self._status_byte(byte)
        elif byte in (0x37, 0x5F) and self._asb is None:
            self._block = bytearray([byte])
        else:
            self.junk += 1
        return None

    def _status_byte(self, byte: int) -> Answer | None:
        if self._asb is None:
            return Paper(out=_on(byte, 0x0C))
        self._asb.append(byte)
        if len(self._asb) < 4:
            return None
        first, second, third, _ = self._asb
        self._asb = None
        return Changed(
            State(
                offline=_on(first, 0x08),
                cover_open=_on(first, 0x20),
                feeding=_on(first, 0x40),
                drawer_high=_on(first, 0x04),
                paper_near_end=_on(third, 0x03),
                paper_out=_on(third, 0x0C),
                mechanical=_on(second, 0x04),
                cutter=_on(second, 0x08),
                unrecoverable=_on(second, 0x20),
                auto_recoverable=_on(second, 0x40),
            )
        )

    def _end_block(self, block: bytearray) -> Answer | None:
        self._block = None
        if block[:2] == _PROCESS_ID and len(block) == 6:
            return Done(block[2:].decode("ascii"))
        if block[:1] == b"\x5f":
            return Named(block[1:].decode("ascii"))
        self.junk += len(block)
        return None
