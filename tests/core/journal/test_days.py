"""Business days added up from the journal alone: the same as what was sealed, or named."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.report import Report
from kiosk.journal import main as tool
from tests.core.checkout.script import PANT, product
from tests.core.journal.lane import TestLane
from tests.core.journal.test_replay import COFFEE, Recorded, recorded

BREAD = product(price=1250)


def closes(lane: Recorded) -> None:
    day = lane.state.day
    assert day is not None
    lane.play(
        on.AttendantIdentified("a-1", ("day", "void")),
        on.DayClosed(replace(day, closed_ms=9_000), "{}", "", by_clock=False),
        on.AttendantLeft("a-1"),
    )


def two_days(lane: Recorded) -> None:
    lane.state = replace(lane.state, shop=replace(lane.state.shop, mode="test"))  # as the journal's headers say
    lane.play(on.DayOpened("2026-11-27", 500))
    lane.sells(1, BREAD, COFFEE)
    lane.play(on.ItemScanned(BREAD, PANT, "]E0", "l9", "d9", "s9", "v1", "da", 9))
    lane.play(on.AttendantIdentified("a-1", ("void",)), on.LineVoided("l9", ("v9", "w9"), "other"))
    lane.play(on.SaleCancelled(10), on.AttendantLeft("a-1"))
    closes(lane)
    lane.play(on.DayOpened("2026-11-28", 600))
    lane.sells(2, BREAD)
    lane.play(
        on.SaleRecalled(
            "ab" * 16, "transferred", "v0", (on.RecalledItem(BREAD, None, 2, 1250),), (), "r", "s7", "v1", "da", 9
        )
    )
    lane.pays(3)
    lane.leaves(3, "none")


def told(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[dict[str, Any]]]:
    with pytest.raises(SystemExit) as ended:
        tool.main(["day", str(path), "--json", *options])
    lines = capsys.readouterr().out.splitlines()
    code = ended.value.code
    return int(code or 0), [json.loads(line) for line in lines]


def test_the_journal_alone_says_what_the_z_report_says(lane: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(lane) as made:
        two_days(made)
        still_open = made.state.day
    code, (first, second) = told(lane.path, capsys)
    assert code == 0
    assert (first["date"], first["same"], first["report"]) == ("2026-11-27", True, first["sealed"])
    assert (first["report"]["gross_minor"], first["report"]["voids"], first["report"]["cancelled"]) == (4345, 2, 1)
    assert (second["same"], second["sealed"]) == (None, None)
    assert isinstance(still_open, Report)
    assert (second["report"]["no"], second["report"]["recalled"], second["report"]["grand_total_minor"]) == (
        2, 1, still_open.grand_total_minor,
    )  # fmt: skip
    assert second["report"]["gross_minor"] == still_open.gross_minor == 3750


def test_a_z_report_that_says_more_than_was_sold_is_named(lane: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    def more(event: on.DayClosed) -> on.DayClosed:
        return replace(event, report=replace(event.report, gross_minor=event.report.gross_minor + 1))

    with recorded(lane) as made:
        made.forge["day.close"] = ("event", more)
        two_days(made)
    code, (first, _) = told(lane.path, capsys)
    assert (code, first["same"]) == (1, False)
    with pytest.raises(SystemExit):
        tool.main(["day", str(lane.path), "--day", "2026-11-27"])
    said = capsys.readouterr().out
    assert "gross_minor: 4345   sealed: 4346" in said
    assert "tenders: kind card, count 1, amount_minor 4345" in said


def test_one_day_is_asked_for(lane: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(lane) as made:
        two_days(made)
    code, found = told(lane.path, capsys, "--day", "2026-11-28")
    assert (code, [day["date"] for day in found]) == (0, ["2026-11-28"])
    assert told(lane.path, capsys, "--day", "2026-11-29")[0] == 1
    assert told(lane.path, capsys, "--day", "today")[0] == 2
