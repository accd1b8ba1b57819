"""What `make run` promises: kept journal and enrolment, a window where there is a display, a lane without its cloud."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.system.lane.harness import LaneUnderTest, customer
from tests.system.lane.test_sale import sale_in_cloud, sells
from tests.system.window.display import children, display

pytestmark = pytest.mark.system


def records(lane: LaneUnderTest) -> list[dict[str, Any]]:
    done = lane.command("kassa-journal", "show", str(lane.state / "lane" / "journal.db"), "--json", "--last", "100000")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_second_run_keeps_journal_and_enrolment(tmp_path: Path, browser: Browser) -> None:
    with LaneUnderTest(tmp_path) as lane, customer(lane, browser) as shopper:
        shopper.at_rest()
        sells(shopper, lane)
        first = records(lane)
        enrolment = (tmp_path / "lane" / "enrolment.json").read_bytes()
    with LaneUnderTest(tmp_path) as lane, customer(lane, browser) as shopper:
        assert (tmp_path / "lane" / "enrolment.json").read_bytes() == enrolment
        shopper.at_rest()
        second = records(lane)
        assert second[: len(first)] == first
        assert second[len(first)]["prev"] != first[-1]["prev"]
        lane.journal_verifies()
        assert [sale["sale_no"] for sale in lane.cloud("/api/sales")["sales"]] == [1]


def test_with_a_display_the_window_opens_and_ends_with_the_rest(tmp_path: Path) -> None:
    with display() as screen:
        with LaneUnderTest(tmp_path, display=screen.env["DISPLAY"]) as lane:
            lane.until(lambda: bool(screen.windows()))
            lane.until(lambda: bool(children(lane.pid("window"), "WebKitWebProc")))
            lane.bench("/scanner/scan", text="9521000000018")
            lane.until(lambda: "screen basket" in lane.log("kiosk"))
        assert screen.windows() == set()


def test_with_the_cloud_away_the_lane_sells_on_and_all_arrives_once(lane: LaneUnderTest, browser: Browser) -> None:
    known = {sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]}
    with customer(lane, browser) as shopper:
        shopper.at_rest()
        with lane.frozen("cloud"):
            sells(shopper, lane)
            shopper.touches("finish")
            shopper.at_rest()
            sells(shopper, lane)
        lane.kill_and_wait("cloud")
    sale_in_cloud(lane, known, timeout_s=60)
    lane.until(lambda: backlog(lane) == 0, timeout_s=60)
    new = [sale["sale_no"] for sale in lane.cloud("/api/sales")["sales"] if sale["sale_id"] not in known]
    assert len(new) == len(set(new)) == 2
    held = lane.cloud("/api/kiosks")[0]["hwm"]
    assert held == records(lane)[-1]["seq"]


def backlog(lane: LaneUnderTest) -> int:
    last = int(records(lane)[-1]["seq"])
    return last - int(lane.cloud("/api/kiosks")[0]["hwm"])


def test_the_addresses_are_told_as_the_processes_come_up(lane: LaneUnderTest) -> None:
    assert list(lane.address) == ["bench", "cloud", "hal", "kiosk", "ready"]
