"""The printer: socket, buffer, sensors, paper path. Lives on one asyncio loop.

Behaviour after Epson's reference: bytes are buffered (4 KiB, then TCP holds them back); commands are executed
in order while the printer is online, real-time commands at once; without paper or with the cover open
everything waits, and goes on by itself afterwards; ASB is off until GS a, and off again after ESC @.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from hal.virtual.printer import status
from hal.virtual.printer.commands import DLE, Command, Parser
from hal.virtual.printer.head import Head
from hal.virtual.printer.link import Link
from hal.virtual.printer.paper import HEIGHT_LIMIT_DOTS, WIDTH_DOTS, Receipt, Strip
from hal.virtual.printer.realtime import Recogniser, Request
from hal.virtual.printer.status import Condition, PrinterError

BUFFER_BYTES = 4096
DOTS_PER_MM = 8
RECEIPTS_KEPT = 200
UNKNOWN_KEPT = 50
BITE_BYTES = 256


class VirtualPrinter:
    """An 80 mm ESC/POS printer on loopback TCP. `port` 0 takes a free one; after `start`, `port` is real.

    `speed_mm_s` 0 prints at once. Call everything on the loop of `start`; receipts may be read anywhere.
    One connection is served at a time; a few more wait their turn, as on the real interface.
    """

    def __init__(self, *, port: int = 0, speed_mm_s: float = 0.0, on_change: Callable[[], None] = lambda: None) -> None:
        self.speed_mm_s = speed_mm_s
        self.receipts: list[Receipt] = []
        self.condition = Condition()
        self.unknown: Counter[str] = Counter()
        self.paper_left_mm: float | None = None
        self._on_change = on_change
        self._link = Link(port, self._space, self._arrive, on_change)
        self._head = Head()
        self._parser = Parser()
        self._real_time = Recogniser()
        self._buffer = bytearray()
        self._pending: deque[Command] = deque()
        self._process_ids: list[bytes] = []
        self._asb_mask = 0
        self._jam_next_cut = False
        self._count = 0
        self._powered = False
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return self._link.port

    # Power and cable

    async def start(self) -> None:
        """Power on and listen. Raises `OSError` when the port is taken."""
        if self._powered:
            return
        await self._link.open()
        self._powered = True
        self._worker = asyncio.ensure_future(self._work())
        self._on_change()

    plug = start

    async def stop(self) -> None:
        """Power off: connections end, buffer and settings are lost; what is printed stays on the paper."""
        self._powered = False
        await self._link.close()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        self._clear_buffers()
        self._head.reset()
        self._asb_mask = 0
        if self.condition.error != "none":
            self.condition = replace(self.condition, error="none")
        self._on_change()

    unplug = stop

    async def set_cable(self, *, connected: bool) -> None:
        """Cut or mend the network cable; what has already arrived is printed."""
        await self._link.set_cable(connected=connected)
        self._on_change()

    # Bytes in

    def _space(self) -> int:
        return BUFFER_BYTES - len(self._buffer)

    def _arrive(self, data: bytes) -> None:
        if not self._real_time.begun and DLE not in data:
            self._buffer += data
            self._wake.set()
            return
        for byte in data:
            self._buffer.append(byte)
            request = self._real_time.take(byte)
            if request is not None:
                self._at_once(request)
        self._wake.set()

    def _at_once(self, request: Request) -> None:
        if request.kind == "status":
            self._link.send(status.real_time(self.condition, request.n))
        elif request.kind == "pulse":
            self._kick()
        elif request.kind == "clear":
            self._clear_buffers()
            self._recover()
            self._link.send(status.CLEARED)
        elif request.n and self.condition.error == "cutter":
            if request.n == 2:
                self._clear_buffers()
            self._recover()

    def _recover(self) -> None:
        if self.condition.error == "cutter":
            self._change(error="none")

    def _clear_buffers(self) -> None:
        self._buffer.clear()
        self._pending.clear()
        self._parser.clear()
        self._process_ids.clear()
        self._head.clear_line()
        self._link.has_room.set()

    # Executing

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self.condition.offline and (command := self._next()) is not None:
                fed = self._execute(command)
                await self._move_paper(fed)
                self._answer_process_ids()

    def _next(self) -> Command | None:
        while not self._pending and self._buffer:
            bite = bytes(self._buffer[:BITE_BYTES])
            del self._buffer[:BITE_BYTES]
            self._link.has_room.set()
            self._pending.extend(self._parser.feed(bite))
        return self._pending.popleft() if self._pending else None

    async def _move_paper(self, dots: int) -> None:
        mm = dots / DOTS_PER_MM
        if mm and self.speed_mm_s:
            await asyncio.sleep(mm / self.speed_mm_s)
        else:
            await asyncio.sleep(0)
        if self.paper_left_mm is not None:
            self.paper_left_mm = max(self.paper_left_mm - mm, 0.0)
            if not self.paper_left_mm and not self.condition.paper_out:
                self._change(paper_out=True)

    def _execute(self, command: Command) -> int:
        strip = self._head.strip
        strip.note(command.raw)
        if command.name == "GS V":
            return self._cut(command)
        if command.name in ("ESC i", "ESC m"):
            return self._cut_now("partial", command)
        if self._command_to_device(command):
            return 0
        if not self._head.knows(command):
            self._count_unknown(command)
            return 0
        fed = self._head.execute(command)
        if command.name == "ESC @":
            self._asb_mask = 0
        if strip.height > HEIGHT_LIMIT_DOTS:
            self._finish("none")
        return fed

    def _command_to_device(self, command: Command) -> bool:
        name, args = command.name, command.args
        if name == "GS a":
            self._asb_mask = args[0] & 0x4F
            if self._asb_mask:
                self._link.send(status.automatic(self.condition))
        elif name == "GS r":
            self._transmit_status(args[0])
        elif name == "GS I":
            self._link.send(status.identity(args[0]))
        elif name == "GS ( H":
            if len(args) == 6 and args[:2] == b"00" and all(0x20 <= b <= 0x7E for b in args[2:]):
                self._process_ids.append(args[2:])
        elif name == "ESC p":
            self._kick()
        else:
            return False
        return True

    def _transmit_status(self, n: int) -> None:
        if n in (1, 49):
            self._link.send(status.paper_sensor(self.condition))
        elif n in (2, 50):
            self._link.send(bytes((self.condition.drawer_high * 0x01,)))

    def _answer_process_ids(self) -> None:
        """Only when everything before it is on paper: a line without its LF is not."""
        if self._process_ids and not self._head.has_unprinted_line:
            for identifier in self._process_ids:
                self._link.send(status.process_id(identifier))
            self._process_ids.clear()

    def _cut(self, command: Command) -> int:
        mode = command.args[0]
        fed = 0
        if self._head.has_unprinted_line:
            return 0  # the cutter works at the beginning of a line only
        if mode in (65, 66, 97, 98, 103, 104):
            before = self._head.strip.height
            self._head.feed(command.args[1])
            fed = self._head.strip.height - before
        return fed + self._cut_now("full" if mode in (0, 48, 65, 97, 103) else "partial", command)

    def _cut_now(self, how: str, command: Command) -> int:
        if self._jam_next_cut:
            self._jam_next_cut = False
            self._pending.appendleft(Command(command.name, b"\x01", b""))
            self._change(error="cutter")
            return 0
        self._finish(how)
        return 0

    def _finish(self, how: str) -> None:
        strip = self._head.strip
        self._count += 1
        receipt = Receipt(self._count, tuple(strip.marks), strip.height, bytes(strip.raw), how)
        self.receipts = [*self.receipts[-RECEIPTS_KEPT + 1 :], receipt]
        self._head.strip = Strip()
        self._on_change()

    def _count_unknown(self, command: Command) -> None:
        key = command.raw[:4].hex(" ").upper() if command.name == "unknown" else command.name
        if key in self.unknown or len(self.unknown) < UNKNOWN_KEPT:
            self.unknown[key] += 1

    # Sensors, as the bench and the tests move them

    def _change(self, **changes: bool | PrinterError) -> None:
        before = status.automatic(self.condition)
        self.condition = replace(self.condition, **changes)  # type: ignore[arg-type]
        after = status.automatic(self.condition)
        if status.watched(before, self._asb_mask) != status.watched(after, self._asb_mask):
            self._link.send(after)
        if not self.condition.offline:
            self._wake.set()
        self._on_change()

    def set_paper(self, *, present: bool, left_mm: float | None = None) -> None:
        """Take the roll out, or put one in with `left_mm` on it (None: endless)."""
        self.paper_left_mm = left_mm if present else None
        self._change(paper_out=not present)

    def set_cover(self, *, is_open: bool) -> None:
        self._change(cover_open=is_open)

    def set_near_end(self, *, near: bool) -> None:
        self._change(near_end=near)

    def set_drawer(self, *, is_open: bool) -> None:
        self._change(drawer_high=is_open)

    def set_error(self, error: PrinterError) -> None:
        self._change(error=error)

    def jam_next_cut(self) -> None:
        """The next cut jams, recoverably; DLE ENQ 1 repeats the cut, DLE ENQ 2 forgets the buffers."""
        self._jam_next_cut = True

    def _kick(self) -> None:
        self._change(drawer_high=True)

    def state(self) -> dict[str, object]:
        now = self.condition
        return {
            "plugged": self._powered,
            "port": self.port,
            "cable": "ok" if self._link.cable else "cut",
            "connected": self._link.connected,
            "online": self._powered and not now.offline,
            "paper": "out" if now.paper_out else "ok",
            "paper_left_mm": self.paper_left_mm,
            "near_end": now.near_end,
            "cover": "open" if now.cover_open else "closed",
            "drawer": "open" if now.drawer_high else "closed",
            "error": now.error,
            "speed_mm_s": self.speed_mm_s,
            "buffered_bytes": len(self._buffer),
            "unprinted_dots": self._head.strip.height,
            "width_dots": WIDTH_DOTS,
            "unknown": dict(self.unknown),
            "receipts": self._count,
        }
