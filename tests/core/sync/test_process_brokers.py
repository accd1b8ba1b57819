"""`kassa-sync` with a `sync.toml`, the real broker, `kassa-cloud consume`: the processes as they run in a shop."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.core.cloud.lane import Backend
from tests.core.sync.brokers import Mosquitto, Nats, Server, running
from tests.core.sync.test_process import enrolled, process
from tests.core.sync.test_uplink import until

SECTIONS = {
    "nats": 'backend = "nats"\n[nats]\nservers = ["{}"]\n',
    "mqtt": 'backend = "mqtt"\n[mqtt]\nserver = "{}"\n',
    "cloudevents": 'backend = "cloudevents"\n[cloudevents]\nurl = "{}/v1/events"\n',
}


async def consuming(backend: Backend, folder: Path, kind: str, address: str) -> asyncio.subprocess.Process:
    """The consumer's process, on the data of `backend`."""
    key, value = ("servers", [address]) if kind == "nats" else ("server", address)
    config = folder / "cloud.toml"
    config.write_text(f"data = {json.dumps(backend.config.data)}\n[{kind}]\n{key} = {json.dumps(value)}\n")
    command = [sys.executable, "-m", "cloud.main", "consume", kind, "--config", str(config)]
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)


async def until_it_says(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while word.encode() not in (line := await process.stderr.readline()):
            assert line, "it ended"


async def carried_by(kind: str, backend: Backend, state: Path, folder: Path, address: str) -> None:
    lane = enrolled(backend, state)
    config = folder / "sync.toml"
    config.write_text(SECTIONS[kind].format(address))
    consumer = await consuming(backend, folder, kind, address) if kind != "cloudevents" else None
    try:
        if consumer is not None:
            await until_it_says(consumer, "consuming")
        path = folder / "lane.sock"
        async with lane.serving(path), process(state, path, "--config", str(config)) as sync:
            await lane.append(70)
            await lane.until_acked(70, 60)
            await lane.append(2)
            await lane.until_acked(72, 20)
            await until(lambda: bool(backend.call("GET", "/api/kiosks").json[0]["status"]["software"]))
            sync.send_signal(signal.SIGTERM)
            _, log = await asyncio.wait_for(sync.communicate(), 20)
        assert sync.returncode == 0, log
        assert lane.device.enrolment.device_token.encode() not in log
        assert backend.held(lane.device) == lane.device.records
    finally:
        if consumer is not None:
            consumer.send_signal(signal.SIGTERM)
            _, log = await asyncio.wait_for(consumer.communicate(), 20)
            assert consumer.returncode == 0, log
            assert b"Traceback" not in log, log


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_journal_and_a_status_go_all_the_way(kind: str, backend: Backend, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "cloudevents":
            asyncio.run(carried_by(kind, backend, tmp_path / "state", Path(folder), backend.url))
            return
        server: Server = {"nats": Nats, "mqtt": Mosquitto}[kind](tmp_path / kind)
        with running(server):
            asyncio.run(carried_by(kind, backend, tmp_path / "state", Path(folder), server.address))


def test_a_wrong_sync_toml_ends_the_process_with_one_line(backend: Backend, tmp_path: Path) -> None:
    async def script() -> None:
        enrolled(backend, tmp_path / "state")
        config = tmp_path / "sync.toml"
        config.write_text('backend = "pigeon"\n')
        async with process(tmp_path / "state", tmp_path / "lane.sock", "--config", str(config)) as running:
            _, log = await running.communicate()
        assert running.returncode == 2
        assert log.count(b"\n") == 1
        assert b"allowed: cloudevents, http, mqtt, nats" in log or b"allowed: http, cloudevents, nats, mqtt" in log

    asyncio.run(script())


def test_a_consumer_waits_for_its_broker(backend: Backend, tmp_path: Path) -> None:
    """It is started before the broker is there, and says what it waits for."""

    async def script() -> None:
        server = Nats(tmp_path / "nats")
        server.stop()
        consumer = await consuming(backend, tmp_path, "nats", server.address)
        try:
            await until_it_says(consumer, "broker_lost")
            server.start()
            await until_it_says(consumer, "consuming")
        finally:
            consumer.send_signal(signal.SIGTERM)
            await asyncio.wait_for(consumer.communicate(), 20)
            server.stop()
        assert consumer.returncode == 0

    assert os.environ.get("NOTIFY_SOCKET") is None
    asyncio.run(script())
