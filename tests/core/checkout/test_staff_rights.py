"""An attendant's rights end with their task, and nothing restricted gets by unseen."""

import msgspec
import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part
from kiosk.core.scanning import MAX_WAITING
from kiosk.core.state import NotForSale, Refused, ResolveAsked
from kiosk.records.sale import RestrictionCheck
from tests.core.checkout.script import CARD, Script, product

BEER = product(restriction="age_18")
APPROVED = RestrictionCheck("age_18", "seen_by_staff", "approved", "attendant", "a-1")


def approve(s: Script, wait_id: str) -> None:
    s.play(on.RestrictionChecked(BEER, None, "]E0", wait_id, f"d{wait_id}", "sx", "v1", s.state.language, 9, APPROVED))


def test_the_next_customers_scan_over_the_thank_you_finds_no_attendant() -> None:
    s = Script()
    s.scan()
    s.play(on.AttendantIdentified("a-1", ("void",)))
    s.to_receipt()
    s.play(on.ReceiptChosen("none", "{}", ""))
    s.scan()
    assert do.Leave("a-1") in s.effects


def test_a_pin_pad_that_nobody_used_leaves_the_attendants_clock_running() -> None:
    s = Script()
    s.play(on.AttendantIdentified("a-1", ("void",)), on.BadgeShown("b-2", 0), on.TimerElapsed("attendant"))
    assert any(isinstance(timer, do.StartTimer) and timer.name == "attendant" for timer in s.timers)


def test_no_restricted_item_is_pushed_out_by_the_next_ones() -> None:
    s = Script()
    for _ in range(24):
        s.scan(BEER)
    s.play(on.AttendantIdentified("a-1", ("approve",)))
    while s.state.waiting:
        approve(s, s.state.waiting[0].wait_id)
    assert s.state.sale is not None
    assert len(s.state.sale.lines) == 24


def test_more_than_can_wait_are_refused_and_staff_called() -> None:
    s = Script()
    for _ in range(MAX_WAITING):
        s.scan(BEER)
    assert s.scan(BEER) == [do.CallStaff("basket_full")]
    assert len(s.state.waiting) == MAX_WAITING


@pytest.mark.parametrize(("restriction", "prompt"), [("", NotForSale), ("age_18", NotForSale)])
def test_weighed_goods_are_not_sold_by_the_piece_however_restricted(restriction: str, prompt: type) -> None:
    s = Script()
    s.scan(product(restriction=restriction, code_kind="weight_embedded", unit="kg"))
    assert isinstance(s.state.prompt, prompt)
    assert not s.state.waiting


def test_a_restricted_piece_waits_for_staff() -> None:
    s = Script()
    s.scan(BEER)
    assert isinstance(s.state.prompt, Refused)


def test_a_late_approval_takes_the_question_on_older_evidence_away() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.ChargeSent("t1"), on.PaymentLost("t1", True, "cable"))
    s.play(on.PaymentQueried("t1", "unknown", 0, 0, "", None, "foreign", 7))
    s.answer_effects()
    s.play(on.AttendantIdentified("a-1", ("payments",)), on.ResolveTouched(False))
    assert isinstance(s.state.prompt, ResolveAsked)
    s.play(on.PaymentApproved("t1", 9, 1250, "DKK", CARD))
    assert s.state.prompt is None


@pytest.mark.parametrize("how", ["restricted", "recalled"])
def test_a_sale_that_staff_or_a_slip_opened_replays_in_its_language(how: str) -> None:
    s = Script()
    s.play(on.StartTouched(), on.LanguageChosen("en"))
    if how == "restricted":
        s.scan(BEER)
        s.play(on.AttendantIdentified("a-1", ("approve",)))
        approve(s, s.state.waiting[0].wait_id)
    else:
        items = (on.RecalledItem(product(), None, 1, 1250),)
        s.play(on.SaleRecalled("ab" * 16, "transferred", "v1", items, (), "p", "s2", "v1", s.state.language, 5))
    s.play(on.LanguageChosen("da"))
    assert s.state.sale is not None
    assert s.state.sale.language == "da"
    assert durable_part(s.state) == durable_part(s.replayed())
    assert msgspec.json.encode(s.state.sale) == msgspec.json.encode(s.replayed().sale)
