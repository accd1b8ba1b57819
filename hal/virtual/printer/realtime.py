"""Real-time commands: recognised in the stream as it arrives, also inside image data. Pure.

Source: Epson "ESC/POS Command Reference", DLE EOT, DLE ENQ, DLE DC4: if print data includes a string that is
this command, the printer performs it.
"""

from dataclasses import dataclass
from typing import Literal

_CLEAR = bytes((0x10, 0x14, 8, 1, 3, 20, 1, 6, 2, 8))

Kind = Literal["status", "recover", "pulse", "clear"]


@dataclass(frozen=True)
class Request:
    """`n`: which status, how to recover, or which drawer pin."""

    kind: Kind
    n: int = 0


class Recogniser:
    def __init__(self) -> None:
        self._tail = bytearray()

    @property
    def begun(self) -> bool:
        """Whether a DLE among the last bytes may still become a request."""
        return 0x10 in self._tail

    def take(self, byte: int) -> Request | None:
        """The request this byte completes, if any."""
        tail = self._tail
        tail.append(byte)
        del tail[:-10]
        if tail.endswith(_CLEAR):
            return self._found(Request("clear"))
        if tail[-3:-1] == b"\x10\x04" and 1 <= byte <= 4:
            return self._found(Request("status", byte))
        if tail[-3:-1] == b"\x10\x05" and byte <= 2:
            return self._found(Request("recover", byte))
        if tail[-5:-2] == b"\x10\x14\x01" and tail[-2] <= 1 and 1 <= byte <= 8:
            return self._found(Request("pulse", tail[-2]))
        return None

    def _found(self, request: Request) -> Request:
        self._tail.clear()
        return request
