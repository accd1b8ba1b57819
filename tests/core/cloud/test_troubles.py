"""What the operator is told of a lane, case by case; and that a kiosk's own words reach it."""

import json
from typing import Any

import msgspec
import pytest

from cloud import queries
from cloud.devices import DeviceStatus, Status, read_status
from cloud.troubles import Trouble, lasting, troubles
from tests.core.cloud.lane import WALL_MS, Backend, Device

KIOSK = queries.Kiosk("d1", "shop", "Shop", "1", "live", 1, 10, 0, "open", WALL_MS, 60, Status(), False)
WELL = Status(
    software="kassa 1",
    devices=[DeviceStatus("scanner", "ready"), DeviceStatus("printer", "busy")],
    disk_free_bytes=50 << 30,
    clock="synced",
    received_ms=WALL_MS,
)


def of(status: dict[str, Any], *, silent_s: int = 0, **kiosk: Any) -> list[Trouble]:
    lane = queries.Kiosk(**{**KIOSK.__dict__, "status": msgspec.structs.replace(WELL, **status), **kiosk})
    return troubles(lane, WALL_MS + silent_s * 1000)


CASES: dict[str, tuple[dict[str, Any], list[Trouble]]] = {
    "all is well": ({}, []),
    "a small backlog": ({"backlog": 3, "backlog_s": 20}, []),
    "late": (
        {"backlog": 1412, "backlog_s": 7500},
        [Trouble("warn", "1,412 records wait, the oldest for 2 h 5 min")],
    ),
    "very late": (
        {"backlog": 9, "backlog_s": 2 * 86_400},
        [Trouble("bad", "9 records wait, the oldest for 2 d 0 h")],
    ),
    "halted": ({"halt": "fork"}, [Trouble("bad", "Upload halted: the records held here are other ones")]),
    "halted for a new reason": ({"halt": "some_word"}, [Trouble("bad", "Upload halted: some word")]),
    "journal": ({"journal": "the disk is full"}, [Trouble("bad", "Sells nothing: the disk is full")]),
    "no daemon": (
        {"hal": False, "devices": [DeviceStatus("printer", "absent", "hal_gone")]},
        [Trouble("bad", "The devices' program does not run")],
    ),
    "disk": ({"disk_free_bytes": 500 << 20}, [Trouble("warn", "Disk almost full: 500 MiB left")]),
    "full disk": ({"disk_free_bytes": 3 << 20}, [Trouble("bad", "Disk almost full: 3 MiB left")]),
    "clock": ({"clock": "unsynced"}, [Trouble("warn", "The clock is not synchronised")]),
    "wrong clock": ({"clock": "floor"}, [Trouble("bad", "The clock is wrong")]),
    "paper": (
        {"devices": [DeviceStatus("printer", "fault", "paper_out")]},
        [Trouble("bad", "Printer: out of paper")],
    ),
    "an unknown reason": (
        {"devices": [DeviceStatus("terminal", "fault", "moon_phase")]},
        [Trouble("bad", "Terminal: moon phase")],
    ),
    "opening": (
        {"devices": [DeviceStatus("scanner", "opening")]},
        [Trouble("warn", "Scanner: connecting")],
    ),
    "the worst first": (
        {
            "devices": [
                DeviceStatus("printer", "ready", "", ["paper_near_end"]),
                DeviceStatus("scanner", "absent", "unplugged"),
            ]
        },
        [Trouble("bad", "Scanner: unplugged"), Trouble("warn", "Printer: paper near end")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_lane_in_trouble_is_named_in_plain_words(case: str) -> None:
    status, expected = CASES[case]
    assert of(status) == expected


def test_silence_is_named_and_grows_worse() -> None:
    assert of({}, silent_s=60) == []
    assert of({}, silent_s=180) == [Trouble("warn", "No contact for 3 min")]
    assert of({}, silent_s=3 * 86_400) == [Trouble("bad", "No contact for 3 d 0 h")]


@pytest.mark.parametrize("gone", [{"revoked": True}, {"state": "fenced"}, {"contact_ms": None}])
def test_nothing_is_said_of_a_lane_that_is_not_in_service(gone: dict[str, Any]) -> None:
    assert of({"journal": "x"}, silent_s=10**6, **gone) == []


def test_a_lane_that_told_nothing_has_no_faults_made_up_for_it() -> None:
    assert of(msgspec.structs.asdict(Status())) == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
)
def test_times_are_said_in_two_units(seconds: int, words: str) -> None:
    assert lasting(seconds) == words


def told(backend: Backend, device: Device, body: Any) -> int:
    me = device.enrolment
    return backend.call(
        "POST",
        f"/v1/status/{me.dev}",
        json.dumps(body).encode(),
        Content_Type="application/json",
        Authorization=f"Bearer {me.device_token}",
    ).status


def test_both_pages_say_it(backend: Backend) -> None:
    device = backend.device()
    assert (
        told(backend, device, {"devices": [{"name": "printer", "condition": "fault", "reason": "cover_open"}]}) == 204
    )
    for path in ("/", f"/kiosks/{device.enrolment.dev}"):
        assert "Printer: cover open" in backend.call("GET", path).body.decode(), path
    assert told(backend, device, {"devices": [{"name": "printer", "condition": "ready"}]}) == 204
    assert "cover open" not in backend.call("GET", "/").body.decode()


@pytest.mark.parametrize(
    "body",
    [
        {"backlog": -1},
        {"backlog_s": 2**60},
        {"disk_free_bytes": -5},
        {"devices": [{}] * 33},
        {"devices": [{"warnings": ["x"] * 17}]},
        {"devices": {"printer": "ready"}},
        {"software": 7},
        [],
    ],
)
def test_a_status_out_of_bounds_is_refused(backend: Backend, body: Any) -> None:
    device = backend.device()
    assert told(backend, device, body) == 400
    assert backend.call("GET", "/").status == 200


def test_the_time_of_a_status_is_the_servers(backend: Backend) -> None:
    device = backend.device()
    assert told(backend, device, {"received_ms": 9_999_999_999_999}) == 204
    [kiosk] = backend.call("GET", "/api/kiosks").json
    assert kiosk["status"]["received_ms"] == WALL_MS


def test_a_stored_status_of_another_form_is_as_good_as_none() -> None:
    assert read_status('{"devices":{"printer":"ready"}}') == Status()
    assert read_status(None) == Status()
