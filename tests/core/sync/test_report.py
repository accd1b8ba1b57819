"""The status channel: at once on a change, together when there are many, and without harm when it is lost."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kiosk.api.interfaces import DeviceState
from kiosk.records.segment import SignedSegment
from kiosk.sync.backend import Answer, Capabilities, Unreachable
from kiosk.sync.meaning import Failed
from kiosk.sync.report import Reporter
from kiosk.sync.uplink import Uplink
from tests.core.cloud.lane import Backend
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.test_uplink import play, until


class Told:
    """A backend that keeps what it is told, or cannot be told anything."""

    capabilities = Capabilities(ordered=True, conditional=True, deduplicating=True, countersigns=True)

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.lost = False

    def send(self, segment: SignedSegment) -> Answer:
        return Unreachable("not here")

    def status(self, body: bytes) -> None:
        if self.lost:
            raise Failed("lost")
        self.reports.append(json.loads(body))

    def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def reporting(lane: FakeLane, told: Told, **times: float) -> AsyncIterator[Uplink]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lane.sock"
        async with lane.serving(path):
            uplink = Uplink(lane.device.enrolment, path, told)
            reporter = Reporter(path, told, uplink, **times)
            task = asyncio.create_task(reporter.run())
            try:
                yield uplink
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def changed(lane: FakeLane, condition: str, reason: str) -> None:
    lane.devices = [DeviceState("printer", condition, reason, [])]
    await lane.wake()


def test_a_report_says_what_the_operator_needs(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        await lane.append(3)
        async with reporting(lane, told):
            await until(lambda: len(told.reports) == 1)
        assert told.reports[0] == {
            "software": "kassa test",
            "screen": "attract",
            "open_sale": False,
            "catalogue": "",
            "products": 0,
            "hal": True,
            "devices": [{"name": "printer", "condition": "ready", "reason": "", "warnings": []}],
            "journal": "",
            "backlog": 3,
            "backlog_s": 30,
            "disk_free_bytes": 5 << 30,
            "clock": "synced",
            "upload": "",
            "settings": "",
            "halt": "",
        }

    play(script)


def test_a_change_is_reported_long_before_the_minute_is_over(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        async with reporting(lane, told, settle_s=0.05, least_s=0.05):
            await until(lambda: len(told.reports) == 1)
            await asyncio.sleep(0.2)
            await changed(lane, "fault", "paper_out")
            await until(lambda: len(told.reports) == 2, 5)
        assert told.reports[1]["devices"][0]["reason"] == "paper_out"

    play(script)


def test_many_changes_become_few_reports_and_the_last_one_is_told(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        async with reporting(lane, told, settle_s=0.3, least_s=0.05):
            await until(lambda: len(told.reports) == 1)
            for n in range(20):
                await changed(lane, "fault", f"reason-{n}")
                await asyncio.sleep(0.01)
            await until(lambda: told.reports[-1]["devices"][0]["reason"] == "reason-19", 5)
        assert len(told.reports) <= 4

    play(script)


def test_what_the_uplink_reports_is_a_change_too(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        async with reporting(lane, told, settle_s=0.01, least_s=0.01) as uplink:
            await until(lambda: len(told.reports) == 1)
            uplink.reported.set()
            await until(lambda: len(told.reports) == 2, 5)

    play(script)


def test_it_is_told_every_so_often_without_a_change(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        async with reporting(lane, told, every_s=0.2, least_s=0.05):
            await until(lambda: len(told.reports) >= 3, 5)

    play(script)


def test_lost_reports_do_no_harm(backend: Backend) -> None:
    async def script() -> None:
        lane, told = FakeLane(backend.device()), Told()
        told.lost = True
        async with reporting(lane, told, every_s=0.1, least_s=0.02, settle_s=0.01):
            await changed(lane, "fault", "cover_open")
            await asyncio.sleep(0.3)
            told.lost = False
            await until(lambda: bool(told.reports), 5)
        assert told.reports[0]["devices"][0]["reason"] == "cover_open"

    play(script)
