"""The register's connection, and the places where a test may cut it."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal

from hal.virtual.terminal.wire import Apdu, Framer

# Commands that open a transaction: the messages of a fault are counted from these.
TRANSACTIONS = ((0x06, 0x01), (0x06, 0x30), (0x06, 0x50))
QUEUE_LIMIT = 64
WRITE_LIMIT_S = 5.0

Direction = Literal["in", "out"]
Manner = Literal["reset", "close", "silent"]


class LineLost(Exception):
    """The register is gone."""


class NoAnswer(LineLost):
    """The register did not acknowledge within T3; the connection may still stand."""


@dataclass(frozen=True)
class DropAt:
    """Cut the line at a message or byte of the next transaction, seen from the terminal.

    "in" message 1 is the register's command itself: received, not processed. "out" message 1 is our 80 00 to
    it: not sent. With `bytes`, exactly that many bytes get through in that direction. "silent" keeps the
    connection open and dead, as a pulled cable does.
    """

    direction: Direction
    message: int | None = None
    bytes: int | None = None
    manner: Manner = "reset"


@dataclass
class Faults:
    drop_at: DropAt | None = None
    active: bool = False
    messages: dict[str, int] = field(default_factory=lambda: {"in": 0, "out": 0})
    bytes: dict[str, int] = field(default_factory=lambda: {"in": 0, "out": 0})

    def begin(self, in_bytes: int = 0) -> None:
        self.active = True
        self.messages = {"in": 0, "out": 0}
        self.bytes = {"in": in_bytes, "out": 0}

    def end(self) -> None:
        self.active = False

    def passes_message(self, direction: Direction) -> bool:
        """Count one message of the transaction; False when the line is to be cut instead of using it."""
        if not self.active:
            return True
        self.messages[direction] += 1
        drop = self.drop_at
        return not (drop and drop.direction == direction and drop.message == self.messages[direction])

    def bytes_left(self, direction: Direction) -> int | None:
        """How many more bytes may pass, or None when no byte fault is armed in this direction."""
        drop = self.drop_at
        if drop is None or drop.direction != direction or drop.bytes is None:
            return None
        return max(drop.bytes - self.bytes[direction], 0)


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: Faults) -> None:
        self._reader, self._writer, self._faults = reader, writer, faults
        self._framer = Framer()
        self._inbox: asyncio.Queue[Apdu | None] = asyncio.Queue(QUEUE_LIMIT)
        self.lost = False

    async def pump(self) -> None:
        """Read until the line is lost; ends by itself, never raises."""
        try:
            while (data := await self._reader.read(4096)) and not self.lost:
                await self._take(data)
        except (OSError, LineLost):
            pass
        finally:
            self.lost = True
            self._close_inbox()

    def _close_inbox(self) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._inbox.put_nowait(None)

    async def _take(self, data: bytes) -> None:
        if self._faults.bytes_left("in") is None:
            await self._deliver(self._framer.feed(data))
            return
        for at in range(len(data)):
            if self._faults.active:
                self._faults.bytes["in"] += 1
            apdus = self._framer.feed(data[at : at + 1])
            if not self._faults.active and tuple(self._framer.pending) in TRANSACTIONS:
                self._faults.begin(in_bytes=2)
            await self._deliver(apdus)
            if self._faults.active and self._faults.bytes_left("in") == 0:
                self.drop()

    async def _deliver(self, apdus: list[Apdu]) -> None:
        for apdu in apdus:
            if apdu.command in TRANSACTIONS and not self._faults.active:
                self._faults.begin()
            if not self._faults.passes_message("in"):
                self.drop()
            await self._inbox.put(apdu)

    async def receive(self, timeout_s: float | None = None) -> Apdu:
        """The next APDU. Raises `LineLost`, `NoAnswer` after `timeout_s`."""
        if self.lost and self._inbox.empty():
            raise LineLost
        try:
            async with asyncio.timeout(timeout_s):
                apdu = await self._inbox.get()
        except TimeoutError:
            raise NoAnswer from None
        if apdu is None:
            raise LineLost
        return apdu

    async def send(self, wire: bytes) -> None:
        """Write one message. Raises `LineLost`, also when the register does not read for `WRITE_LIMIT_S`."""
        if self.lost:
            raise LineLost
        if not self._faults.passes_message("out"):
            self.drop()
        left = self._faults.bytes_left("out") if self._faults.active else None
        try:
            self._writer.write(wire if left is None else wire[:left])
            async with asyncio.timeout(WRITE_LIMIT_S):
                await self._writer.drain()
        except (OSError, TimeoutError):
            self.cut()
            raise LineLost from None
        self._faults.bytes["out"] += len(wire)
        if left is not None and left <= len(wire):
            self.drop()

    def drop(self) -> None:
        """Let the armed fault happen; always raises `LineLost`."""
        manner: Manner = self._faults.drop_at.manner if self._faults.drop_at else "reset"
        self._faults.drop_at = None
        self._faults.end()
        self.cut(manner)
        raise LineLost

    def cut(self, manner: Manner = "reset") -> None:
        self.lost = True
        self._close_inbox()
        if manner == "reset":
            self._reset()
        elif manner == "close":
            self._writer.close()

    def _reset(self) -> None:
        connection = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
