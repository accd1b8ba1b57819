"""The small status that the backend shows its operator. It may be lost at any time: nothing depends on it."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.sync.http import Failed, HttpBackend
from kiosk.sync.threads import in_thread
from kiosk.sync.uplink import Uplink


@dataclass
class Reporter:
    lane: Path
    backend: HttpBackend
    uplink: Uplink
    every_s: float = 15.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(LaneGone, LaneRefused, Failed):
                await self.once()
            await asyncio.sleep(self.every_s)

    async def once(self) -> None:
        """Raises LaneGone, LaneRefused, Failed."""
        async with await LaneClient.connect(self.lane) as lane:
            status, head = await lane.status(), await lane.head()
        body = msgspec.json.encode(
            {
                "software": status.software,
                "screen": status.screen,
                "open_sale": status.open_sale,
                "catalogue": status.catalogue,
                "products": status.products,
                "backlog": head.backlog,
                "halt": self.uplink.state.halt,
            }
        )
        await in_thread(lambda: self.backend.status(body))
