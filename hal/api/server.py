"""A Varlink socket, of the hardware daemon and of the lane.

Who may speak is decided at accept, by the kernel's word (SO_PEERCRED, unix(7)). `asyncvarlink` gives the interfaces,
their types and their description. The wire is our own, because its transport bounds neither a frame nor the replies
to a peer that does not read.
"""

import asyncio
import inspect
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from asyncvarlink import GenericVarlinkErrorReply, VarlinkErrorReply, VarlinkInterfaceRegistry, VarlinkMethodCall
from asyncvarlink.conversion import ConversionError
from asyncvarlink.message import VarlinkMethodReply
from asyncvarlink.serviceerrors import InvalidParameter

from hal.api.wire import Line, WireError, decode

MAX_CONNECTIONS = 32
BACKLOG = 64
SOCKET_MODE = 0o660
_log = logging.getLogger("kassa.varlink")


# Made here, so that a name that is none (an interface's name holds a dot) shows at once and not at the first fault.
_INTERNAL = GenericVarlinkErrorReply("kassa.api.Internal").tojson()


class SocketTaken(Exception):
    """The socket's path cannot be used; the text says why."""


def listen(path: str) -> socket.socket:
    """A listening socket at the path, mode 0660. A stale socket file is replaced, anything else is not.

    Raises SocketTaken. The new socket is bound beside the path and renamed over it, so that the path is never
    missing and never more widely open than it should be.
    """
    _refuse_taken(path)
    aside = f"{path}.{os.getpid()}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    umask = os.umask(0o777 & ~SOCKET_MODE)
    try:
        Path(aside).unlink(missing_ok=True)
        sock.bind(aside)
        sock.listen(BACKLOG)
        Path(aside).rename(path)
    except OSError as error:
        sock.close()
        raise SocketTaken(f"{path}: {error.strerror or error}") from None
    finally:
        os.umask(umask)
    return sock


def _refuse_taken(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketTaken(f"{path}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise SocketTaken(f"{path}: there is a file that is not a socket; remove it or set another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return  # nobody listens: left behind by a daemon that was killed
        except OSError as error:
            raise SocketTaken(f"{path}: {error.strerror or error}") from None
    raise SocketTaken(f"{path}: another daemon is serving this socket")


def peer_uid(sock: Any) -> int:
    """User id of the process that connected."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


class Connection(Line):
    """One client: its calls are answered in order, one at a time, as Varlink wants it.

    Bounds: a frame by MAX_FRAME_BYTES, unhandled calls by QUEUE_FRAMES and the socket's buffers, unread replies by
    one and the socket's buffers.
    """

    def __init__(self, server: "Server") -> None:
        super().__init__()
        self._server = server
        self._registry = VarlinkInterfaceRegistry()
        self._on_end: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        uid = peer_uid(transport.get_extra_info("socket"))
        refusal = self._server.refusal(uid)
        if refusal:
            _log.warning("connection of user %d refused: %s", uid, refusal)
            self.abort()
            return
        self._server.connections.add(self)
        self._registry, self._on_end = self._server.admit(self)
        self._task = asyncio.create_task(self._serve(), name="connection")

    def eof_received(self) -> bool:
        # A half-closed connection counts as ended: a client that was killed must lose its claims at once, and the
        # kernel shows both alike.
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def stalled(self) -> None:
        _log.warning("watcher does not read; connection ended")
        self.abort()

    def hostile(self, what: str) -> None:
        _log.warning("connection ended: %s", what)

    def _end(self) -> None:
        if self not in self._server.connections:
            return
        self._server.connections.discard(self)
        self._on_end()
        if self._task is not None:
            self._task.cancel()

    async def _serve(self) -> None:
        try:
            while True:
                frame = await self.next_frame()
                await self._answer(decode(frame))
                await self.drained()
                # None of this need ever wait; this lets the other connections and the devices in between
                # two calls of a client that pours them in.
                await asyncio.sleep(0)
        except WireError as error:
            self.hostile(str(error))
            self.abort()

    async def _answer(self, message: dict[str, Any]) -> None:
        oneway = message.get("oneway") is True
        try:
            # Closed here and now: left to the garbage collector, a stream would outlive its connection for a while.
            async with aclosing(self._replies(message)) as replies:
                async for reply in replies:
                    if not oneway:
                        self.send(reply)
                        await self.drained()
        except VarlinkErrorReply as error:
            if not oneway:
                self.send(error.tojson())
        except WireError:
            raise
        except Exception as error:  # noqa: BLE001 - one failing call must not end the daemon
            _log.error("call of %s failed", str(message.get("method"))[:128], exc_info=error)
            if not oneway:
                self.send(_INTERNAL)

    async def _replies(self, message: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        try:
            call = VarlinkMethodCall.fromjson(message)
        except (TypeError, ValueError):
            raise InvalidParameter(parameter="method") from None
        method, signature = self._registry.lookup_method(call)
        try:
            parameters = signature.parameter_type.fromjson(call.parameters)
        except ConversionError as error:
            raise InvalidParameter(parameter=str(error.location[0]) if error.location else "parameters") from None
        outcome = method(**parameters)
        if signature.more:
            try:
                async for result in outcome:
                    yield VarlinkMethodReply(_plain(result.parameters), continues=result.continues).tojson()
            finally:
                await outcome.aclose()
            return
        result = await outcome if inspect.isawaitable(outcome) else outcome
        yield VarlinkMethodReply(_plain(result.parameters)).tojson()


def _plain(parameters: Any) -> dict[str, Any]:
    """A reply's dataclasses as JSON has them. msgspec takes 2 µs for an event where asyncvarlink takes 50, of which a
    customer waits for each; it writes an enum by its value, which our enums have the same as their name."""
    plain: dict[str, Any] = msgspec.to_builtins(parameters)
    return plain


class Server:
    """Accepts connections for as long as it is started. `admit` gives each its interfaces and its ending."""

    def __init__(
        self,
        admit: Callable[[Connection], tuple[VarlinkInterfaceRegistry, Callable[[], None]]],
        allowed_uids: frozenset[int],
    ) -> None:
        self.admit = admit
        self.connections: set[Connection] = set()
        self._allowed_uids = allowed_uids | {0, os.getuid()}
        self._server: asyncio.Server | None = None

    def refusal(self, uid: int) -> str:
        """Why a peer is turned away, or nothing."""
        if uid not in self._allowed_uids:
            return "user is not among allowed_users"
        if len(self.connections) >= MAX_CONNECTIONS:
            return f"more than {MAX_CONNECTIONS} connections"
        return ""

    async def start(self, sock: socket.socket) -> None:
        """Serve the listening socket; it is owned from here on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Connection(self), sock=sock, backlog=BACKLOG)

    async def stop(self) -> None:
        """Accept no more, end every connection, and wait for their tasks."""
        if self._server is not None:
            self._server.close()
        tasks = [c._task for c in self.connections if c._task is not None]
        for connection in tuple(self.connections):
            connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
