"""A cash register that knows nothing but bytes, and waiting with a deadline."""

import asyncio
import contextlib
from collections.abc import Callable

DEADLINE_S = 5.0
SILENCE_S = 0.05
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def hexed(data: bytes) -> str:
    return data.hex(" ").upper()


class RawClient:
    """A TCP client that writes and expects bytes written down in hex."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "RawClient":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def say(self, text: str) -> None:
        self.writer.write(bytes.fromhex(text))
        await self.writer.drain()

    async def expect(self, text: str, what: str = "") -> None:
        wanted = bytes.fromhex(text)
        try:
            async with asyncio.timeout(DEADLINE_S):
                got = await self.reader.readexactly(len(wanted))
        except asyncio.IncompleteReadError as error:
            got = error.partial
        assert got == wanted, f"{what}\n got {hexed(got)}\n not {hexed(wanted)}"

    async def apdu(self) -> bytes:
        """One whole APDU, whatever it is."""
        async with asyncio.timeout(DEADLINE_S):
            head = await self.reader.readexactly(3)
            length = head[2]
            if length == 0xFF:
                extended = await self.reader.readexactly(2)
                head, length = head + extended, int.from_bytes(extended, "little")
            return head + await self.reader.readexactly(length)

    async def gone(self) -> bytes:
        """What still comes until the peer closes or resets the connection."""
        out = bytearray()
        try:
            async with asyncio.timeout(DEADLINE_S):
                while data := await self.reader.read(4096):
                    out += data
        except ConnectionError:
            pass
        return bytes(out)

    async def expect_silence(self, what: str = "") -> None:
        """Nothing more comes for a moment; what had to come has been expected before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                got = await self.reader.read(100)
                raise AssertionError(f"{what}\n got {hexed(got)}")

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Poll the virtual device's own state; for things the wire does not show."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None
