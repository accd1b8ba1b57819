"""APDUs out of a byte stream (PA00P016, 4 and 5.2.1 to 5.2.4)."""

from dataclasses import dataclass, field

MAX_DATA_BYTES = 8192
"""Longest data block we take; told to the terminal as tag 1A at registration (PA00P015, 9.4.2.1)."""

_CLASSES = frozenset({0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84})


@dataclass(frozen=True)
class Apdu:
    """Control field and data block. The data may hold track data, so it is never shown."""

    command: int
    data: bytes = field(repr=False)

    def __bytes__(self) -> bytes:
        return self.command.to_bytes(2, "big") + encode_length(len(self.data)) + self.data


def encode_length(length: int) -> bytes:
    """One byte up to 254, else FF and two bytes, low byte first (PA00P016, 5.2.4)."""
    return bytes([length]) if length < 0xFF else b"\xff" + length.to_bytes(2, "little")


class ApduReader:
    """Cuts a stream into APDUs, however it is fragmented.

    A TCP stream has no marks to find the next APDU by, so anything impossible breaks it for good: `broken` then says
    why, and what came before it has been delivered.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self.broken = ""

    @property
    def partial(self) -> bool:
        """Whether part of an APDU waits for its rest."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Apdu]:
        if not self.broken:
            self._rest += data
        found: list[Apdu] = []
        start = 0
        while (end := self._end(start)) is not None:
            header, stop = end
            found.append(Apdu(int.from_bytes(self._rest[start : start + 2], "big"), bytes(self._rest[header:stop])))
            start = stop
        del self._rest[:start]
        if self.broken:
            self._rest.clear()
        return found

    def _end(self, start: int) -> tuple[int, int] | None:
        """Where the data of the APDU at `start` begins and ends, or None while it is incomplete or impossible."""
        rest = self._rest
        if len(rest) > start and rest[start] not in _CLASSES:
            self.broken = f"class {rest[start]:02X} where an APDU should begin"
        if self.broken or len(rest) < start + 3:
            return None
        header, length = start + 3, rest[start + 2]
        if length == 0xFF:
            if len(rest) < start + 5:
                return None
            header, length = start + 5, int.from_bytes(rest[start + 3 : start + 5], "little")
        if length > MAX_DATA_BYTES:
            self.broken = f"APDU of {length} bytes, allowed are {MAX_DATA_BYTES}"
            return None
        return (header, header + length) if len(rest) >= header + length else None
