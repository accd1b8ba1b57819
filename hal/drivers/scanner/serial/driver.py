"""A barcode scanner on a serial line or USB CDC-ACM."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from hal.api.records import Condition, Read
from hal.drivers.contract import Busy, Reporter
from hal.drivers.scanner.serial.codec import Message, Rubbish, ScannerCodec
from hal.transports import DeviceGone
from hal.transports.tty import TtyLink

BEEP_TIMEOUT_S = 1.0


class SerialScanner:
    """Reads codes for as long as the cable holds. It cannot be asked anything, so open means ready."""

    def __init__(
        self,
        reporter: Reporter,
        *,
        path: str,
        baud: int = 9600,
        data_bits: int = 8,
        parity: str = "none",
        stop_bits: int = 1,
        double_read_s: float = 0.4,
        char_gap_s: float = 0.1,
        beep: str = "",
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`double_read_s`: the same code seen again within this time of its last sight is the same read.
        `char_gap_s`: silence after which half a code is forgotten. `beep`: hexadecimal bytes, or empty."""
        self._reporter = reporter
        self._open = partial(TtyLink, path, baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits)
        self._info = {"path": path}
        self._double_read_ns = round(double_read_s * 1e9)
        self._char_gap_s = char_gap_s
        self._beep = bytes.fromhex(beep)
        self._mono_ns = mono_ns
        self._enabled = False
        self._link: TtyLink | None = None
        self._last: tuple[str, str] = ("", "")
        self._last_seen_ns = 0

    def enable(self, *, enabled: bool) -> None:
        self._enabled = enabled

    async def identify(self) -> None:
        if self._link is None:
            raise Busy("unplugged")
        if not self._beep:
            raise Busy("unsupported")
        try:
            await self._link.write(self._beep, BEEP_TIMEOUT_S)
        except DeviceGone as gone:
            raise Busy(gone.reason) from None

    async def serve(self) -> None:
        self._reporter.condition(Condition.opening)
        self._link = link = self._open()
        codec = ScannerCodec()
        try:
            self._reporter.condition(Condition.ready, info=self._info)
            while True:
                for message in await self._next(link, codec):
                    self._handle(message)
        finally:
            self._link = None
            link.close()

    async def _next(self, link: TtyLink, codec: ScannerCodec) -> list[Message]:
        try:
            async with asyncio.timeout(self._char_gap_s if codec.pending else None):
                data = await link.read()
        except TimeoutError:
            return codec.expire()
        return codec.feed(data)

    def _handle(self, message: Message) -> None:
        if not self._enabled:
            return
        match message:
            case Rubbish(reason="too_long"):
                # The customer did show something: it must end as "not a product", not as silence.
                self._emit(message.text, "")
            case Rubbish():
                pass
            case _:
                self._emit(message.text, message.aim)

    def _emit(self, text: str, aim: str) -> None:
        now_ns = self._mono_ns()
        again = (text, aim) == self._last and now_ns - self._last_seen_ns < self._double_read_ns
        self._last, self._last_seen_ns = (text, aim), now_ns
        if not again:
            self._reporter.emit(Read(text, aim, now_ns))
