"""Serial lines, real or pseudo: bytes through the event loop, and a clear word when the cable is out."""

import asyncio
import contextlib
import os
import termios
from typing import Any

from hal.transports import DeviceGone

READ_BYTES = 4096


def _open_port(path: str, baud: int, data_bits: int, parity: str, stop_bits: int) -> Any:
    import serial  # a lane without serial devices does not load it

    try:
        port = serial.Serial(
            path,
            baud,
            bytesize=data_bits,
            parity={"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}[parity],
            stopbits=stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except FileNotFoundError as error:
        raise DeviceGone("unplugged", f"{path}: {error.strerror}") from None
    except (serial.SerialException, OSError, ValueError, termios.error) as error:
        reason = "unplugged" if getattr(error, "errno", None) in _ABSENT else "unreachable"
        raise DeviceGone(reason, f"{path}: {error}") from None
    # pyserial leaves VMIN at 0, where an empty read means both "nothing yet" and "gone"; with 1 it means gone.
    attributes = termios.tcgetattr(port.fileno())
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
    return port


_ABSENT = (2, 6, 19)
"""ENOENT, ENXIO, ENODEV: no such file, or its device is not there (any more)."""


class TtyLink:
    """A `hal.transports.Link` over a tty, locked against other processes while open. One reader at a time."""

    def __init__(
        self, path: str, baud: int = 9600, *, data_bits: int = 8, parity: str = "none", stop_bits: int = 1
    ) -> None:
        """Opens at once without blocking. Raises DeviceGone."""
        self._path = path
        self._port: Any = None
        try:
            self._port = _open_port(path, baud, data_bits, parity, stop_bits)
        except termios.error as error:
            raise DeviceGone("unplugged", f"{path}: {error}") from None
        self._fd: int = self._port.fileno()

    async def read(self) -> bytes:
        while True:
            # Waiting first, also when bytes are there, keeps a device that never stops from starving the loop.
            await self._ready(write=False)
            try:
                data = os.read(self._open_fd(), READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise DeviceGone("unplugged", f"{self._path}: {error.strerror}") from None
            else:
                if not data:
                    raise DeviceGone("unplugged", f"{self._path}: hung up")
                return data

    async def write(self, data: bytes, timeout_s: float) -> None:
        rest = memoryview(data)
        try:
            async with asyncio.timeout(timeout_s):
                while rest:
                    try:
                        rest = rest[os.write(self._open_fd(), rest) :]
                    except BlockingIOError:
                        await self._ready(write=True)
        except TimeoutError:
            raise DeviceGone("no_answer", f"{self._path}: took no bytes for {timeout_s} s") from None
        except OSError as error:
            raise DeviceGone("unplugged", f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        if self._port is None:
            return
        port, self._port = self._port, None
        with contextlib.suppress(termios.error):  # hung up already: nothing is left to send
            termios.tcflush(self._fd, termios.TCOFLUSH)  # else close waits up to 30 s for unsent bytes
        port.close()

    def _open_fd(self) -> int:
        if self._port is None:
            raise DeviceGone("unplugged", f"{self._path}: closed")
        return self._fd

    async def _ready(self, *, write: bool) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
        add(self._open_fd(), ready.set)
        try:
            await ready.wait()
        finally:
            remove(self._fd)
