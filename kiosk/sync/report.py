"""The status channel: what the operator sees of the lane, every minute and on change. It may be lost at any time:
nothing depends on it, and the next one says it all again."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.api.interfaces import LaneStatus
from kiosk.sync.backend import Backend
from kiosk.sync.meaning import Failed
from kiosk.sync.threads import in_thread
from kiosk.sync.uplink import Uplink

_LANE_PAUSE_S = 5.0


@dataclass
class Reporter:
    """`every_s`: at the latest. `settle_s`: how long a change is waited on for more of them; `least_s`: between two
    reports, so that a lane whose door flutters does not flood the backend."""

    lane: Path
    backend: Backend
    uplink: Uplink
    every_s: float = 60.0
    settle_s: float = 1.0
    least_s: float = 5.0
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Until cancelled."""
        followers = [asyncio.create_task(follow()) for follow in (self._follow_lane, self._follow_uplink)]
        try:
            while True:
                await self._report()
                await asyncio.sleep(self.least_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, self.every_s - self.least_s)):
                        await self._changed.wait()
                        await asyncio.sleep(self.settle_s)
        finally:
            for follower in followers:
                follower.cancel()

    async def _report(self) -> None:
        self._changed.clear()
        # Not worth a line in the log: what keeps a status back keeps the records back too, and that is told.
        with contextlib.suppress(LaneGone, LaneRefused, Failed):
            async with await LaneClient.connect(self.lane) as lane:
                status = await lane.status()
            body = encoded(status, self.uplink.state.halt)
            await in_thread(lambda: self.backend.status(body))

    async def _follow_lane(self) -> None:
        while True:
            with contextlib.suppress(LaneGone, LaneRefused):
                async with (
                    await LaneClient.connect(self.lane) as lane,
                    contextlib.aclosing(lane.watch_status()) as statuses,
                ):
                    await anext(statuses)  # the present one: the first report has it
                    async for _ in statuses:
                        self._changed.set()
            await asyncio.sleep(_LANE_PAUSE_S)

    async def _follow_uplink(self) -> None:
        while True:
            await self.uplink.reported.wait()
            self.uplink.reported.clear()
            self._changed.set()


def encoded(status: LaneStatus, halt: str) -> bytes:
    """The status as it travels. `halt`: why nothing goes up, empty while all is well."""
    return msgspec.json.encode({**msgspec.to_builtins(status), "halt": halt})
