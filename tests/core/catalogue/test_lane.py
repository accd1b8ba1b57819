"""The lane's view: products by code, deposits, categories; and which version is the newest that may be taken."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from kiosk.lane.catalogue import Catalogue, file_name, newest
from kiosk.records.catalogue import CatalogueError, build_db
from tests.core.catalogue.lists import DKK, manifest, sample


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    products = sample()
    path = tmp_path / file_name("v-1")
    build_db(products, manifest(products, "v-1"), path)
    with Catalogue.open(path) as opened:
        yield opened


def test_what_it_says_of_itself(catalogue: Catalogue) -> None:
    said = (catalogue.version, catalogue.count, catalogue.currency, catalogue.prices_include_tax)
    assert said == ("v-1", 252, DKK, True)


def test_every_product_is_found(catalogue: Catalogue) -> None:
    for product in sample():
        assert catalogue.find(product.code) == product


@pytest.mark.parametrize("code", ["", "0", "9521000000018", "' OR 1=1 --", "\x00", "\udc80", "9" * 10_000])
def test_other_codes_are_not(catalogue: Catalogue, code: str) -> None:
    assert catalogue.find(code) is None


def test_a_can_has_its_deposit(catalogue: Catalogue) -> None:
    (can,) = [product for product in sample() if product.name["en"] == "Fjelvig cola, can 330 ml"]
    deposit = catalogue.deposit_of(can)
    assert deposit is not None
    assert (deposit.kind, deposit.price_amount, deposit.tax_category) == ("deposit", 100, "O")
    assert catalogue.deposit_of(deposit) is None


def test_categories_hold_items_only(catalogue: Catalogue) -> None:
    categories = dict(catalogue.categories())
    assert "deposit" not in categories
    assert sum(categories.values()) == 249
    assert list(categories) == sorted(categories)
    fruit = catalogue.browse("fruit_veg", limit=100)
    assert len(fruit) == categories["fruit_veg"] == 24
    assert catalogue.browse("fruit_veg", 5, 5) == fruit[5:10]
    assert catalogue.browse("none") == catalogue.browse("\udc80") == []


def _put(folder: Path, version: str, sequence: int, valid_from_ms: int = 0, name: str = "") -> Path:
    products = sample()[-3:]
    path = folder / file_name(name or version)
    made = msgspec.structs.replace(manifest(products, version, sequence), valid_from_ms=valid_from_ms)
    build_db(products, made, path)
    return path


def test_newest_is_the_highest_sequence(tmp_path: Path) -> None:
    _put(tmp_path, "z-1", 1)
    best = _put(tmp_path, "a-3", 3)
    _put(tmp_path, "b-2", 2)
    assert newest(tmp_path) == best
    assert newest(tmp_path, 3) == best
    assert newest(tmp_path, 4) is None


def test_newest_passes_over_what_is_not_ready(tmp_path: Path) -> None:
    best = _put(tmp_path, "v-1", 1)
    _put(tmp_path, "v-2", 2, valid_from_ms=2000)
    _put(tmp_path, "v-3", 3, name="other")
    (tmp_path / "catalogue-v-4.db").write_bytes(b"SQLite format 3\x00")
    (tmp_path / "catalogue-v-5.db").mkdir()
    (tmp_path / "catalogue-v_6.db").write_bytes(_put(tmp_path, "v-6", 6, 3000).read_bytes())
    assert newest(tmp_path, now_ms=1999) == best
    assert newest(tmp_path, now_ms=2000) == tmp_path / "catalogue-v-2.db"


def test_newest_of_nothing(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    assert newest(tmp_path / "absent") is None


@pytest.mark.parametrize("version", ["", "../x", "a/b", "a" * 41, "v\n", "é"])
def test_a_version_never_leaves_the_folder(version: str) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 40 of"):
        file_name(version)


def test_damage_found_while_reading_is_one_error(tmp_path: Path) -> None:
    path = _put(tmp_path, "v-1", 1)
    data = path.read_bytes().replace(b'"code_kind":"plu"', b'"code_kind":"xxx"')
    # Open looks at the first product by code; here the others are spoilt.
    first = data.rindex(b'"code_kind":"xxx"')
    path.write_bytes(data[:first] + b'"code_kind":"plu"' + data[first + 17 :])
    with Catalogue(path) as catalogue, pytest.raises(CatalogueError, match="is damaged"):
        catalogue.find("9003")


def test_a_category_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = _put(tmp_path, "v-1", 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO category VALUES(CAST(x'FF' AS TEXT), 1)")
        connection.commit()
    with Catalogue(path) as catalogue, pytest.raises(CatalogueError, match="is damaged"):
        catalogue.categories()


def test_a_product_under_anothers_code_is_damage(tmp_path: Path) -> None:
    path = _put(tmp_path, "v-1", 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE product SET code = '9009' WHERE code = '9002'")
        connection.commit()
    with Catalogue(path) as catalogue, pytest.raises(CatalogueError, match="stands under another's code"):
        catalogue.find("9009")
