"""Journal up: the real client and shell, a lane's socket, the real backend, and a bad line between them."""

import asyncio
import contextlib
import random
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.devices import revoke
from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.api.interfaces import MAX_FRAME_BYTES
from kiosk.records.identity import Enrolment
from kiosk.sync.http import HttpBackend
from kiosk.sync.uplink import Uplink
from tests.core.cloud.lane import Backend, Device
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.relay import FAULTS, Relay


@contextlib.asynccontextmanager
async def syncing(
    lane: FakeLane, *, enrolment: Enrolment | None = None, read_timeout_s: float = 5.0
) -> AsyncIterator[Uplink]:
    """The lane's socket and a running uplink. Pauses are as short as luck can make them."""
    me = enrolment or lane.device.enrolment
    adapter = HttpBackend(me, read_timeout_s=read_timeout_s)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lane.sock"
        async with lane.serving(path):
            uplink = Uplink(me, path, adapter, luck=lambda: 0.0)
            task = asyncio.create_task(uplink.run())
            try:
                yield uplink
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                adapter.close()


def at(device: Device, port: int) -> Enrolment:
    return msgspec.structs.replace(device.enrolment, backend=f"http://127.0.0.1:{port}")


def play(script: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(script())


async def until(true: Callable[[], bool], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.01)


def test_what_is_there_and_what_comes_goes_up_in_order(backend: Backend) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        for _ in range(150):
            lane.device.append()
        async with syncing(lane):
            await lane.until_acked(150)
            await lane.append()
            await lane.until_acked(151)
        assert backend.held(lane.device) == lane.device.records
        assert lane.reads == [0, 64, 150], "no polling: a record wakes it"

    play(script)


def test_a_lost_answer_leaves_no_duplicate(backend: Backend) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        await lane.append(3)
        faults = iter(["drop_answer"])
        relay = Relay(backend.server.port, lambda: next(faults, "none"))
        try:
            async with syncing(lane, enrolment=at(lane.device, relay.port)):
                await lane.until_acked(3)
        finally:
            relay.close()
        assert relay.seen[:2] == ["drop_answer", "none"]
        assert backend.held(lane.device) == lane.device.records

    play(script)


@pytest.mark.parametrize("fault", FAULTS[1:])
def test_no_fault_of_the_line_does_harm(backend: Backend, fault: str) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        await lane.append(5)
        faults = iter([fault, fault, "none", fault])
        relay = Relay(backend.server.port, lambda: next(faults, "none"))
        try:
            async with syncing(lane, enrolment=at(lane.device, relay.port)):
                await lane.until_acked(5)
                await lane.append(2)
                await lane.until_acked(7)
        finally:
            relay.close()
        assert backend.held(lane.device) == lane.device.records

    play(script)


@pytest.mark.parametrize("seed", range(8))
def test_the_servers_log_is_always_a_prefix_and_equal_in_the_end(backend: Backend, seed: int) -> None:
    async def script() -> None:
        rng = random.Random(seed)
        lane = FakeLane(backend.device())
        relay = Relay(backend.server.port, lambda: rng.choice(FAULTS) if rng.random() < 0.5 else "none")
        try:
            async with syncing(lane, enrolment=at(lane.device, relay.port)):
                for _ in range(8):
                    await lane.append(rng.randrange(1, 30))
                    await asyncio.sleep(rng.random() * 0.05)
                    held = backend.held(lane.device)
                    assert held == lane.device.records[: len(held)]
                    assert lane.acked <= len(held), "acknowledged is held"
                await lane.until_acked(len(lane.device.records), 6)
        finally:
            relay.close()
        assert backend.held(lane.device) == lane.device.records

    play(script)


def test_an_acknowledgement_of_another_device_moves_nothing(backend: Backend) -> None:
    async def script() -> None:
        stranger = backend.device(reg="2")
        stranger.append()
        foreign = backend.upload(stranger, stranger.segment(1, 1))
        lane = FakeLane(backend.device())
        await lane.append()
        faults = iter(["repeat_last", "repeat_last"])
        relay = Relay(backend.server.port, lambda: next(faults, "none"))
        relay._last = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
            len(foreign.body),
            foreign.body,
        )
        try:
            async with syncing(lane, enrolment=at(lane.device, relay.port)) as uplink:
                await until(lambda: uplink.state.failures > 0)
                assert lane.kept == []
                await lane.until_acked(1)
        finally:
            relay.close()

    play(script)


