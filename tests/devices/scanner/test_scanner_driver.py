"""The serial scanner on a pty: reads, double reads, silence, and the cable out."""

import asyncio
import os
import pty
import termios
import time
import tty
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from hal.api.records import Condition, Read
from hal.drivers.contract import Busy, Part
from hal.drivers.scanner.serial.driver import SerialScanner
from hal.transports import DeviceGone
from hal.transports.tty import TtyLink


class Line:
    """The scanner's end of a pty."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def pull(self) -> None:
        if self.master >= 0:
            os.close(self.slave)
            os.close(self.master)
            self.master = -1


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.pull()


class Told:
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.reads: list[tuple[str, str]] = []
        self.changed = asyncio.Event()

    def condition(self, condition: Condition, **_: Any) -> None:
        self.conditions.append(condition)
        self.changed.set()

    def emit(self, part: Part) -> int:
        assert isinstance(part, Read)
        self.reads.append((part.text, part.aim))
        self.changed.set()
        return len(self.reads)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


def serving(line: Line, scene: Callable[[SerialScanner, Told], Awaitable[None]], **options: Any) -> DeviceGone | None:
    """Plays the scene with an enabled scanner; returns how serve() ended, None when it had to be cancelled."""

    async def play() -> DeviceGone | None:
        told = Told()
        scanner = SerialScanner(told, path=line.path, **options)
        scanner.enable(enabled=True)
        task = asyncio.create_task(scanner.serve())
        await told.until(lambda: Condition.ready in told.conditions)
        assert told.conditions == [Condition.opening, Condition.ready]
        await scene(scanner, told)
        if line.master >= 0:
            task.cancel()
        try:
            async with asyncio.timeout(5):
                await task
        except DeviceGone as gone:
            return gone
        except asyncio.CancelledError:
            return None
        raise AssertionError("serve() returned")

    return asyncio.run(play())


def test_reads_arrive_with_their_identifier(line: Line) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        line.type(b"]E05701234567899\r\n1\r")
        await told.until(lambda: told.reads == [("5701234567899", "]E0"), ("1", "")])

    assert serving(line, scene) is None


def test_reads_while_disabled_are_dropped(line: Line) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        scanner.enable(enabled=False)
        line.type(b"1\r")
        await asyncio.sleep(0.05)  # nothing can be awaited where nothing may come
        scanner.enable(enabled=True)
        line.type(b"1\r")
        await told.until(lambda: bool(told.reads))
        assert told.reads == [("1", "")], "and a dropped one is no first of a double read"

    serving(line, scene)


def test_a_double_read_is_one_and_a_second_scan_counts(line: Line) -> None:
    now_ms = 1000

    async def scene(scanner: SerialScanner, told: Told) -> None:
        nonlocal now_ms
        for step_ms, code in [(0, "A"), (399, "A"), (399, "A"), (400, "A"), (0, "B"), (0, "A"), (10, "A"), (0, "end")]:
            now_ms += step_ms
            line.type(f"{code}\r".encode())
            async with asyncio.timeout(5):  # until the driver has asked for the time
                while asked[-1] != (len(asked), now_ms):
                    await asyncio.sleep(0)
                asked.append((len(asked) + 1, -1))
        assert [text for text, _ in told.reads] == ["A", "A", "B", "A", "end"]

    asked: list[tuple[int, int]] = [(1, -1)]

    def mono_ns() -> int:
        asked[-1] = (len(asked), now_ms)
        return now_ms * 1_000_000

    serving(line, scene, mono_ns=mono_ns)


def test_a_monster_still_arrives_as_one_bounded_read(line: Line) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        for _ in range(20):
            line.type(b"\x01" * 512)
            await asyncio.sleep(0)
        line.type(b"\r1\r")
        await told.until(lambda: len(told.reads) == 2)
        assert told.reads == [("\ufffd" * 4096, ""), ("1", "")]

    serving(line, scene)


def test_half_a_code_then_silence_is_forgotten(line: Line) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        line.type(b"570")
        await asyncio.sleep(0.15)  # silence is what is tested
        line.type(b"1\r")
        await told.until(lambda: told.reads == [("1", "")])

    serving(line, scene, char_gap_s=0.05)


@pytest.mark.parametrize("before", [b"", b"570", b"5701\r", b"x" * 2000])
def test_the_cable_out_ends_serve_as_unplugged(line: Line, before: bytes) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        line.type(before)
        if before.endswith(b"\r"):
            await told.until(lambda: bool(told.reads))
        line.pull()

    gone = serving(line, scene)
    assert gone is not None
    assert gone.reason == "unplugged"


def test_identify_beeps_where_the_model_can(line: Line) -> None:
    async def scene(scanner: SerialScanner, told: Told) -> None:
        await scanner.identify()
        assert os.read(line.master, 16) == b"\x07"

    serving(line, scene, beep="07")

    async def mute(scanner: SerialScanner, told: Told) -> None:
        with pytest.raises(Busy, match="unsupported"):
            await scanner.identify()

    serving(line, mute)

    async def absent() -> None:
        with pytest.raises(Busy, match="unplugged"):
            await SerialScanner(Told(), path="/dev/none").identify()

    asyncio.run(absent())


def test_what_cannot_be_opened_says_why(line: Line, tmp_path: Any) -> None:
    async def scene() -> None:
        with pytest.raises(DeviceGone) as gone:
            TtyLink(str(tmp_path / "none"))
        assert gone.value.reason == "unplugged"
        with pytest.raises(DeviceGone) as gone:
            TtyLink("/dev/null")
        assert gone.value.reason == "unreachable"
        first = TtyLink(line.path)
        with pytest.raises(DeviceGone, match="lock") as gone:
            TtyLink(line.path)
        assert gone.value.reason == "unreachable"
        first.close()
        first.close()
        TtyLink(line.path).close()
        with pytest.raises(DeviceGone):
            await first.read()
        with pytest.raises(DeviceGone):
            await first.write(b"x", 1.0)

    asyncio.run(scene())


def test_writes_have_a_deadline_and_closing_does_not_wait(line: Line) -> None:
    async def scene() -> None:
        link = TtyLink(line.path)
        began_s = time.monotonic()
        with pytest.raises(DeviceGone) as gone:
            await link.write(bytes(1 << 20), 0.1)  # nobody reads the other end
        assert gone.value.reason == "no_answer"
        link.close()
        assert time.monotonic() - began_s < 1.0

    asyncio.run(scene())


def test_large_writes_arrive_whole(line: Line) -> None:
    async def scene() -> None:
        link, received = TtyLink(line.path), bytearray()
        reader = asyncio.get_running_loop()
        reader.add_reader(line.master, lambda: received.extend(os.read(line.master, 4096)))
        sent = bytes(range(256)) * 400
        await link.write(sent, 5.0)
        async with asyncio.timeout(5):
            while len(received) < len(sent):
                await asyncio.sleep(0.001)
        reader.remove_reader(line.master)
        link.close()
        assert received == sent

    asyncio.run(scene())


def test_settings_reach_the_line(line: Line) -> None:
    async def scene() -> None:
        link = TtyLink(line.path, 19200, data_bits=7, parity="even", stop_bits=2)
        _, _, cflag, _, ispeed, ospeed, special = termios.tcgetattr(line.slave)
        assert ispeed == ospeed == termios.B19200
        assert special[termios.VMIN] in (1, b"\x01"), "else an empty read could not be told from a cable pulled"
        assert cflag & termios.CSTOPB
        link.close()

    asyncio.run(scene())
