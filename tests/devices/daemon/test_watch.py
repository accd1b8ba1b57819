"""The event stream: at once, in order, resumed without loss or repetition, and never a burden."""

import asyncio
from pathlib import Path
from typing import Any

from hal.api.records import Read
from hal.daemon.hub import BATCH_EVENTS, STALL_EVENTS, Hub
from tests.devices.daemon.rig import Rig, Wire, client, rig


async def _watch(house: Rig, **parameters: Any) -> tuple[Wire, dict[str, Any]]:
    wire = await Wire.open(house.path)
    wire.send("Devices.Watch", more=True, **parameters)
    first = await wire.reply()
    assert first["continues"]
    return wire, first["parameters"]["batch"]


def _texts(batch: dict[str, Any]) -> list[str]:
    return [event["read"]["text"] for event in batch["events"] if event.get("read")]


def test_first_reply_comes_at_once_with_every_device(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            house.scan("before")
            wire, batch = await _watch(house)
            assert (batch["resumed"], batch["events"], batch["seq"]) == (False, [], house.hub.seq)
            assert [device["id"] for device in batch["devices"]] == ["scanner", "printer", "terminal"]
            house.scan("after")
            later = (await wire.reply())["parameters"]["batch"]
            assert (later["devices"], _texts(later), later["resumed"]) == ([], ["after"], True)
            await wire.close()

    asyncio.run(scene())


def test_resumes_after_the_event_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            start = house.hub.seq
            for number in range(BATCH_EVENTS + 6):
                house.scan(str(number))
            wire, batch = await _watch(house, instance=house.hub.instance, after=start + 3)
            assert batch["resumed"]
            texts = _texts(batch)
            assert len(texts) == BATCH_EVENTS, "a reply is bounded"
            texts += _texts((await wire.reply())["parameters"]["batch"])
            assert texts == [str(number) for number in range(3, BATCH_EVENTS + 6)]
            await wire.close()

    asyncio.run(scene())


def test_what_cannot_be_resumed_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path, ring_events=10) as house:
            for number in range(50):
                house.scan(str(number))
            hub = house.hub
            cases: dict[str, dict[str, Any]] = {
                "no longer kept": {"instance": hub.instance, "after": hub.seq - 11},
                "another run": {"instance": "another", "after": hub.seq},
                "never was": {"instance": hub.instance, "after": hub.seq + 1},
                "before the first": {"instance": hub.instance, "after": -1},
                "instance alone": {"instance": hub.instance},
                "seq alone": {"after": hub.seq},
            }
            for case, asked in cases.items():
                wire, batch = await _watch(house, **asked)
                assert (batch["resumed"], batch["events"], batch["seq"]) == (False, [], hub.seq), case
                assert len(batch["devices"]) == 3, case
                await wire.close()
            wire, batch = await _watch(house, instance=hub.instance, after=hub.seq - 10)
            assert batch["resumed"]
            assert len(batch["events"]) == 10
            await wire.close()

    asyncio.run(scene())


def test_burst_over_forced_reconnects_loses_and_doubles_nothing(tmp_path: Path) -> None:
    codes = [f"57{number:06d}" for number in range(2000)]

    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path, "scanner") as (hal, log):
            await hal.enable("scanner", enabled=True)
            for number, code in enumerate(codes):
                house.scan(code)
                if number % 100 == 50:
                    for connection in tuple(house.server.connections):
                        connection.abort()
                if number % 7 == 0:
                    await asyncio.sleep(0.001)
            await log.until(lambda log: len(log.reads) >= len(codes))
            assert log.reads == codes
            assert all(batch.resumed for batch in log.batches[1:])
            assert log.ups.count(False) >= 3, "the connection was really cut"
            await hal.held("scanner")
            assert house.scanner.enabled, "claimed and enabled anew"

    asyncio.run(scene())


def test_another_instance_is_told_and_counted_from_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as first, client(first.path) as (_, log):
            first.scan("one")
            await log.until(lambda log: log.reads == ["one"])
            await first.server.stop()
            async with rig(tmp_path) as second:
                await log.until(lambda log: log.batches[-1].instance == second.hub.instance)
                assert not log.batches[-1].resumed
                second.scan("two")
                await log.until(lambda log: log.reads == ["one", "two"])

    asyncio.run(scene())


def test_a_watcher_that_does_not_read_is_ended_and_may_resume(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            start = house.hub.seq
            stuck, batch = await _watch(house)
            stuck.writer.transport.pause_reading()  # type: ignore[attr-defined]
            sent = 0
            async with asyncio.timeout(30):
                while house.server.connections:
                    house.scan("x" * 1000)
                    sent += 1
                    await asyncio.sleep(0)
            assert STALL_EVENTS < sent < 3 * STALL_EVENTS
            await stuck.close()
            wire, batch = await _watch(house, instance=house.hub.instance, after=start)
            count = len(batch["events"])
            while count < sent:
                count += len((await wire.reply())["parameters"]["batch"]["events"])
            await wire.close()

    asyncio.run(scene())


def test_watchers_that_left_are_forgotten(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            for _ in range(20):
                wire, _ = await _watch(house)
                await wire.close()
            async with asyncio.timeout(5):
                while house.server.connections or house.hub._watchers:
                    await asyncio.sleep(0.001)

    asyncio.run(scene())


def test_a_callback_that_fails_does_not_end_the_stream(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path) as (_, log):
            kept = log.on_batch

            def failing(batch: Any) -> None:
                kept(batch)
                raise RuntimeError("the caller's own fault")

            log_client = client(house.path)
            async with log_client as (other, _):
                other._on_batch = failing
                house.scan("a")
                house.scan("b")
                await log.until(lambda log: log.reads.count("b") == 2)

    asyncio.run(scene())


def test_largest_possible_batch_fits_a_frame() -> None:
    from hal.api.interfaces import MAX_FRAME_BYTES
    from hal.api.wire import encode

    worst = {"read": {"text": "\x1d" * 4096, "aim": "]E0", "received_mono_ns": 2**63 - 1}}
    assert len(encode({"events": [worst] * BATCH_EVENTS})) < MAX_FRAME_BYTES // 2


def test_ring_keeps_what_it_says() -> None:
    hub = Hub(ring_events=3)
    for number in range(5):
        hub.publish("scanner", read=Read(str(number), "", 0))
    kept = [hub.after(seq, 64) for seq in range(7)]
    assert [None if k is None else [e.seq for e in k] for k in kept] == [None, None, [3, 4, 5], [4, 5], [5], [], None]
