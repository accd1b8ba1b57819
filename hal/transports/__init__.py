"""The only device input and output: bytes, deadlines, and a clear word when the device is gone."""

from typing import Protocol


class DeviceGone(Exception):
    """The device can no longer be reached over this link; the supervisor opens it anew.

    `reason` is the machine word shown for the device: `unplugged`, `unreachable`, `no_answer`, `protocol`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Link(Protocol):
    """An open byte stream to a device. Every call has a deadline or ends with `DeviceGone`; none blocks the loop."""

    async def read(self) -> bytes:
        """The next bytes, at least one. Waits without limit; DeviceGone when the far end is gone."""

    async def write(self, data: bytes, timeout_s: float) -> None:
        """Hand all bytes to the device within the time, else DeviceGone; some may then have been sent."""

    def close(self) -> None:
        """Close at once, dropping what is unsent. Idempotent."""
