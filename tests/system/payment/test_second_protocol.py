"""A terminal of another protocol: a driver is all it takes. Lane and core are the same, and know no protocol."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kiosk
from tests.system.payment.plain import PlainTerminal
from tests.system.payment.shop import PRICE_MINOR, Shop
from tests.system.payment.test_parts import gives_up, last
from tests.system.payment.till import HouseTill, asks_for_card, leaves, moves_on, pays, shows_basket, stage_is

PROTOCOL = re.compile(r"\b(zvt|apdu|bmp ?[0-9a-f]{2}|ecr|pa00p01\d|0[456] (0f|1e|20|01|d1|d3)|nexo)\b", re.IGNORECASE)


class PlainShop(Shop):
    def __init__(self, plain: PlainTerminal) -> None:
        super().__init__()
        self.plain = plain

    def terminal_options(self) -> str:
        return f'model = "plain"\nport = {self.plain.port}'


@pytest.fixture
def shop() -> Iterator[PlainShop]:
    plain = PlainTerminal()
    try:
        made = PlainShop(plain)
        with made:
            yield made
    finally:
        plain.stop()


@pytest.mark.system
def test_a_sale_is_paid(shop: PlainShop) -> None:
    with HouseTill(shop.lane) as till:
        shows_basket(till, shop.scan)
        asks_for_card(till)
        assert pays(till).total_minor == PRICE_MINOR
        leaves(till)
    assert list(shop.plain.paid.values()) == [PRICE_MINOR]
    shop.verify_journal()


@pytest.mark.system
@pytest.mark.parametrize("word", ["offer", "take"])
def test_a_line_that_is_lost_charges_once(shop: PlainShop, word: str) -> None:
    shop.plain.drops = word
    with HouseTill(shop.lane) as till:
        shows_basket(till, shop.scan)
        asks_for_card(till)
        sale = pays(till)
        assert len(sale.tenders) == 2, "the first was not charged, and the customer paid again"
        leaves(till)
    assert list(shop.plain.paid.values()) == [PRICE_MINOR]


@pytest.mark.system
def test_a_part_is_paid_and_given_back(shop: PlainShop) -> None:
    shop.plain.part_minor = 500
    with HouseTill(shop.lane) as till:
        shows_basket(till, shop.scan)
        asks_for_card(till)
        moves_on(till, stage_is("choosing"))
        assert list(shop.plain.paid.values()) == [500]
        assert gives_up(till).sale is None
    assert shop.plain.paid == {}
    assert [tender.state for tender in last(shop).tenders] == ["reversed"]


def test_the_kiosk_knows_no_terminal_protocol() -> None:
    root = Path(kiosk.__file__).parent
    texts = [path for path in root.rglob("*") if path.suffix in (".py", ".html", ".js", ".po")]
    assert len(texts) > 100
    told = {str(path): PROTOCOL.findall(path.read_text()) for path in texts if "vendor" not in path.parts}
    assert not {path: words for path, words in told.items() if words}
    assert PROTOCOL.search("ZVT"), "the search finds what it looks for"
