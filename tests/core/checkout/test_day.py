"""The business day: what is added up, who may close it, when it closes by itself."""

import pytest
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part
from kiosk.core.day import close_due
from kiosk.core.report import Report, TaxSum, TenderSum
from kiosk.core.state import DayShown
from tests.core.checkout.script import PANT, Script, product

HOUR_MS = 3_600_000


def opened() -> Script:
    s = Script()
    s.play(on.DayOpened("2026-11-27", 1_000))
    return s


def sold(s: Script, *items: tuple[int, bool]) -> None:
    for price, deposit in items:
        s.scan(product(price=price), PANT if deposit else None)
    s.to_receipt()
    s.play(on.ReceiptChosen("none", "{}", ""), on.SaleFinished())


def close(s: Script, *, by_clock: bool = False) -> list[do.Any]:
    assert s.state.day is not None
    return s.play(on.DayClosed(replace(s.state.day, closed_ms=9_000), "{}", "j9", by_clock))


def test_a_day_of_sales_adds_up() -> None:
    s = opened()
    sold(s, (1250, True), (1250, False))
    sold(s, (2000, False))
    s.scan()
    s.play(on.SaleCancelled(5))
    s.scan()
    s.play(on.SaleAbandoned(5))
    s.scan()
    s.play(on.SaleSuspended("KASSA1:…", "{}", "", 5), on.SaleFinished())
    day = s.state.day
    assert day == Report(
        "2026-11-27", 1, "live", "DKK", 1_000,
        sales=2, gross_minor=4600,
        taxes=(TaxSum("O", 0, 100, 0, 100), TaxSum("S", 2500, 3600, 900, 4500)),
        tenders=(TenderSum("card", 2, 4600),),
        suspended=1, cancelled=1, abandoned=1,
        first_sale_no=1, last_sale_no=5, first_receipt_no=1, last_receipt_no=2, grand_total_minor=4600,
    )  # fmt: skip
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_what_was_taken_off_is_counted_whatever_became_of_the_sale() -> None:
    s = opened()
    s.scan(product(), PANT)
    s.play(on.AttendantIdentified("a-1", ("void",)), on.LineVoided("l1", ("v1", "v2"), "other"), on.SaleCancelled(5))
    assert s.state.day is not None
    assert (s.state.day.voids, s.state.day.voids_minor, s.state.day.gross_minor) == (2, 1350, 0)


def test_the_totals_of_an_open_day_come_back_after_a_restart_and_over_many_sales() -> None:
    s = opened()
    sold(s, (1250, False))
    before = s.state.day
    s.restart()
    assert s.state.day == before


def test_closed_it_is_printed_and_the_next_sale_opens_another_and_the_grand_total_goes_on() -> None:
    s = opened()
    sold(s, (1250, False))
    s.play(on.AttendantIdentified("a-1", ("day",)))
    assert close(s) == [do.PrintReceipt("j9", "{}", copy=False), do.Reconcile(1)]
    assert isinstance(s.state.prompt, DayShown)
    assert (s.state.day, s.state.z_no, s.state.grand_total_minor) == (None, 1, 1250)
    s.play(on.AttendantLeft("a-1"))
    assert s.state.prompt is None
    s.play(on.DayOpened("2026-11-28", 2_000))
    sold(s, (2000, False))
    assert s.state.day is not None
    assert (s.state.day.no, s.state.day.gross_minor, s.state.day.grand_total_minor) == (2, 2000, 3250)
    assert durable_part(s.replayed()) == durable_part(s.state)


def test_nobody_closes_it_without_the_role_or_over_an_open_sale() -> None:
    s = opened()
    sold(s, (1250, False))
    close(s)
    s.play(on.AttendantIdentified("a-1", ("void",)))
    close(s)
    assert s.state.day is not None
    s.scan()
    s.play(on.AttendantIdentified("a-1", ("day",)))
    close(s)
    close(s, by_clock=True)
    assert s.state.day is not None


def test_a_second_opening_changes_nothing() -> None:
    s = opened()
    s.play(on.DayOpened("2026-11-28", 2_000))
    assert s.state.day is not None
    assert s.state.day.date == "2026-11-27"


def test_reading_it_prints_and_the_day_goes_on() -> None:
    s = opened()
    sold(s, (1250, False))
    day = s.state.day
    assert day is not None
    s.play(on.DayLooked())
    assert s.state.prompt is None, "for staff only"
    s.play(on.AttendantIdentified("a-1", ("day",)), on.DayLooked())
    assert s.state.prompt == DayShown(day, "X")
    assert s.play(on.DayRead(day, "{}", "j8")) == [do.PrintReceipt("j8", "{}", copy=False)]
    assert s.state.day == day


DUE = {
    "opened at 9, not yet 23:30": (9 * HOUR_MS, 23 * HOUR_MS, 0, 1410, False),
    "opened at 9, 23:30 has come": (9 * HOUR_MS, 23 * HOUR_MS + HOUR_MS // 2, 0, 1410, True),
    "opened at 23:45: tomorrow": (24 * HOUR_MS - HOUR_MS // 4, 26 * HOUR_MS, 0, 1410, False),
    "opened on the minute itself: tomorrow": (23 * HOUR_MS + HOUR_MS // 2, 24 * HOUR_MS, 0, 1410, False),
    "over midnight at 3": (9 * HOUR_MS, 27 * HOUR_MS, 0, 180, True),
    "in the shop's time, not in UTC": (9 * HOUR_MS, 22 * HOUR_MS + HOUR_MS // 2, 60, 1410, True),
    "the clock was set back": (9 * HOUR_MS, 0, 0, 1410, False),
}


@pytest.mark.parametrize("name", DUE)
def test_when_it_closes_by_itself(name: str) -> None:
    opened_ms, now_ms, tzo_min, at_min, due = DUE[name]
    assert close_due(opened_ms, now_ms, tzo_min, at_min) is due
