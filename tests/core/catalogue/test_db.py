"""The lane's catalogue file: whole or absent, and refused with one clear error when it is anything else."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from kiosk.records.catalogue import CatalogueError, build_db, from_ndjson, open_db, to_ndjson
from kiosk.records.sale import Product
from tests.core.catalogue.lists import manifest, sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue-20261121T120000Z-1.db"


@pytest.fixture
def built(path: Path) -> Path:
    products = sample()
    build_db(products, manifest(products), path)
    return path


def test_what_is_built_is_opened(built: Path) -> None:
    connection, opened = open_db(built, thorough=True)
    connection.close()
    assert opened == manifest(sample())
    assert [file.name for file in built.parent.iterdir()] == [built.name]


def test_a_read_only_folder_is_enough(built: Path) -> None:
    built.chmod(0o444)
    built.parent.chmod(0o555)
    try:
        connection, _ = open_db(built)
        connection.execute("SELECT count(*) FROM product").fetchall()
        connection.close()
        assert [file.name for file in built.parent.iterdir()] == [built.name]
    finally:
        built.parent.chmod(0o755)


def test_progress_ends_at_all(path: Path) -> None:
    products = sample()
    seen: list[tuple[int, int]] = []
    build_db(products, manifest(products), path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(products), len(products))


def _twice(products: list[Product]) -> list[Product]:
    return [*products[1:], products[1]]


def _no_deposits(products: list[Product]) -> list[Product]:
    items = [product for product in products if product.kind == "item"]
    return items + [msgspec.structs.replace(items[0], code=str(number)) for number in (1, 2, 3)]


UNBUILDABLE: dict[str, tuple[Callable[[list[Product]], list[Product]], str]] = {
    "one missing": (lambda products: products[1:], "there are 251 products; allowed: 252, as the manifest says"),
    "code twice": (_twice, "'09521000000025' there are two products with one code; allowed: each code once"),
    "deposits missing": (
        _no_deposits,
        "'9001' is named as a deposit and is none; allowed: the code of a product of kind deposit",
    ),
}


@pytest.mark.parametrize("case", UNBUILDABLE)
def test_wrong_products_leave_nothing(path: Path, case: str) -> None:
    spoil, expected = UNBUILDABLE[case]
    products = sample()
    path.write_bytes(b"the one before")
    with pytest.raises(CatalogueError) as caught:
        build_db(spoil(products), manifest(products), path)
    assert str(caught.value) == f"{path.name}: file: {expected}"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == b"the one before"


def test_products_that_break_off_leave_nothing(path: Path) -> None:
    def half() -> Iterator[Product]:
        yield from sample()[:100]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        build_db(half(), manifest(sample()), path)
    assert not list(path.parent.iterdir())


def _sql(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return spoil


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8192])


def _zeros(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:8192] + bytes(len(data) - 8192))


def _garbage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200] + b"\xff" * 20_000)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("code,name_en"), "is no SQLite file"),
    "empty": (lambda path: path.write_bytes(b""), "is no SQLite file"),
    "header alone": (lambda path: path.write_bytes(b"SQLite format 3\x00"), "is damaged"),
    "another database": (_sql("PRAGMA application_id=7"), "is a SQLite file, but no catalogue"),
    "a later schema": (_sql("PRAGMA user_version=2"), "has schema version 2; allowed: schema version 1"),
    "a trigger": (
        _sql("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM product; END"),
        "has other tables than a catalogue",
    ),
    "a view for a table": (
        _sql("DROP TABLE meta", "CREATE VIEW meta AS SELECT 'manifest' AS key, x'7B7D' AS value"),
        "has other tables than a catalogue",
    ),
    "no manifest": (_sql("DELETE FROM meta"), "has no manifest"),
    "a manifest of text": (_sql("UPDATE meta SET value = 'x'"), "has no manifest"),
    "a manifest of nothing": (_sql("UPDATE meta SET value = x'7B7D'"), "is damaged"),
    "no products": (_sql("DELETE FROM product"), "has another number of products than its manifest says"),
    "products of nothing": (_sql("UPDATE product SET body = x'7B7D'"), "is damaged"),
    "a price changed by the disk": (
        _sql("UPDATE product SET body = CAST(replace(body, '\"price_amount\":', '\"price_amount\":1') AS BLOB)"),
        "is damaged: a product is not as it was written",
    ),
    "products of numbers": (_sql("UPDATE product SET body = 7"), "is damaged"),
    "cut off": (_cut, "is damaged"),
    "something after it": (
        lambda path: path.write_bytes(path.read_bytes() + bytes(8192)),
        "as its header says",
    ),
    "zeros after the first page": (_zeros, "is damaged"),
    "garbage": (_garbage, "allowed:"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused(built: Path, case: str) -> None:
    spoil, expected = WRONG[case]
    spoil(built)
    with pytest.raises(CatalogueError) as caught:
        open_db(built)
    assert caught.value.count == 1
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{built.name}: file: ")


def test_one_product_lost_is_seen_by_the_thorough_look(built: Path) -> None:
    _sql("DELETE FROM product WHERE code = '4011'")(built)
    connection, _ = open_db(built)
    connection.close()
    with pytest.raises(CatalogueError, match="has 251 products; allowed: 252"):
        open_db(built, thorough=True)


def test_every_byte_of_the_head_may_lie(built: Path) -> None:
    data = built.read_bytes()
    for place in range(16, 100):
        built.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            connection, _ = open_db(built, thorough=True)
        except CatalogueError:
            continue
        connection.close()


def test_products_file_goes_there_and_back() -> None:
    products = sorted(sample(), key=lambda product: product.code)
    data = to_ndjson(reversed(products))
    assert list(from_ndjson(data)) == products
    assert data.count(b"\n") == len(products)


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"nonsense", "line 1 is no product: JSON is malformed"),
    "another shape": (b'{"code":"1"}', "line 1 is no product: Object missing required field `code_kind`"),
    "deep": (b"[" * 4000, "line 1 is no product"),
    "long": (b" " * 5000, "line 1 has 5000 bytes; allowed: at most 4096"),
    "code": (to_ndjson([msgspec.structs.replace(sample()[0], code="../1")]), "its code is not 1 to 14 digits"),
    "no English": (to_ndjson([msgspec.structs.replace(sample()[0], name={"da": "x"})]), "it has no English name"),
    "negative": (to_ndjson([msgspec.structs.replace(sample()[0], price_amount=-1)]), "its price is out of range"),
    "exponent": (to_ndjson([msgspec.structs.replace(sample()[0], price_exponent=99)]), "its price is out of range"),
    "tax": (to_ndjson([msgspec.structs.replace(sample()[0], tax_rate_bp=10_001)]), "its tax rate is out of range"),
    "name": (to_ndjson([msgspec.structs.replace(sample()[0], name={"en": "x" * 65})]), "a name of more than 64"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_wrong_line_of_the_products_file(case: str) -> None:
    data, expected = BAD_LINES[case]
    with pytest.raises(CatalogueError, match=expected):
        list(from_ndjson(data))
