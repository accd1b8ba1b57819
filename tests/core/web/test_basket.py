"""How lines become rows: named cases, the newest row first."""

import csv
from pathlib import Path

import pytest

import kiosk
from kiosk.i18n import translator
from kiosk.records.sale import Quantity
from kiosk.web.basket import Row, item_count, rows
from kiosk.web.pictures import picture
from tests.core.web.states import DEPOSIT, PRODUCTS, line, on, sale

NB = "\u00a0"
ENGLISH = translator("en")


def brief(row: Row) -> tuple[str, str, str]:
    return row.name, row.detail.replace(NB, " "), row.amount.replace(NB, " ")


def test_identical_items_share_a_row_that_moves_to_the_front() -> None:
    found = rows(sale("apple", "milk", "apple"), ENGLISH)
    assert [brief(row) for row in found] == [
        ("Apple", "2 × DKK 3.50", "DKK 7.00"),
        ("Organic milk 1 l", "", "DKK 13.95"),
    ]
    assert [(row.key, row.line_id) for row in found] == [("l0", "l2"), ("l1", "l1")]


def test_deposits_stand_below_their_item() -> None:
    (row,) = rows(sale("soda", "soda"), ENGLISH)
    assert brief(row) == ("Elderflower soda", "2 × DKK 12.00", "DKK 24.00")
    (sub,) = row.subs
    assert (sub.name, sub.detail.replace(NB, " "), sub.amount.replace(NB, " ")) == (
        "Deposit",
        "2 × DKK 1.00",
        "DKK 2.00",
    )


def test_a_voided_line_and_its_void_are_gone() -> None:
    held = sale("milk", "rye")
    held = on(held, lines=[*held.lines, line(9, "milk", PRODUCTS["milk"][3], -1395, voids="l0")])
    assert [row.name for row in rows(held, ENGLISH)] == ["Rye bread"]
    assert item_count(held) == 1


def test_another_price_is_another_row() -> None:
    name = {"en": "Apple"}
    held = on(sale(), lines=[line(0, "apple", name, 350), line(1, "apple", name, 300)])
    assert [brief(row)[2] for row in rows(held, ENGLISH)] == ["DKK 3.00", "DKK 3.50"]


def test_weighed_pieces_are_never_the_same() -> None:
    half = Quantity(500, 3, "kg")
    held = on(sale(), lines=[line(n, "pear", {"en": "Pears"}, 2000, quantity=half) for n in range(2)])
    expected = ("Pears", "0.500 kg at DKK 20.00", "DKK 10.00")
    assert [brief(row) for row in rows(held, ENGLISH)] == [expected, expected]
    assert item_count(held) == 2


def test_a_deposit_without_its_item_still_shows() -> None:
    held = on(sale(), lines=[line(0, "pant", DEPOSIT, 100, kind="deposit", parent="gone")])
    assert [row.name for row in rows(held, ENGLISH)] == ["Deposit"]


@pytest.mark.parametrize(
    ("code", "symbol", "initial"), [("milk", "milk", "O"), ("magnet", "", "F"), ("long", "coffee", "S")]
)
def test_pictures(code: str, symbol: str, initial: str) -> None:
    (row,) = rows(sale(code), ENGLISH)
    assert (row.picture.symbol, row.picture.initial) == (symbol, initial)


def test_the_name_says_its_language() -> None:
    (row,) = rows(sale("magnet"), translator("bg"))
    assert (row.name, row.lang) == ("Fridge magnet", "en")


def test_no_sale_has_no_rows() -> None:
    assert rows(None, ENGLISH) == []
    assert item_count(None) == 0


def test_every_picture_of_the_sample_shop_is_drawn() -> None:
    with (Path(kiosk.__file__).parents[1] / "provisioning/shop/sample.csv").open(encoding="utf-8", newline="") as lines:
        missing = {row["image"] for row in csv.DictReader(lines) if not picture(row["image"], "none", "x").symbol}
    assert missing == set()
