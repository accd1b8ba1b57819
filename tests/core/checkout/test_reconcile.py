"""The acquirer's end of day beside ours: what differs, and which sales explain it."""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.reconcile import compare, differs
from kiosk.core.report import Comparison, Explained, Totals
from kiosk.records.sale import Sale, Tender, TenderState
from tests.core.checkout.script import CARD, Script


def sale(no: int, amount: int, receipt: str, state: TenderState = "approved") -> Sale:
    s = Script()
    s.scan()
    assert s.state.sale is not None
    card = replace(CARD, receipt_no=receipt, trace_no=f"{no:06d}")
    paid = amount if state == "approved" else 0
    tender = Tender(f"t{no}", "card", state, amount, paid, card=card)
    return replace(s.state.sale, sale_no=no, state="closed", tenders=[tender])


def closed(amount: int, count: int, first: str, last: str) -> Totals:
    return Totals("closed", amount, "DKK", count, first, last)


SALES = [sale(1, 1250, "0010"), sale(2, 2000, "0011"), sale(3, 995, "0012")]


def test_equal_totals_explain_nothing() -> None:
    totals = closed(4245, 3, "0010", "0012")
    found = compare(SALES, totals)
    assert found == Comparison(4245, 3)
    assert not differs(found, totals)


def test_a_payment_that_the_terminal_does_not_have_is_named() -> None:
    totals = closed(3250, 2, "0010", "0011")
    found = compare(SALES, totals)
    assert (found.difference_minor, found.explained) == (
        995,
        (Explained("ours", "0012", "000003", 995, 3, "approved"),),
    )
    assert differs(found, totals)


def test_a_payment_that_only_the_terminal_has_is_named_by_its_number() -> None:
    found = compare([SALES[0], SALES[2]], closed(4245, 3, "0010", "0012"))
    assert (found.difference_minor, found.explained) == (-2000, (Explained("terminal", "0011"),))


def test_an_attempt_in_doubt_as_large_as_the_difference_is_named() -> None:
    doubtful = sale(4, 700, "", "unknown")
    found = compare([*SALES, doubtful], closed(4945, 4, "0010", "0012"))
    assert [(one.where, one.sale_no, one.state) for one in found.explained] == [("doubt", 4, "unknown")]


def test_one_payment_more_and_one_less_of_the_same_amount_is_a_difference_too() -> None:
    totals = closed(4245, 4, "0010", "0013")
    found = compare(SALES, totals)
    assert found.difference_minor == 0
    assert differs(found, totals)
    assert [one.receipt_no for one in found.explained] == ["0013"]


def test_a_terminal_that_tells_no_totals_differs_from_nothing() -> None:
    for outcome in ("not_possible", "refused", "unknown", "unreachable"):
        assert not differs(compare(SALES, Totals(outcome)), Totals(outcome))


def test_numbers_that_are_none_do_no_harm() -> None:
    found = compare([sale(1, 1250, "A1\u0661")], closed(0, 0, "", "9" * 30))
    assert [one.where for one in found.explained] == ["ours"]


def test_a_range_over_9999_wraps() -> None:
    found = compare([sale(1, 1250, "9999"), sale(2, 2000, "0001")], closed(3000, 2, "9998", "0001"))
    assert (found.difference_minor, found.explained) == (250, ())


def test_the_day_is_closed_whatever_the_terminal_says() -> None:
    s = Script()
    s.play(on.DayOpened("2026-11-27", 1), on.AttendantIdentified("a-1", ("day",)))
    day = s.state.day
    assert day is not None
    assert s.play(on.DayClosed(day, "{}", "", by_clock=False)) == [do.Reconcile(1)]
    unreachable = on.Reconciled(1, Totals("unreachable"), Comparison(0, 0))
    assert s.play(unreachable) == []
    assert s.journal[-1] == unreachable, "recorded all the same"
    recorded = len(s.journal)
    s.play(on.Reconciled(1, closed(5, 1, "0001", "0001"), Comparison(0, 0, -5)))
    assert len(s.journal) == recorded, "once for a day"


def test_a_difference_calls_staff() -> None:
    s = Script()
    s.play(on.DayOpened("2026-11-27", 1), on.AttendantIdentified("a-1", ("day",)))
    day = s.state.day
    assert day is not None
    s.play(on.DayClosed(day, "{}", "", by_clock=False))
    told = on.Reconciled(1, closed(5, 1, "0001", "0001"), Comparison(0, 0, -5))
    assert s.play(told) == [do.CallStaff("day_difference")]


def test_after_a_restart_it_is_asked_again_until_it_is_recorded() -> None:
    s = Script()
    s.play(on.DayOpened("2026-11-27", 1), on.AttendantIdentified("a-1", ("day",)))
    day = s.state.day
    assert day is not None
    s.play(on.DayClosed(day, "{}", "", by_clock=False))
    assert s.restart() == [do.Reconcile(1)]
    s.play(on.Reconciled(1, Totals("unknown"), Comparison(0, 0)))
    assert s.restart() == []
