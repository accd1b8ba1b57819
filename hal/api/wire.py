"""Frames of the Varlink wire on this socket: one JSON object, ended by a NUL byte (varlink.org, Wire protocol)."""

import asyncio
from typing import Any

import msgspec

from hal.api.interfaces import MAX_FRAME_BYTES


class WireError(Exception):
    """The far end does not speak Varlink; the connection is of no further use."""


def encode(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\0"


def decode(frame: bytes | bytearray) -> dict[str, Any]:
    """Raises WireError unless the frame (without its NUL) is one JSON object."""
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise WireError("not a JSON object")
    return message


class Framer:
    """Cuts a byte stream into frames in linear time: each byte is searched once, however it was fragmented."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Frames completed by these bytes, without their NUL. Raises WireError when one is longer than allowed."""
        if b"\0" not in data:
            self._keep(data)
            return []
        *whole, rest = data.split(b"\0")
        frames = [bytes(self._rest + whole[0]), *whole[1:]]
        self._rest = bytearray()
        self._keep(rest)
        if len(frames[0]) > self._limit:
            raise WireError(f"a message is longer than {self._limit} bytes")
        return frames

    def _keep(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > self._limit:
            raise WireError(f"a message is longer than {self._limit} bytes")


class Line(asyncio.Protocol):
    """A connected socket with flow control both ways: frames in a bounded queue, and `drained` to await.

    The server and the client build on it. `ended` is called once, when either side ended the connection.
    """

    QUEUE_FRAMES = 16
    """Above this many unhandled frames no more is read from the socket, so the sender has to wait."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._framer = Framer()
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._framer.feed(data)
        except WireError as error:
            self.hostile(str(error))
            self.abort()
            return
        for frame in frames:
            self._frames.put_nowait(frame)
        if self._frames.qsize() > self.QUEUE_FRAMES and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    async def next_frame(self) -> bytes:
        frame = await self._frames.get()
        if self._paused and self._frames.qsize() <= self.QUEUE_FRAMES and self.transport is not None:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return frame

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message. Raises WireError when it is longer than the far end accepts."""
        data = encode(message)
        if len(data) > MAX_FRAME_BYTES:
            raise WireError(f"a message of {len(data)} bytes is longer than {MAX_FRAME_BYTES} bytes")
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    async def drained(self) -> None:
        """Until the far end has taken enough of what was sent."""
        await self._room.wait()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def hostile(self, what: str) -> None:
        """The far end broke the protocol; the connection is being ended."""
