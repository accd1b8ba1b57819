"""The worst line there is, between lanes and their backend: a TCP proxy that knows just enough of HTTP to do harm.

What goes wrong with each request follows from the lane's own seed. Nothing that passes is altered but by cutting it:
altered bytes are what TLS is for.
"""

import asyncio
import contextlib
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.torture.network.server import Mortal

HTML = b"<!doctype html><title>Hotel</title><p>Welcome! Please log in to use the network."
_SHORT_S = 0.01
_SILENCE_S = 1.5
_KEPT = 32
_AWFUL = 0.45
"""How many of the requests meet with something."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cut(Exception):
    """The line is dead in both directions."""


class Line:
    """What the proxy knows of one lane."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.calm = False
        self.answers: deque[bytes] = deque(maxlen=_KEPT)
        self.late_request: bytes | None = None
        self.late_answer: bytes | None = None


class Proxy:
    """`lines`: by device id, put there by who enrolls it. `faults`: what was done, by name."""

    def __init__(self, server: Mortal) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self.lines: dict[str, Line] = {}
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await _message(reader):
                await self._one(request, writer)
        except (Cut, OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        line = self.lines[request.split(b"/", 4)[3].decode()]
        if line.calm or line.rng.random() >= _AWFUL:
            return await self._give(line, writer, await self._ask(request))
        [name] = line.rng.choices(list(FAULTS), [_RARE.get(name, 1.0) for name in FAULTS])
        self.faults[name] += 1
        await FAULTS[name](self, line, request, writer)

    async def _give(self, line: Line, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if answer.startswith(b"HTTP/1.1 200"):
            line.answers.append(answer)
        line.late_answer, answer = None, line.late_answer or answer
        writer.write(answer)
        await writer.drain()
        if line.late_request is not None:
            late, line.late_request = line.late_request, None
            await self._ask(late)

    async def _ask(self, request: bytes) -> bytes:
        async with self._to_server() as (reader, writer):
            writer.write(request)
            answer = await _message(reader)
            if not answer:
                raise Cut
            return answer

    @contextlib.asynccontextmanager
    async def _to_server(self) -> AsyncIterator[Streams]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _refuse(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        raise Cut

    async def _delay(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(line.rng.random() * _SHORT_S)
        answer = await self._ask(request)
        await asyncio.sleep(line.rng.random() * _SHORT_S)
        await self._give(line, writer, answer)

    async def _cut_request(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        async with self._to_server() as (_, upstream):
            upstream.write(request[: line.rng.randrange(len(request))])
            await upstream.drain()
        raise Cut

    async def _cut_answer(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        answer = await self._ask(request)
        writer.write(answer[: line.rng.randrange(len(answer))])
        await writer.drain()
        if line.rng.random() < 0.5:
            writer.close()  # an orderly end, as a proxy of theirs would make of it
            await writer.wait_closed()
        raise Cut

    async def _twice(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """At the same moment, on two connections."""
        answers = await asyncio.gather(self._ask(request), self._ask(request), return_exceptions=True)
        if isinstance(answers[1], BaseException):
            raise Cut
        await self._give(line, writer, answers[1])

    async def _hold_request(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """It arrives after the next one."""
        line.late_request = request
        raise Cut

    async def _hold_answer(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """It is what the next one is answered with."""
        line.late_answer = await self._ask(request)
        raise Cut

    async def _drip(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        async with self._to_server() as (reader, upstream):
            await _dripped(line, request, upstream)
            answer = await _message(reader)
        await _dripped(line, answer, writer)
        if not answer:
            raise Cut

    async def _portal(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """Before the backend, or in the place of its answer."""
        if line.rng.random() < 0.5:
            await self._ask(request)
        await _say(writer, 200, HTML)

    async def _error(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        status, more = line.rng.choice(
            [
                (500, b""),
                (502, b""),
                (503, b""),
                (503, b"Retry-After: 0\r\n"),
                (429, b""),
                (404, b""),
                (301, b"Location: /\r\n"),
            ]
        )
        if line.rng.random() < 0.5:
            await self._ask(request)
        await _say(writer, status, HTML, more)

    async def _replay(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """An answer of its own, from before."""
        await self._instead(line, request, writer, list(line.answers))

    async def _foreign(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """A true answer to another kiosk."""
        others = [other.answers[-1] for other in self.lines.values() if other is not line and other.answers]
        await self._instead(line, request, writer, others)

    async def _instead(self, line: Line, request: bytes, writer: asyncio.StreamWriter, answers: list[bytes]) -> None:
        if line.rng.random() < 0.5:
            await self._ask(request)
        if not answers:
            raise Cut
        writer.write(line.rng.choice(answers))
        await writer.drain()

    async def _garbage(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        size = line.rng.choice([0, 1, 100, 200_000])
        if line.rng.random() < 0.5:
            await _say(writer, 200, line.rng.randbytes(size))
        else:
            writer.write(line.rng.randbytes(size))
        raise Cut

    async def _silence(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        if line.rng.random() < 0.5:
            await self._ask(request)
        await asyncio.sleep(_SILENCE_S)
        raise Cut

    async def _kill(self, line: Line, request: bytes, writer: asyncio.StreamWriter) -> None:
        """The backend dies before, within or right after the request, and is back before the lane tries again."""
        async with self._to_server() as (_, upstream):
            upstream.write(request[: line.rng.choice([0, line.rng.randrange(len(request)), len(request)])])
            await upstream.drain()
            await asyncio.sleep(line.rng.choice([0.0, line.rng.random() * 0.02]))
            await self._server.kill()
        raise Cut


Fault = Callable[[Proxy, Line, bytes, asyncio.StreamWriter], Awaitable[None]]
FAULTS: dict[str, Fault] = {
    "refused": Proxy._refuse,
    "delayed": Proxy._delay,
    "cut_request": Proxy._cut_request,
    "cut_answer": Proxy._cut_answer,
    "twice": Proxy._twice,
    "late_request": Proxy._hold_request,
    "late_answer": Proxy._hold_answer,
    "dripped": Proxy._drip,
    "portal": Proxy._portal,
    "error": Proxy._error,
    "replayed": Proxy._replay,
    "foreign": Proxy._foreign,
    "garbage": Proxy._garbage,
    "silence": Proxy._silence,
    "killed": Proxy._kill,
}


_RARE = {"silence": 0.2, "killed": 0.15}
"""All lanes wait for these."""


async def _say(writer: asyncio.StreamWriter, status: int, body: bytes, more: bytes = b"") -> None:
    head = b"HTTP/1.1 %d Hello\r\n%sContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (status, more, len(body))
    writer.write(head + body)
    await writer.drain()


async def _dripped(line: Line, data: bytes, writer: asyncio.StreamWriter) -> None:
    size = max(1, len(data) // line.rng.randrange(2, 12))
    for at in range(0, len(data), size):
        writer.write(data[at : at + size])
        await writer.drain()
        await asyncio.sleep(0.0005)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message with a Content-Length; nothing at the end of the stream."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = 0
    for header in head.lower().split(b"\r\n")[1:]:
        name, _, value = header.partition(b":")
        if name == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)
