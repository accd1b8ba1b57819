"""Signed versions down: ask for the newest of each kind, verify it, store it, tell the lane."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.records.catalogue import CatalogueError
from kiosk.records.identity import Enrolment
from kiosk.sync.http import HttpBackend
from kiosk.sync.meaning import Failed
from kiosk.sync.products import Build, Catalogues
from kiosk.sync.settings import ShopSettings
from kiosk.sync.threads import in_thread
from kiosk.sync.versions import Channel, Untrusted

log = structlog.get_logger()
_MAX_PAUSE_S = 300.0


@dataclass
class Downlink:
    """`build` writes the lane's catalogue file, whole or not at all; it blocks, in a thread of its own."""

    enrolment: Enrolment
    state: Path
    lane: Path
    backend: HttpBackend
    build: Build
    every_s: float = 60.0
    luck: Callable[[], float] = random.random
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.channels: tuple[Channel[Any], ...] = (
            Catalogues(self.enrolment, self.state / "catalogue", self.backend, self.build),
            ShopSettings(self.enrolment, self.state / "settings", self.backend),
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            pause = self.every_s
            if self._failures:
                pause = max(1.0, self.luck() * min(_MAX_PAUSE_S, 2.0 * 2.0 ** min(self._failures, 10)))
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """One look for newer versions. True when the lane has, or was told of, the newest of each kind. What is wrong
        with one kind does not hold up the other."""
        well = [await self._look(channel) for channel in self.channels]
        self._failures = 0 if all(well) else self._failures + 1
        return all(well)

    async def _look(self, channel: Channel[Any]) -> bool:
        try:
            await in_thread(channel.refresh)
            await self._tell(channel)
        except Failed as error:
            if error.status == 404:
                log.info(f"no_{channel.name}", message=str(error))
                return True
            return _failed(f"{channel.name}_unreachable", error)
        except (Untrusted, CatalogueError) as error:
            return _failed(f"{channel.name}_refused", error)
        except OSError as error:
            return _failed(f"{channel.name}_not_stored", error)
        except (LaneGone, LaneRefused) as error:
            return _failed(f"{channel.name}_not_taken", error)
        return True

    async def _tell(self, channel: Channel[Any]) -> None:
        """Say it again until the lane has it: a crash may have come between the file and the word."""
        found = channel.taken().manifest
        if found is None:
            return
        async with await LaneClient.connect(self.lane) as lane:
            in_use = await channel.tell(lane, found)
        channel.prune(in_use)


def _failed(event: str, error: Exception) -> bool:
    log.warning(event, message=str(error).splitlines()[0] if str(error) else type(error).__name__)
    return False
