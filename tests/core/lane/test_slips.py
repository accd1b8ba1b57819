"""Suspending and recalling against a real catalogue file."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.slipcode import encode
from kiosk.core.state import DeviceHealth, State
from kiosk.lane.catalogue import Catalogue
from kiosk.lane.slips import recall, suspend
from kiosk.lane.stamp import LaneStamp
from kiosk.receipt.blocks import Qr, from_json
from kiosk.records.catalogue import build_db
from kiosk.records.manifest import Manifest
from tests.core.checkout.script import DKK, Script, product, ready_state

STAMP = LaneStamp()
BREAD, SODA = product(price=1250), product("05712345678913", 995)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    manifest = Manifest("v2", 2, "s", DKK, True, 2, 1, "0" * 64, 0, 0)
    build_db([BREAD, SODA], manifest, tmp_path / "catalogue-v2.db")
    return Catalogue.open(tmp_path / "catalogue-v2.db")


def basket(*items: Any) -> State:
    s = Script()
    for item in items:
        s.scan(item)
    assert s.state.sale is not None
    return replace(s.state, sale=replace(s.state.sale, sale_id="ab" * 16))


def staffed(state: State) -> State:
    from kiosk.core.state import Attendant

    return replace(state, attendant=Attendant("a-1", ("suspend",)))


def code_of(state: State, *, minutes_ago: int = 0) -> str:
    assert state.sale is not None
    return encode(state.sale, STAMP.wall_ms() - minutes_ago * 60_000)


def test_there_and_back(catalogue: Catalogue) -> None:
    event = suspend(staffed(basket(BREAD, BREAD, SODA)), STAMP)
    assert isinstance(event, on.SaleSuspended)
    (qr,) = [block for block in from_json(event.document).blocks if isinstance(block, Qr)]
    assert qr.data == event.code
    back = recall(ready_state(), event.code, catalogue, STAMP)
    assert isinstance(back, on.SaleRecalled)
    assert [(item.product.code, item.pieces) for item in back.items] == [(BREAD.code, 2), (SODA.code, 1)]
    assert (back.original, back.catalogue_version, back.missing) == ("ab" * 16, "v2", ())


def test_a_customer_may_only_where_no_card_can_be_taken() -> None:
    state = basket(BREAD)
    assert suspend(state, STAMP) is None
    dead = replace(state, health=replace(state.health, terminal=DeviceHealth("absent", "unplugged")))
    assert isinstance(suspend(dead, STAMP), on.SaleSuspended)


def test_what_does_not_fit_is_refused_with_words() -> None:
    many = [product(f"{5_712_345_678_000 + n:014d}", 1000 + n) for n in range(60)]
    assert suspend(staffed(basket(*many)), STAMP) == on.FoundNotPossible("suspend_too_large")


def test_without_a_printer_the_code_is_only_shown() -> None:
    state = staffed(basket(BREAD))
    state = replace(state, health=replace(state.health, printer=DeviceHealth("fault", "paper_out")))
    event = suspend(state, STAMP)
    assert isinstance(event, on.SaleSuspended)
    assert event.job_id == ""


def test_what_this_lane_does_not_sell_is_left_out_and_named(catalogue: Catalogue) -> None:
    strange = product("05712345678999", 100)
    back = recall(ready_state(), code_of(basket(BREAD, strange)), catalogue, STAMP)
    assert isinstance(back, on.SaleRecalled)
    assert back.missing == (strange.code,)


def test_why_a_slip_is_not_taken_up(catalogue: Catalogue) -> None:
    code = code_of(basket(BREAD))
    euro = replace(ready_state(), shop=replace(ready_state().shop, currency=replace(DKK, code="EUR")))
    cases = {
        "recall_busy": (basket(SODA), code),
        "recall_currency": (euro, code),
        "recall_taken": (ready_state(recalled=("ab" * 6,)), code),
        "recall_expired": (ready_state(), code_of(basket(BREAD), minutes_ago=24 * 60 + 1)),
        "recall_empty": (ready_state(), code_of(basket(product("05712345678999", 100)))),
    }
    found = {why: recall(state, text, catalogue, STAMP) for why, (state, text) in cases.items()}
    assert found == {why: on.FoundNotPossible(why) for why in cases}


def test_a_hostile_code_is_not_a_product(catalogue: Catalogue) -> None:
    text = code_of(basket(BREAD))[:-1] + "!"
    assert recall(ready_state(), text, catalogue, STAMP) == on.UnknownScanned(text, "not_a_product")
