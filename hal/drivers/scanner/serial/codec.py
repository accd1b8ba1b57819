"""Bytes of a serial barcode scanner to reads. Pure.

A read is what stands between two suffixes; CR, LF and CR LF all count as one, and empty reads are nothing. It may
begin with an AIM identifier, `]` code character modifier (ISO/IEC 15424, clause 4).

Bytes are UTF-8 when they are valid UTF-8, else ISO 8859-1, which is the default interpretation of QR codes
(ISO/IEC 18004, 7.3) and never fails. Characters that cannot be printed are replaced by U+FFFD, except GS (0x1D),
which separates fields in GS1 codes: such a read still arrives, so that the customer hears "not a product", and
nothing downstream ever sees a control character. No product code contains U+FFFD.
"""

import re
from dataclasses import dataclass

MAX_READ_BYTES = 4096
GS = "\x1d"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_SUFFIX = re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class Scanned:
    """One whole read. `aim` with its bracket, or empty."""

    text: str
    aim: str


@dataclass(frozen=True)
class Rubbish:
    """Bytes that are no read. `length` in bytes; `text` is the presentable beginning of them.

    `reason`: `too_long` (more than MAX_READ_BYTES before a suffix), `incomplete` (silence before a suffix),
    `empty` (an AIM identifier and nothing else).
    """

    reason: str
    length: int
    text: str


Message = Scanned | Rubbish


def _presentable(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and len(raw) == MAX_READ_BYTES
        text = raw[: error.start].decode("utf-8") if cut else raw.decode("latin-1")
    return "".join(char if char.isprintable() or char == GS else REPLACEMENT for char in text)


class ScannerCodec:
    """Feed it bytes in any fragments; the messages do not depend on how they were cut."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._length = 0

    @property
    def pending(self) -> bool:
        """Whether a read has begun and not ended: then silence must be followed by `expire`."""
        return self._length > 0

    def feed(self, data: bytes) -> list[Message]:
        *ended, rest = _SUFFIX.split(data)
        messages: list[Message] = []
        for part in ended:
            self._keep(part)
            messages += self._end()
        self._keep(rest)
        return messages

    def expire(self) -> list[Message]:
        """The scanner fell silent in the middle of a code: forget it, so that it does not spoil the next one."""
        length, text = self._take()
        return [Rubbish("incomplete", length, text)] if length else []

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        self._kept += part[: MAX_READ_BYTES - len(self._kept)]

    def _take(self) -> tuple[int, str]:
        length, text = self._length, _presentable(bytes(self._kept))
        self._kept.clear()
        self._length = 0
        return length, text

    def _end(self) -> list[Message]:
        length, text = self._take()
        if length == 0:
            return []
        if length > MAX_READ_BYTES:
            return [Rubbish("too_long", length, text)]
        aim = found.group() if (found := _AIM.match(text)) else ""
        if len(text) == len(aim):
            return [Rubbish("empty", length, text)]
        return [Scanned(text[len(aim) :], aim)]
