"""The day's sales out of the journal, for the comparison with the terminal."""

from pathlib import Path

import pytest

from kiosk.core import events as on
from kiosk.core.report import Totals
from kiosk.lane.reconciling import reconciled, sales_of_last_day
from tests.core.checkout.script import product
from tests.core.journal.lane import TestLane
from tests.core.journal.test_days import closes
from tests.core.journal.test_replay import Recorded, recorded


@pytest.fixture
def lane(tmp_path: Path) -> TestLane:
    return TestLane(tmp_path)


def days_of_one_sale(made: Recorded, *amounts: int) -> None:
    for n, amount in enumerate(amounts, start=1):
        made.play(on.DayOpened(f"2026-11-{n:02}", n))
        made.sells(n, product(price=amount))
        closes(made)


def test_only_the_sales_of_the_day_that_was_just_closed(lane: TestLane) -> None:
    with recorded(lane) as made:
        days_of_one_sale(made, 1250, 2000)
        assert [sale.total_minor for sale in sales_of_last_day(made.journal)] == [2000]


def test_what_is_recorded_is_the_comparison_with_them(lane: TestLane) -> None:
    totals = Totals("closed", 1250, "DKK", 1, "0017", "0017")
    with recorded(lane) as made:
        days_of_one_sale(made, 1250, 2000)
        event = reconciled(made.journal, 2, totals)
    assert (event.no, event.comparison.ours_minor, event.comparison.difference_minor) == (2, 2000, 750)


def test_a_day_without_sales_compares_with_nothing(lane: TestLane) -> None:
    with recorded(lane) as made:
        assert list(sales_of_last_day(made.journal)) == []
