"""A basket takes only what can still be recorded as sold: who can pay for it must get it."""

import pytest
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import MAX_LINES
from kiosk.core.checkout import step
from kiosk.core.closing import sealed
from kiosk.core.entry import entry
from kiosk.records.canonical import canonical
from kiosk.records.catalogue_row import MAX_NAME_CHARS
from kiosk.records.journal import MAX_RECORD_BYTES
from kiosk.records.sale import Fiscal
from tests.core.checkout.script import PANT, SHOP, Script, product

HEADER_BYTES = 2048
RECEIPT_LINES = ["x" * 96] * 200
NAMES = {"short": {"en": "Tea"}, "long": dict.fromkeys(SHOP.languages, "😀" * MAX_NAME_CHARS)}


def filled(names: dict[str, str], deposit: bool) -> Script:
    """Scanned until the lane calls staff, and once more."""
    s = Script()
    item = replace(product(), name=names)
    while do.CallStaff("basket_full") not in s.scan(item, PANT if deposit else None):
        assert s.state.sale is not None
        assert len(s.state.sale.lines) <= MAX_LINES
    return s


@pytest.mark.parametrize("deposit", [False, True])
@pytest.mark.parametrize("names", NAMES)
def test_every_record_of_the_fullest_sale_can_be_written(names: str, deposit: bool) -> None:
    s = filled(NAMES[names], deposit)
    assert s.state.sale is not None
    if names == "short":
        assert len(s.state.sale.lines) == MAX_LINES
    lines = len(s.state.sale.lines)
    s.to_charge()
    s.approve()
    for event in (on.PaymentEnded("t1", "stands", RECEIPT_LINES), on.Fiscalised(Fiscal("none")), on.SaleClosed(1)):
        before = s.state
        taken = step(before, event)
        body = entry(event, taken.effects, taken.state, sealed(before, event, taken.state))
        assert len(canonical(body)) + HEADER_BYTES < MAX_RECORD_BYTES
        s.play(event)
    assert (s.state.stage, len(s.state.sale.lines)) == ("receipt", lines)
