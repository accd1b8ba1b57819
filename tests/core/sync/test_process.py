"""`kassa-sync` as a process: enrolled by the real command's code, between a lane's socket and the real backend."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from provisioning.enrol.enrol import enrol
from tests.core.cloud.lane import Backend, Device
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.test_downlink import publish


def enrolled(backend: Backend, state: Path) -> FakeLane:
    answer = enrol(backend.url, backend.token(), state)
    identity = serialization.load_pem_private_key((state / "identity.key").read_bytes(), None)
    key = serialization.load_pem_private_key((state / "journal-1.key").read_bytes(), None)
    return FakeLane(Device(answer, identity, key))  # type: ignore[arg-type]  # enrolment made keys of these kinds


@contextlib.asynccontextmanager
async def process(state: Path, lane: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "kiosk.sync.main", "--state", str(state), "--lane", str(lane), *more]
    running = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def test_once_brings_everything_over_and_ends(backend: Backend, tmp_path: Path) -> None:
    async def script(folder: Path) -> None:
        lane = enrolled(backend, tmp_path / "state")
        await lane.append(70)
        manifest = publish(backend)
        path = folder / "lane.sock"
        async with lane.serving(path), process(tmp_path / "state", path, "--once") as running:
            _, log = await asyncio.wait_for(running.communicate(), 60)
        assert running.returncode == 0, log
        assert lane.acked == 70
        assert lane.catalogues == [manifest.version]
        assert lane.device.enrolment.device_token.encode() not in log

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder)))


def test_it_runs_until_it_is_told_to_stop(backend: Backend, tmp_path: Path) -> None:
    async def script(folder: Path) -> None:
        lane = enrolled(backend, tmp_path / "state")
        path = folder / "lane.sock"
        async with lane.serving(path), process(tmp_path / "state", path) as running:
            await lane.append(3)
            await lane.until_acked(3, 60)
            await lane.append(1)
            await lane.until_acked(4, 10)
            running.send_signal(signal.SIGTERM)
            _, log = await asyncio.wait_for(running.communicate(), 10)
        assert running.returncode == 0, log
        assert b"Traceback" not in log

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder)))


def test_without_an_enrolment_it_says_what_to_do(tmp_path: Path) -> None:
    async def script() -> None:
        async with process(tmp_path, tmp_path / "lane.sock") as running:
            _, log = await running.communicate()
        assert running.returncode == 2
        assert b"kassa-provision enrol" in log
        assert log.count(b"\n") == 1

    asyncio.run(script())
