"""Devices that go, come back, and misbehave, while the daemon stays."""

import asyncio
from pathlib import Path

import pytest

from hal.api.records import Condition, Kind
from hal.daemon import supervisor as supervisor_module
from hal.daemon.hub import Hub
from hal.daemon.supervisor import Supervisor
from tests.devices.daemon.rig import FakeDevice, client, gone, rig

ENDINGS: dict[str, tuple[Exception | None, str]] = {
    "unplugged": (gone("unplugged"), "absent unplugged"),
    "unreachable": (gone("unreachable"), "absent unreachable"),
    "silent": (gone("no_answer"), "absent no_answer"),
    "nonsense": (gone("protocol"), "fault protocol"),
    "a bug": (ZeroDivisionError("x"), "fault internal"),
    "returned": (None, "fault internal"),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_every_ending_is_told_and_the_device_served_again(tmp_path: Path, case: str) -> None:
    error, condition = ENDINGS[case]

    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path) as (hal, log):
            house.terminal.trouble.put_nowait(error)
            await log.until(lambda log: log.conditions("terminal") == [condition, "ready"])
            (device,) = [e.device_changed for e in log.events if e.device_changed and e.device_changed.reason]
            assert device.advice.endswith(".")
            assert house.terminal.runs == 2
            assert [d.condition for d in await hal.list()] == [Condition.ready] * 3

    asyncio.run(scene())


def test_a_device_that_stays_away_makes_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(supervisor_module, "BACKOFF_LAST_S", 0.001)

    async def scene() -> None:
        hub = Hub()
        supervisor = Supervisor(hub)
        away = FakeDevice(supervisor.reporter("d", Kind.printer, "fake"))

        async def refuse() -> None:
            away.runs += 1
            away.reporter.condition(Condition.opening)
            raise gone("unreachable")

        away.serve = refuse  # type: ignore[method-assign]
        supervisor.add(away.reporter, away)  # type: ignore[arg-type]
        supervisor.start()
        async with asyncio.timeout(5):
            while away.runs < 20:
                await asyncio.sleep(0.001)
        await supervisor.stop()
        assert hub.seq == 1

    asyncio.run(scene())


def test_waits_grow_and_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(wait_s: float) -> None:
        waits.append(wait_s)
        if len(waits) == 12:
            raise asyncio.CancelledError

    async def scene() -> None:
        supervisor = Supervisor(Hub())
        away = FakeDevice(supervisor.reporter("d", Kind.printer, "fake"))
        for _ in range(12):
            away.trouble.put_nowait(gone("unreachable"))
        supervisor.add(away.reporter, away)  # type: ignore[arg-type]
        monkeypatch.setattr(asyncio, "sleep", note)
        with pytest.raises(asyncio.CancelledError):
            await supervisor_module._keep_served(supervisor.slots["d"])

    asyncio.run(scene())
    for wait_s, expected_s in zip(waits, [0.2, 0.4, 0.8, 1.6, 3.2, *[5.0] * 7], strict=True):
        assert 0.7 * expected_s < wait_s < 1.3 * expected_s


def test_a_driver_that_will_not_end_does_not_hold_up_the_daemon(tmp_path: Path) -> None:
    async def scene() -> None:
        supervisor = Supervisor(Hub())
        stubborn = FakeDevice(supervisor.reporter("d", Kind.printer, "fake"))
        stubborn_began = asyncio.Event()

        async def serve() -> None:
            stubborn_began.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(1.5)

        stubborn.serve = serve  # type: ignore[method-assign]
        supervisor.add(stubborn.reporter, stubborn)  # type: ignore[arg-type]
        supervisor.start()
        await stubborn_began.wait()
        async with asyncio.timeout(1.4):
            await supervisor.stop()

    asyncio.run(scene())
