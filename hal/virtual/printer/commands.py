"""ESC/POS bytes → commands. Pure; knows lengths, not meanings.

Source: Epson "ESC/POS Command Reference" (formats and ranges of each command). An unknown command is taken as
its two bytes and reported: a device that does not know a command cannot know its length either.
"""

from collections.abc import Callable
from dataclasses import dataclass

ARGUMENT_LIMIT = 1 << 20  # bytes of one command that are kept; longer ones are swallowed and reported

ESC, FS, GS, DLE = 0x1B, 0x1C, 0x1D, 0x10

Measure = Callable[[bytearray], int | None]


@dataclass(frozen=True)
class Command:
    """`name`: "text", a control's name, or the prefix as in the reference ("GS ( k"); `raw`: every byte."""

    name: str
    args: bytes
    raw: bytes


# Number of parameter bytes after the two bytes of the command.
_FIXED: dict[int, dict[int, int]] = {
    ESC: {
        0x0C: 0, 0x20: 1, 0x21: 1, 0x24: 2, 0x25: 1, 0x2D: 1, 0x32: 0, 0x33: 1, 0x3C: 0, 0x3D: 1, 0x3F: 1,
        0x40: 0, 0x45: 1, 0x47: 1, 0x4A: 1, 0x4B: 1, 0x4C: 0, 0x4D: 1, 0x52: 1, 0x53: 0, 0x54: 1, 0x55: 1,
        0x56: 1, 0x57: 8, 0x5C: 2, 0x61: 1, 0x63: 2, 0x64: 1, 0x65: 1, 0x69: 0, 0x6D: 0, 0x70: 3, 0x72: 1,
        0x74: 1, 0x75: 1, 0x76: 0, 0x7B: 1,
    },
    GS: {
        0x21: 1, 0x24: 2, 0x2F: 1, 0x3A: 0, 0x42: 1, 0x45: 1, 0x48: 1, 0x49: 1, 0x4C: 2, 0x50: 2, 0x54: 1,
        0x57: 2, 0x5C: 2, 0x5E: 3, 0x61: 1, 0x62: 1, 0x63: 0, 0x66: 1, 0x68: 1, 0x72: 1, 0x77: 1,
    },
    FS: {0x21: 1, 0x26: 0, 0x2D: 1, 0x2E: 0, 0x32: 74, 0x43: 1, 0x53: 2, 0x57: 1, 0x70: 2},
    DLE: {0x04: 1, 0x05: 1},
}  # fmt: skip


def _need(held: bytearray, count: int) -> bool:
    return len(held) < count


def _bit_image(held: bytearray) -> int | None:
    """ESC * m nL nH d…: 1 byte a column for 8 dots, 3 for 24."""
    if _need(held, 5):
        return None
    columns = held[3] | held[4] << 8
    return 5 + columns * (3 if held[2] in (32, 33) else 1)


def _tabs(held: bytearray) -> int | None:
    """ESC D n1…nk NUL, k at most 32, rising."""
    for at in range(2, min(len(held), 35)):
        if held[at] == 0 or (at > 2 and held[at] <= held[at - 1]):
            return at + 1 if held[at] == 0 else at
    return 34 if len(held) > 34 else None


def _user_characters(held: bytearray) -> int | None:
    """ESC & y c1 c2 [x d1…d(y·x)]…"""
    if _need(held, 5):
        return None
    at = 5
    for _ in range(max(held[4] - held[3] + 1, 0)):
        if _need(held, at + 1):
            return None
        at += 1 + held[at] * held[2]
    return at


def _sized(held: bytearray) -> int | None:
    """GS ( X pL pH …"""
    return None if _need(held, 5) else 5 + (held[3] | held[4] << 8)


def _long_sized(held: bytearray) -> int | None:
    """GS 8 L p1 p2 p3 p4 …"""
    return None if _need(held, 7) else 7 + int.from_bytes(held[3:7], "little")


def _barcode(held: bytearray) -> int | None:
    """GS k m d… NUL for m up to 6, GS k m n d… from 65."""
    if _need(held, 4):
        return None
    if held[2] > 6:
        return 4 + held[3]
    end = held.find(0, 3)
    if end < 0:
        return 260 if len(held) > 259 else None
    return end + 1


def _raster(held: bytearray) -> int | None:
    """GS v 0 m xL xH yL yH d…"""
    if _need(held, 8):
        return None
    return 8 + (held[4] | held[5] << 8) * (held[6] | held[7] << 8)