def test_a_backend_that_comes_back_is_found(backend: Backend) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        await lane.append(3)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            me = at(lane.device, silent.getsockname()[1])
            async with syncing(lane, enrolment=me, read_timeout_s=0.2) as uplink:
                await until(lambda: uplink.state.failures >= 2)
                assert lane.kept == []
                uplink.backend = HttpBackend(lane.device.enrolment)
                await lane.until_acked(3)
                uplink.backend.close()

    play(script)


def test_a_restarted_server_and_a_restarted_lane_go_on(backend: Backend) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        await lane.append(3)
        async with syncing(lane):
            await lane.until_acked(3)
        port = backend.server.port
        backend.restart()
        assert backend.server.port != port
        await lane.append(2)
        async with syncing(lane, enrolment=at(lane.device, backend.server.port)):
            await lane.until_acked(5)
        assert lane.reads[-1] == 3, "it began after what the lane knew as acknowledged"

    play(script)


HALTS = {"revoked": "denied", "fork": "fork", "stale": "stale_epoch"}


@pytest.mark.parametrize("case", HALTS)
def test_it_halts_and_says_so(backend: Backend, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def script() -> None:
        device = backend.device()
        lane = FakeLane(device)
        await lane.append(3)
        if case == "revoked":
            revoke(backend.store, lambda: 1, device.enrolment.dev)
        if case == "stale":
            backend.device()
        if case == "fork":
            other = Device(device.enrolment, device.identity, device.key)
            other.append(body={"other": True})
            backend.upload(other, other.segment(1, 1))
        async with syncing(lane) as uplink:
            await until(lambda: bool(uplink.state.halt))
            await lane.append()
            await asyncio.sleep(0.1)
            assert uplink.state.halt == HALTS[case]
            assert len(lane.reads) == 1, "no record hurries a halted uplink"
        assert lane.kept == []

    play(script)
    lines = [line for line in capsys.readouterr().out.splitlines() if HALTS[case] in line]
    assert len(lines) == 1
    assert "error" in lines[0]


def test_a_backend_that_was_set_back_is_filled_again(backend: Backend) -> None:
    async def script() -> None:
        lane = FakeLane(backend.device())
        await lane.append(4)
        backend.upload(lane.device, lane.device.segment(1, 2))
        answer = backend.upload(lane.device, lane.device.segment(1, 2))
        lane.kept.append(msgspec.structs.replace(answer.ack, hwm=4, hash=lane.device.hash_at(4)))
        await lane.append(2)
        async with syncing(lane) as uplink:
            await until(lambda: uplink.state.cursor == 6)
        assert backend.held(lane.device) == lane.device.records

    play(script)


def test_once_ends_when_everything_is_up(backend: Backend) -> None:
    async def script(folder: Path) -> None:
        lane = FakeLane(backend.device())
        await lane.append(200)
        adapter = HttpBackend(lane.device.enrolment)
        async with lane.serving(folder / "lane.sock"):
            uplink = Uplink(lane.device.enrolment, folder / "lane.sock", adapter, once=True)
            async with asyncio.timeout(20):
                await uplink.run()
        adapter.close()
        assert uplink.finished
        assert lane.acked == 200

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder)))


def test_once_ends_at_the_first_trouble(backend: Backend) -> None:
    async def script(folder: Path) -> None:
        lane = FakeLane(backend.device())
        await lane.append(2)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            me = at(lane.device, closed.getsockname()[1])
        adapter = HttpBackend(me)
        async with lane.serving(folder / "lane.sock"):
            uplink = Uplink(me, folder / "lane.sock", adapter, once=True)
            async with asyncio.timeout(20):
                await uplink.run()
        adapter.close()
        assert not uplink.finished

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder)))


def test_the_client_translates_what_a_lane_can_do_wrong() -> None:
    async def script(path: Path) -> None:
        with pytest.raises(LaneGone):
            await LaneClient.connect(path)

        async def answer(said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.readuntil(b"\0")
                writer.write(said)
                await writer.drain()
            writer.close()

        refused = b'{"error":"kassa.lane.Refused","parameters":{"message":"no"}}\0'
        endless = b'{"parameters":{"head":"' + b"x" * (MAX_FRAME_BYTES + 10)
        for said, kind in (
            (b"", LaneGone),
            (b"no json\0", LaneGone),
            (b'{"parameters":{"head":{"dev":7}}}\0', LaneGone),
            (endless, LaneGone),
            (refused, LaneRefused),
        ):
            server = await asyncio.start_unix_server(partial(answer, said), path)
            async with server, await LaneClient.connect(path) as client:
                with pytest.raises(kind):
                    await client.head()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder) / "lane.sock"))
