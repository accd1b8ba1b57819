"""The daemon as a process: its start, its end, kill -9, and a scanner whose cable is pulled."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.daemon.rig import Cable, Daemon, client, notify_socket

pytestmark = pytest.mark.system


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path / "by-id")
    yield cable
    cable.pull()


@pytest.fixture
def daemon(tmp_path: Path, cable: Cable) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, cable)
    yield daemon
    if daemon.process is not None:
        daemon.process.kill()
        daemon.process.wait()


def test_ready_status_watchdog_and_stopping_are_told(tmp_path: Path, cable: Cable, daemon: Daemon) -> None:
    sock = notify_socket(tmp_path)
    began_s = time.monotonic()
    daemon.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000")
    told = [sock.recv(4096).decode()]
    while "READY=1" not in told[-1]:
        told.append(sock.recv(4096).decode())
    assert time.monotonic() - began_s < 3.0  # 0.3 s alone; the machine may be busy
    assert "STATUS=0 of 1 devices ready; scanner: " in told[-1]
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(daemon.socket)
    fed: list[float] = []
    while len(fed) < 4:
        if sock.recv(4096) == b"WATCHDOG=1":
            fed.append(time.monotonic())
    assert fed[-1] - fed[0] < 1.0
    cable.plug()
    while b"STATUS=1 of 1 devices ready" not in sock.recv(4096):
        pass
    began_s = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began_s < 1.5
    sock.setblocking(False)
    rest = []
    while True:
        try:
            rest.append(sock.recv(4096))
        except BlockingIOError:
            break
    assert b"STOPPING=1" in rest
    sock.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, cable: Cable, daemon: Daemon, number: int) -> None:
    cable.plug()

    async def scene() -> None:
        daemon.start()
        async with client(daemon.socket, "scanner") as (_, log):
            assert await asyncio.to_thread(daemon.stop, number) == 0
            await log.until(lambda log: log.ups[-1] is False)

    asyncio.run(scene())
    assert not Path(daemon.socket).exists()
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]  # nothing but JSON: no warnings
    assert [line["event"] for line in lines] == ["serving", "stopping"]


def test_the_client_outlives_kill_9(cable: Cable, daemon: Daemon) -> None:
    cable.plug()

    async def scene() -> None:
        daemon.start()
        async with client(daemon.socket, "scanner") as (hal, log):
            await hal.enable("scanner", enabled=True)
            cable.type(b"5701\r")
            await log.until(lambda log: log.reads == ["5701"])
            daemon.stop(signal.SIGKILL)
            await log.until(lambda log: log.ups[-1] is False)
            assert Path(daemon.socket).exists(), "left behind, and replaced by the next"
            daemon.start()
            await log.until(lambda log: log.ups[-1] is True)
            assert not log.batches[-1].resumed
            await hal.held("scanner")
            await hal.list()
            cable.type(b"5702\r")
            await log.until(lambda log: log.reads == ["5701", "5702"])

    asyncio.run(scene())


def test_cable_pulled_and_plugged_in_every_state(cable: Cable, daemon: Daemon) -> None:
    """Absent at the start; idle; disabled; in the middle of a code; and again at once."""

    async def scene() -> None:
        daemon.start()
        async with client(daemon.socket, "scanner") as (hal, log):
            assert (await hal.list())[0].reason == "unplugged"
            expected = []
            for number, state in enumerate(("disabled", "idle", "half a code", "at once")):
                cable.plug()
                plugged_s = time.monotonic()
                await log.until(lambda log: log.conditions("scanner")[-1:] == ["ready"])
                assert time.monotonic() - plugged_s < 1.0  # 0.3 s alone; the machine may be busy
                await hal.enable("scanner", enabled=state != "disabled")
                if state != "at once":
                    cable.type(f"{number}\r".encode())
                    if state == "disabled":
                        await asyncio.sleep(0.05)  # nothing can be awaited where nothing may come
                    else:
                        expected.append(str(number))
                await log.until(lambda log: log.reads == expected)
                if state == "half a code":
                    cable.type(b"half")
                cable.pull()
                await log.until(lambda log: log.conditions("scanner")[-1:] == ["absent unplugged"])
            cable.plug()
            await log.until(lambda log: log.conditions("scanner")[-1:] == ["ready"])
            cable.type(b"last\r")
            await log.until(lambda log: log.reads == [*expected, "last"])

    asyncio.run(scene())


def test_half_a_code_is_forgotten_after_silence(cable: Cable, daemon: Daemon) -> None:
    cable.plug()

    async def scene() -> None:
        daemon.start()
        async with client(daemon.socket, "scanner") as (hal, log):
            await hal.enable("scanner", enabled=True)
            cable.type(b"5701")
            await asyncio.sleep(0.4)  # silence is what is tested
            cable.type(b"5702\r")
            await log.until(lambda log: log.reads == ["5702"])

    asyncio.run(scene())


def test_a_passed_socket_is_served(tmp_path: Path, daemon: Daemon) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "passed"))
    sock.listen()
    pid = os.fork()
    if pid == 0:
        os.dup2(sock.fileno(), 3)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.execv(sys.executable, [sys.executable, "-m", "hal.main", "--config", str(daemon.config)])
    sock.close()

    async def scene() -> None:
        async with client(str(tmp_path / "passed")) as (hal, _):
            assert [device.id for device in await hal.list()] == ["scanner"]

    try:
        asyncio.run(scene())
    finally:
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / "passed").exists(), "the service manager's file is not ours to remove"