def _cut(held: bytearray) -> int | None:
    """GS V m, with n after the functions that feed."""
    if _need(held, 3):
        return None
    return 4 if held[2] in (65, 66, 97, 98, 103, 104) else 3


def _downloaded(held: bytearray) -> int | None:
    """GS * x y d…"""
    return None if _need(held, 4) else 4 + held[2] * held[3] * 8


def _counters(held: bytearray) -> int | None:
    """GS C 0 n m, GS C 1 …, GS C 2 nL nH, GS C ; …: serial numbers, long obsolete."""
    if _need(held, 3):
        return None
    return {0x30: 5, 0x31: 9, 0x32: 5}.get(held[2], 3)


def _pulse(held: bytearray) -> int | None:
    """DLE DC4 fn …: 1 pulse, 2 power off, 8 clear."""
    if _need(held, 3):
        return None
    return {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}.get(held[2], 3)


_MEASURED: dict[tuple[int, int], tuple[str, Measure]] = {
    (ESC, 0x2A): ("ESC *", _bit_image),
    (ESC, 0x44): ("ESC D", _tabs),
    (ESC, 0x26): ("ESC &", _user_characters),
    (GS, 0x28): ("GS (", _sized),
    (GS, 0x38): ("GS 8", _long_sized),
    (FS, 0x28): ("FS (", _sized),
    (ESC, 0x28): ("ESC (", _sized),
    (GS, 0x6B): ("GS k", _barcode),
    (GS, 0x76): ("GS v", _raster),
    (GS, 0x56): ("GS V", _cut),
    (GS, 0x2A): ("GS *", _downloaded),
    (GS, 0x43): ("GS C", _counters),
    (DLE, 0x14): ("DLE DC4", _pulse),
}
_PREFIXES = {ESC: "ESC", GS: "GS", FS: "FS", DLE: "DLE"}
_CONTROLS = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}
_NAMED = {(ESC, 0x0C): "ESC FF", (ESC, 0x20): "ESC SP", (DLE, 0x04): "DLE EOT", (DLE, 0x05): "DLE ENQ"}


class Parser:
    """Feed bytes, take commands. Holds at most one incomplete command (`ARGUMENT_LIMIT`)."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._swallow = 0

    @property
    def incomplete(self) -> bool:
        """A command has begun and not ended: what comes next belongs to it."""
        return bool(self._held) or self._swallow > 0

    def clear(self) -> None:
        self._held.clear()
        self._swallow = 0

    def feed(self, data: bytes) -> list[Command]:
        self._held += data
        out: list[Command] = []
        while (command := self._next()) is not None:
            out.append(command)
        return out

    def _next(self) -> Command | None:
        if self._swallow:
            taken = min(self._swallow, len(self._held))
            del self._held[:taken]
            self._swallow -= taken
        if not self._held:
            return None
        first = self._held[0]
        if first not in _PREFIXES:
            return self._plain(first)
        if len(self._held) < 2:
            return None
        name, length = self._measure(first, self._held[1])
        if length is None:
            return None
        if length > ARGUMENT_LIMIT:
            self._swallow = length
            return Command("oversized", b"", bytes(self._held[:8]))
        return None if len(self._held) < length else self._take(name, length, 2)

    def _measure(self, first: int, second: int) -> tuple[str, int | None]:
        measured = _MEASURED.get((first, second))
        if measured is not None:
            return measured[0], measured[1](self._held)
        parameters = _FIXED[first].get(second)
        if parameters is None:
            return "unknown", 2
        return _NAMED.get((first, second), f"{_PREFIXES[first]} {chr(second)}"), 2 + parameters

    def _plain(self, first: int) -> Command:
        if first < 0x20:
            return self._take(_CONTROLS.get(first, "ignored"), 1, 1)
        end = next((at for at, byte in enumerate(self._held) if byte < 0x20), len(self._held))
        return self._take("text", end, 0)

    def _take(self, name: str, length: int, skip: int) -> Command:
        raw = bytes(self._held[:length])
        del self._held[:length]
        if name in ("GS (", "GS 8", "FS (", "ESC (") and length > 2:
            return Command(f"{name} {chr(raw[2])}", raw[7 if name == "GS 8" else 5 :], raw)
        return Command(name, raw[skip:], raw)
