"""A byte stream over TCP, for terminals and printers in the shop's own network.

A pulled cable sends nothing. So that silence is noticed within about ten seconds: keep-alive probes while the line is
idle (5 s, then twice every 2 s), and `TCP_USER_TIMEOUT` while something is unacknowledged (Linux tcp(7)).
"""

import asyncio
import errno
import fcntl
import socket
import struct
import termios

from hal.transports import DeviceGone

_READ_BYTES = 64 * 1024
_SILENT = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


class TcpLink:
    """A `Link` over one connection. The caller closes it; nothing is reopened here."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # An empty buffer is the only sign that the kernel has taken everything, so drain() must wait for it.
        writer.transport.set_write_buffer_limits(high=0)

    async def read(self) -> bytes:
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError as error:
            raise _gone(error) from error
        if not data:
            raise DeviceGone("unplugged", "the device closed the connection")
        return data

    async def write(self, data: bytes, timeout_s: float) -> None:
        if self._writer.is_closing():
            raise DeviceGone("unplugged", "the connection is closed")
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), timeout_s)
        except TimeoutError as error:
            raise DeviceGone("no_answer", f"the device took no data for {timeout_s:g} s") from error
        except OSError as error:
            raise _gone(error) from error

    def close(self) -> None:
        sock: socket.socket = self._writer.get_extra_info("socket")
        if not self._writer.is_closing() and _unacknowledged(sock):
            # Otherwise the kernel would go on sending, and a printer would print the rest once it has paper again.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def open_tcp(host: str, port: int, *, connect_timeout_s: float = 5.0, silent_limit_s: float = 9.0) -> TcpLink:
    """Connect. DeviceGone("unreachable") when refused, unknown, or not answered within the time.

    `silent_limit_s`: how long data may stay unacknowledged. It also counts while the far end takes none, so a device
    that may pause needs a longer one.
    """
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, limit=_READ_BYTES), connect_timeout_s
        )
    except TimeoutError as error:
        raise DeviceGone("unreachable", f"{host}:{port} did not answer within {connect_timeout_s:g} s") from error
    except OSError as error:
        raise DeviceGone("unreachable", f"{host}:{port}: {error.strerror or error}") from error
    link = TcpLink(reader, writer)
    try:
        _watch_the_line(writer.get_extra_info("socket"), silent_limit_s)
    except OSError as error:  # the far end may have closed already
        link.close()
        raise _gone(error) from error
    return link


def _watch_the_line(sock: socket.socket, silent_limit_s: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(silent_limit_s * 1000))


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes the far end has not taken yet (SIOCOUTQ, tcp(7))."""
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):  # closed already
        return 0
    return int(count)


def _gone(error: OSError) -> DeviceGone:
    reason = "unreachable" if error.errno in _SILENT else "unplugged"
    return DeviceGone(reason, error.strerror or type(error).__name__)
