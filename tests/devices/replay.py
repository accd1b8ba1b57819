"""A device that follows a byte script in lockstep, and a reporter that keeps what a driver tells.

The device knows nothing of any protocol: it sends what the script says, and wants exactly the bytes the script says.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hal.api.records import Condition
from hal.drivers.contract import Part

RECORDINGS = Path(__file__).parents[1] / "recordings"


@dataclass(frozen=True)
class Step:
    """`>` expects bytes, `<` sends bytes; else a word: connection, silence, paper."""

    kind: str
    data: bytes = b""


def load(name: str) -> list[Step]:
    return list(parse((RECORDINGS / name).read_text()))


def parse(text: str) -> Iterator[Step]:
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "include":
            yield from load(rest.strip())
        elif word in ("<", ">"):
            yield Step(word, _bytes(rest.split()))
        elif word == "nuls":
            yield Step(">", bytes(256))
        elif word and not word.startswith("#"):
            yield Step(word)


def _bytes(tokens: list[str]) -> bytes:
    if "LL" in tokens:
        at = tokens.index("LL")
        tokens = [*tokens[:at], f"{len(tokens) - at - 1:02X}", *tokens[at + 1 :]]
    return bytes.fromhex("".join(tokens))


class Device:
    """Serves one script; `heard` is every byte of the lane per connection, `error` what did not match.

    At the word `paper` it waits until the test sets the event of that name.
    """

    def __init__(self, steps: Sequence[Step], *, reset: bool = False, fragment: int = 0) -> None:
        self._steps = iter(steps)
        self._reset = reset
        self._fragment = fragment
        self.heard: list[bytes] = []
        self.error = ""
        self.over = asyncio.Event()
        self.paper = asyncio.Event()
        self.port = 0
        self.rest_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.heard.append(b"")
        try:
            await self._follow(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.error = self.error or f"the lane went away: {error!r}"
        finally:
            if self._reset:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in self._steps:
            if step.kind == "connection":
                return
            if step.kind == "paper":
                await self.paper.wait()
                continue
            if step.kind == "count":
                await self._count(reader)
                return
            if step.kind == "silence":
                self.over.set()
                self.heard[-1] += await reader.read(-1)
                return
            if step.kind == "<":
                await self._send(writer, step.data)
                continue
            data = await reader.readexactly(len(step.data))
            self.heard[-1] += data
            if data != step.data:
                self.error = f"expected {step.data.hex(' ')}, heard {data.hex(' ')}"
                self.over.set()
                return
        self.over.set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    async def _count(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                self.rest_bytes += len(data)
        except ConnectionError:
            pass
        self.over.set()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        size = self._fragment or len(data)
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
            if self._fragment:
                await asyncio.sleep(0)


@asynccontextmanager
async def device(steps: Sequence[Step] | str, *, reset: bool = False, fragment: int = 0) -> AsyncIterator[Device]:
    """A listening device for a script, or for the text of one."""
    script = list(parse(steps)) if isinstance(steps, str) else steps
    peer = Device(script, reset=reset, fragment=fragment)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()
        await peer.stop()


class Reports:
    """A `Reporter` that keeps everything and lets a test wait for it. `on` is called with each part and its seq."""

    def __init__(self) -> None:
        self.conditions: list[tuple[Condition, str]] = []
        self.warnings: list[str] = []
        self.advice = ""
        self.info: dict[str, str] = {}
        self.parts: list[Part] = []
        self.on: Callable[[Part, int], None] = lambda part, seq: None
        self._news = asyncio.Event()

    def condition(
        self,
        condition: Condition,
        *,
        reason: str = "",
        advice: str = "",
        warnings: Sequence[str] = (),
        info: Mapping[str, str] | None = None,
    ) -> None:
        self.conditions.append((condition, reason))
        self.warnings, self.advice = list(warnings), advice
        self.info = self.info if info is None else dict(info)
        self._news.set()

    def emit(self, part: Part) -> int:
        self.parts.append(part)
        self._news.set()
        self.on(part, len(self.parts))
        return len(self.parts)

    async def until(self, holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._news.clear()
                await self._news.wait()

    @property
    def last(self) -> tuple[Condition, str]:
        return self.conditions[-1] if self.conditions else (Condition.absent, "")

    async def ready(self) -> None:
        await self.until(lambda: self.last[0] is Condition.ready)

    async def fault(self, reason: str) -> None:
        await self.until(lambda: self.last == (Condition.fault, reason))

    def only(self, kind: type) -> list[Part]:
        return [part for part in self.parts if isinstance(part, kind)]


@asynccontextmanager
async def serving(serve: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """The driver's task, ended at the end; whatever it raised is in the task."""

    async def run() -> None:
        await serve()

    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
