"""The printer's network interface: one connection served, a few waiting, and a cable that can be cut."""

import asyncio
import contextlib
from collections.abc import Callable

WAITING_LIMIT = 4
SEND_LIMIT_BYTES = 64 * 1024
READ_BYTES = 1024


class Link:
    """`space()` is how many bytes the printer can take now; `arrive(data)` gives them to it.

    While there is no space nothing is read and TCP holds the sender back; `has_room` tells when that changes.
    """

    def __init__(
        self,
        port: int,
        space: Callable[[], int],
        arrive: Callable[[bytes], None],
        on_change: Callable[[], None],
    ) -> None:
        self.port = port
        self.cable = True
        self.has_room = asyncio.Event()
        self._space, self._arrive, self._on_change = space, arrive, on_change
        self._turn = asyncio.Lock()
        self._powered = False
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def open(self) -> None:
        """Power on. Raises `OSError` when the port is taken."""
        self._powered = True
        await self._listen()

    async def close(self) -> None:
        """Power off: every connection is reset."""
        self._powered = False
        await self._hang_up()

    async def set_cable(self, *, connected: bool) -> None:
        """Cut: silence on open connections, no new ones. Mended: the old connections are gone."""
        if connected == self.cable:
            return
        self.cable = connected
        if connected and self._powered:
            await self._hang_up()
            await self._listen()
        elif self._server is not None:
            self._server.close()
            self._server = None

    def send(self, data: bytes) -> None:
        """To the connection being served; lost when there is none, or when it does not read."""
        writer = self._writer
        if writer is None or not self.cable or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() < SEND_LIMIT_BYTES:
            writer.write(data)

    async def _listen(self) -> None:
        if self.cable and self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=READ_BYTES)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        clients = dict(self._clients)
        for task, writer in clients.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) > WAITING_LIMIT:
            writer.close()
            return
        self._clients[task] = writer
        try:
            async with self._turn:
                self._writer = writer
                self._on_change()
                await self._serve(reader)
        except (OSError, asyncio.CancelledError):
            pass  # reset, or the printer was switched off: either way this connection is over
        finally:
            self._clients.pop(task, None)
            if self._writer is writer:
                self._writer = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._on_change()

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        while True:
            space = self._space()
            if space <= 0:
                self.has_room.clear()
                await self.has_room.wait()
                continue
            data = await reader.read(min(space, READ_BYTES))
            if not data:
                return
            if self.cable:
                self._arrive(data)
