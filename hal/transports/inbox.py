"""What a device says, as messages in their order, for one task that waits for them within a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from hal.transports import DeviceGone, Link

M = TypeVar("M")
_WAITING = 64


class Inbox(Generic[M]):
    """Reads a link through a codec. `gone` is set when the line has ended; what came before is still handed out.

    A device that talks faster than it is heard is not read any further, so that memory stays bounded.
    """

    def __init__(self, link: Link, feed: Callable[[bytes], list[M]], broken: Callable[[], str] = lambda: "") -> None:
        self._link = link
        self._feed = feed
        self._broken = broken
        self._messages: deque[M] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self.gone: DeviceGone | None = None

    async def pump(self) -> None:
        """Read until the line ends, or until `broken` says why it cannot be followed any more."""
        try:
            while True:
                self._messages.extend(self._feed(await self._link.read()))
                self._wake.set()
                if why := self._broken():
                    raise DeviceGone("protocol", why)
                while len(self._messages) > _WAITING:
                    self._room.clear()
                    await self._room.wait()
        except DeviceGone as gone:
            self.gone = gone
            self._wake.set()

    def poke(self) -> None:
        """Let whoever waits in `next` look at its wishes again."""
        self._wake.set()

    async def next(self, timeout_s: float, unless: Callable[[], bool] = lambda: False) -> M | None:
        """The next message, or None as soon as `unless` holds. TimeoutError, or DeviceGone after the last message."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            if unless():
                return None
            if self._messages:
                self._room.set()
                return self._messages.popleft()
            if self.gone:
                raise self.gone
            self._wake.clear()
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
