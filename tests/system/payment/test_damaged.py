"""An open sale that has rotted in the journal: the lane ends it with an alarm, charges nothing, and sells on."""

import pytest

from kiosk.core import events as on
from tests.core.journal.lane import TestLane
from tests.core.journal.mending import edit, spoil
from tests.system.payment.shop import PRICE_MINOR, Shop
from tests.system.payment.till import HouseTill, asks_for_card, leaves, moves_on, pays, shows_basket, stage_is

pytestmark = pytest.mark.system


def test_a_rotten_record_of_the_open_sale_ends_it_with_an_alarm() -> None:
    with Shop() as shop:
        with HouseTill(shop.lane) as till:
            shows_basket(till, shop.scan, 2)
        rotten = next(record.seq for record in shop.records() if record.typ == "item.scanned")
        edit(TestLane(shop.folder / "lane"), spoil(rotten))
        with HouseTill(shop.lane) as till:
            moves_on(till, stage_is("idle"))
            shows_basket(till, shop.scan)
            asks_for_card(till)
            pays(till)
            leaves(till)
        types = [record.typ for record in shop.records(but=rotten)]
        assert types.count("sale.lost") == 1
        assert types.index("sale.lost") < types.index("lane.restarted", types.index("journal.gap"))
        assert shop.amounts() == [PRICE_MINOR]
        assert on.SaleLost.__struct_config__.tag in on.AT_REST
