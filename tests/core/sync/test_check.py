"""`kassa-sync check`: each thing that can be wrong is named, by the step at which it is."""

import asyncio
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.devices import revoke
from kiosk.api.client import LaneGone
from kiosk.records.identity import Acknowledgement, raw_public
from kiosk.sync.backend import (
    Accepted,
    Answer,
    Busy,
    Denied,
    Fork,
    Rejected,
    Stale,
    Strange,
    TooLarge,
    Unreachable,
)
from kiosk.sync.check import Finding, check, judged
from kiosk.sync.http import HttpBackend
from tests.core.cloud.lane import Backend
from tests.core.sync.brokers import Mosquitto, Nats, Server, running
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.test_process import enrolled, process
from tests.core.sync.test_process_brokers import SECTIONS, consuming, until_it_says


def found(lane: FakeLane, **changes: Any) -> dict[str, Finding]:
    """The findings over the own HTTP API, by their step."""
    me = msgspec.structs.replace(lane.device.enrolment, **changes)

    async def script(folder: Path) -> list[Finding]:
        adapter = HttpBackend(me, read_timeout_s=2)
        async with lane.serving(folder / "lane.sock"):
            try:
                return await check(me, folder / "lane.sock", adapter, "HTTP")
            finally:
                adapter.close()

    with tempfile.TemporaryDirectory() as folder:
        return {finding.what: finding for finding in asyncio.run(script(Path(folder)))}


def standings(findings: dict[str, Finding]) -> list[str]:
    return [finding.standing for finding in findings.values()]


@pytest.fixture
def lane(backend: Backend) -> FakeLane:
    made = FakeLane(backend.device())
    for _ in range(3):
        made.device.append()
    return made


def test_when_all_is_well_every_step_is_good_and_no_more_than_one_record_went_up(
    backend: Backend, lane: FakeLane
) -> None:
    assert standings(found(lane)) == ["good"] * 4
    assert backend.held(lane.device) == lane.device.records[:1]
    assert standings(found(lane)) == ["good"] * 4
    assert backend.held(lane.device) == lane.device.records[:1]
    assert lane.kept == [], "the check acknowledges nothing"


def test_nobody_there(lane: FakeLane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    findings = found(lane, backend=address)
    assert standings(findings) == ["good", "bad", "untried", "untried"]
    assert "refused" in findings["reachable"].words


def test_a_wrong_token(lane: FakeLane) -> None:
    findings = found(lane, device_token="kd_wrong")
    assert standings(findings) == ["good", "good", "bad", "untried"]


def test_a_revoked_device(backend: Backend, lane: FakeLane) -> None:
    revoke(backend.store, lambda: 1, lane.device.enrolment.dev)
    assert "revoked" in found(lane)["let in"].words


def test_another_backend_than_the_one_of_the_enrolment(lane: FakeLane) -> None:
    findings = found(lane, cosign_key=raw_public(lane.device.key))
    assert standings(findings) == ["good", "good", "good", "bad"]
    assert "not the backend that the lane was enrolled at" in findings["counter-signature"].words


def test_an_empty_journal_has_nothing_to_send(backend: Backend) -> None:
    assert standings(found(FakeLane(backend.device()))) == ["good", "untried"]


def test_a_lane_that_is_not_there(lane: FakeLane, tmp_path: Path) -> None:
    adapter = HttpBackend(lane.device.enrolment)
    with pytest.raises(LaneGone):
        asyncio.run(check(lane.device.enrolment, tmp_path / "lane.sock", adapter, "HTTP"))
    adapter.close()


ANSWERS: dict[str, tuple[Answer, list[str]]] = {
    "unreachable": (Unreachable("m"), ["bad", "untried", "untried"]),
    "strange": (Strange("m"), ["bad", "untried", "untried"]),
    "denied": (Denied("m"), ["good", "bad", "untried"]),
    "busy": (Busy(1, "m"), ["good", "good", "untried"]),
    "fork": (Fork("m"), ["good", "good", "bad"]),
    "stale": (Stale("m"), ["good", "good", "bad"]),
    "rejected": (Rejected("k", "m"), ["good", "good", "bad"]),
    "too large": (TooLarge(), ["good", "good", "bad"]),
    "forged": (Accepted(Acknowledgement(1, "0" * 64, "AAAA")), ["good", "good", "bad"]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_every_answer_has_its_step(case: str, lane: FakeLane) -> None:
    answer, expected = ANSWERS[case]
    findings = judged(answer, lane.device.enrolment, lane.device.segment(1, 1), "HTTP")
    assert [finding.standing for finding in findings] == expected
    assert all(finding.words for finding in findings)


@pytest.mark.parametrize("kind", ["nats", "mqtt"])
def test_it_runs_beside_the_lanes_own_sync(kind: str, backend: Backend, tmp_path: Path) -> None:
    """The real processes: the check must neither disturb the running one nor be taken for it by the broker."""

    async def script(folder: Path, server: Server) -> None:
        lane = enrolled(backend, tmp_path / "state")
        config, path = folder / "sync.toml", folder / "lane.sock"
        config.write_text(SECTIONS[kind].format(server.address))
        consumer = await consuming(backend, folder, kind, server.address)
        try:
            await until_it_says(consumer, "consuming")
            async with lane.serving(path), process(tmp_path / "state", path, "--config", str(config)):
                await lane.append(3)
                await lane.until_acked(3, 60)
                here = ["--state", str(tmp_path / "state"), "--lane", str(path), "--config", str(config)]
                program = str(Path(sys.executable).parent / "kassa-sync")
                checking = await asyncio.create_subprocess_exec(
                    program, "check", *here, "--json", stdout=asyncio.subprocess.PIPE
                )
                told, _ = await asyncio.wait_for(checking.communicate(), 60)
                assert [json.loads(line)["standing"] for line in told.splitlines()] == ["good"] * 4, told
                assert checking.returncode == 0
                await lane.append(2)
                await lane.until_acked(5, 30)
        finally:
            consumer.terminate()
            await asyncio.wait_for(consumer.communicate(), 20)

    with (
        tempfile.TemporaryDirectory() as folder,
        running({"nats": Nats, "mqtt": Mosquitto}[kind](tmp_path / kind)) as s,
    ):
        asyncio.run(script(Path(folder), s))
