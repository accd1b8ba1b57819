"""The lane's socket from the other side: typed calls, two kinds of failure, no frame beyond the limit."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path
from typing import Any, Self

from asyncvarlink import VarlinkClientProtocol, VarlinkErrorReply, VarlinkTransport
from asyncvarlink.conversion import ConversionError
from asyncvarlink.types import FileDescriptorArray

from kiosk.api.interfaces import MAX_FRAME_BYTES, BadRequest, Journal, JournalHead, Lane, LaneStatus, Refused, Segment

_CONNECT_TIMEOUT_S = 5.0
_CALL_TIMEOUT_S = 30.0


class LaneGone(Exception):
    """The lane does not answer (any more) or not in its language: connect again later."""


class LaneRefused(Exception):
    """The lane understood and will not do it; the text says why."""


class _Protocol(VarlinkClientProtocol):
    """Gathers a frame in one buffer and gives up beyond the limit: the library itself would copy all that it has for
    every 4 KiB that arrive, and would go on for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._frame = bytearray()

    def message_received(self, data: bytes, fds: FileDescriptorArray | None) -> None:
        self._frame += data
        if len(self._frame) > MAX_FRAME_BYTES:
            self._frame.clear()
            self.connection_lost(ConnectionAbortedError(f"a message is longer than {MAX_FRAME_BYTES} bytes"))
        elif data.endswith(b"\0"):
            whole = bytes(self._frame)
            self._frame.clear()
            super().message_received(whole, fds)


class _Transport(VarlinkTransport):
    RECV_BUFFER_SIZE = 64 * 1024


class LaneClient:
    """One connection. Calls wait for each other's answers, so that a watcher needs a connection of its own."""

    def __init__(self, protocol: VarlinkClientProtocol, transport: VarlinkTransport) -> None:
        self._transport = transport
        self._journal = protocol.make_proxy(Journal)
        self._lane = protocol.make_proxy(Lane)

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Blocks up to 5 s. Raises LaneGone."""
        loop = asyncio.get_running_loop()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await loop.sock_connect(connection, str(path))
        except (OSError, TimeoutError) as error:
            connection.close()
            raise LaneGone(f"{path}: {str(error) or 'does not answer'}") from None
        except BaseException:
            connection.close()
            raise
        protocol = _Protocol()
        transport = _Transport(loop, connection, connection, protocol)
        await asyncio.sleep(0)  # the transport introduces itself to the protocol in the next turn of the loop
        return cls(protocol, transport)

    async def close(self) -> None:
        self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._transport.closed_future

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def head(self) -> JournalHead:
        """Raises LaneGone, LaneRefused, as all calls here. Each blocks up to 30 s."""
        head: JournalHead = (await _answer(self._journal.Head()))["head"]
        return head

    async def watch(self) -> AsyncGenerator[JournalHead, None]:
        """The head now and after each append, until the lane goes: then LaneGone."""
        async with contextlib.aclosing(_replies(self._journal.Watch())) as replies:
            async for reply in replies:
                head: JournalHead = reply["head"]
                yield head

    async def watch_status(self) -> AsyncGenerator[LaneStatus, None]:
        """The status now and after each change, until the lane goes: then LaneGone."""
        async with contextlib.aclosing(_replies(self._lane.WatchStatus())) as replies:
            async for reply in replies:
                status: LaneStatus = reply["status"]
                yield status

    async def read(self, *, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Segment:
        call = self._journal.Read(ep=ep, after_seq=after_seq, max_records=max_records, max_bytes=max_bytes)
        segment: Segment = (await _answer(call))["segment"]
        return segment

    async def acknowledge(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        await _answer(self._journal.Acknowledge(ep=ep, hwm=hwm, hash=hash, cosig=cosig, changes=changes))

    async def forked(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        await _answer(self._journal.Forked(ep=ep, hwm=hwm, hash=hash, cosig=cosig, changes=changes))

    async def told(self, *, ep: int, halt: str, message: str) -> None:
        await _answer(self._journal.Told(ep=ep, halt=halt, message=message))

    async def certificate(self, *, ep: int) -> str:
        """The certificate's JSON text."""
        text: str = (await _answer(self._journal.Certificate(ep=ep)))["certificate"]
        return text

    async def status(self) -> LaneStatus:
        status: LaneStatus = (await _answer(self._lane.Status()))["status"]
        return status

    async def catalogue_ready(self, *, version: str) -> None:
        await _answer(self._lane.CatalogueReady(version=version))

    async def settings_ready(self, *, version: str) -> None:
        await _answer(self._lane.SettingsReady(version=version))


async def _replies(stream: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """The parameters of each reply of a stream."""
    try:
        while True:
            try:
                reply = await anext(stream)
            except StopAsyncIteration:
                raise LaneGone("the lane ended the watch") from None
            except Exception as error:
                raise _translated(error) from error
            yield reply
    finally:
        await stream.aclose()


async def _answer(call: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """The reply's parameters by name."""
    try:
        async with asyncio.timeout(_CALL_TIMEOUT_S):
            return await call
    except Exception as error:
        raise _translated(error) from error


def _translated(error: Exception) -> Exception:
    match error:
        case BadRequest() | Refused():
            return LaneRefused(str(error.parameters.get("message", error.name)))
        case VarlinkErrorReply():
            return LaneRefused(error.name)
        case ConversionError() | OSError() | TimeoutError() | TypeError() | ValueError():
            return LaneGone(f"{type(error).__name__}: {error}")
        case _:
            return error
