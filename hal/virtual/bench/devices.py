"""The devices of the bench on one asyncio loop in a thread of its own, callable from any other thread."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from hal.virtual.printer import VirtualPrinter
from hal.virtual.scanner import VirtualScanner
from hal.virtual.terminal import VirtualTerminal

CALL_LIMIT_S = 10.0
DeviceName = Literal["scanner", "terminal", "printer"]

T = TypeVar("T")


class Changes:
    """Counts changes and wakes whoever waits for the next."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._version = 0

    def note(self) -> None:
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """The present version, at once if it is not `seen`, else after the next change or the time-out."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout_s)
            return self._version


class Devices:
    def __init__(
        self,
        directory: Path,
        *,
        terminal_port: int = 0,
        printer_port: int = 0,
        ledger: Path | None = None,
        print_speed_mm_s: float = 0.0,
    ) -> None:
        self.changes = Changes()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devices", daemon=True)
        note = self.changes.note
        self.scanner = VirtualScanner(directory / "scanner", on_change=note)
        self.terminal = VirtualTerminal(port=terminal_port, ledger=ledger, on_change=note)
        self.printer = VirtualPrinter(port=printer_port, speed_mm_s=print_speed_mm_s, on_change=note)

    def start(self) -> None:
        """Plug everything in. Raises `OSError` when a port is taken."""
        self._thread.start()
        self.scanner.plug()
        try:
            self.run(self.terminal.start)
            self.run(self.printer.start)
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Unplug everything and end the loop; at most some seconds."""
        self.scanner.unplug()
        self.run(self.terminal.stop)
        self.run(self.printer.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_LIMIT_S)
        if not self._thread.is_alive():
            self._loop.close()

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the devices' loop; blocks. Raises what it raises, `TimeoutError`."""

        async def whole() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(CALL_LIMIT_S)

    def call(self, work: Callable[[], T]) -> T:
        """Call a plain function on the devices' loop; blocks. Raises what it raises, `TimeoutError`."""

        async def whole() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(CALL_LIMIT_S)

    def plug(self, name: DeviceName) -> None:
        """Raises `OSError` when the port was taken meanwhile."""
        match name:
            case "scanner":
                self.scanner.plug()
            case "terminal":
                self.run(self.terminal.plug)
            case "printer":
                self.run(self.printer.plug)

    def unplug(self, name: DeviceName) -> None:
        match name:
            case "scanner":
                self.scanner.unplug()
            case "terminal":
                self.run(self.terminal.unplug)
            case "printer":
                self.run(self.printer.unplug)

    def state(self) -> dict[str, Any]:
        return self.call(
            lambda: {
                "scanner": self.scanner.state(),
                "terminal": self.terminal.state(),
                "printer": self.printer.state(),
            }
        )
