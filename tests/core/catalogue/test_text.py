"""A product list in, products or all its mistakes out; the mistakes stand in a table with their exact words."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.records.catalogue import CatalogueError, decode, iter_csv, lines, parse_csv, parse_json
from kiosk.records.sale import Currency, Product
from tests.core.catalogue.lists import DKK, HEADING, ROW, row, sample, table
from tests.core.catalogue.mistakes import ALL, BAD, GOOD, TEXT


def problems(text: str) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        parse_csv(text, "list.csv", DKK)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("case", BAD)
def test_mistake(case: str) -> None:
    text, expected = BAD[case]
    assert expected in problems(text)
    if "column" not in case:
        assert len(problems(text)) == 1


def test_all_mistakes_of_all_lines_are_told_at_once() -> None:
    text = table(row(price="x", unit="y"), row(code="4011", code_kind="plu"), row(code="1", tax="z"), "a,b")
    assert [line.split(":")[0] for line in problems(text)] == [
        "line 2, price",
        "line 2, unit",
        "line 4, code",
        "line 4, tax",
        "line 5",
    ]


def test_a_hundred_are_shown_and_the_rest_is_counted() -> None:
    with pytest.raises(CatalogueError) as caught:
        parse_csv(table(*["x"] * 250), "list.csv", DKK)
    assert (len(caught.value.problems), caught.value.count) == (100, 250)
    assert str(caught.value).endswith("list.csv: and 150 more problems")


def test_a_row_as_product() -> None:
    text = table(
        row(code="012345678905", name_da="Rugbrød", name_zh_hant='"麵包, ""黑"""', price="1.2345", deposit="9001"),
        row(code="9001", code_kind="plu", kind="deposit", tax="O:0", category="deposit", restriction="age_18"),
    )
    assert parse_csv(text, "list.csv", DKK) == [
        Product(
            code="00012345678905",
            code_kind="gtin",
            name={"en": "Rye bread", "da": "Rugbrød", "zh-Hant": '麵包, "黑"'},
            price_amount=12345,
            price_exponent=4,
            unit="each",
            tax_category="S",
            tax_rate_bp=2500,
            category="bakery",
            deposit="9001",
        ),
        Product("9001", "plu", {"en": "Rye bread"}, 2495, 2, "each", "O", 0, "deposit", "", "age_18", "", "deposit"),
    ]


@pytest.mark.parametrize(
    ("text", "currency", "amount", "exponent"),
    [
        ("12", DKK, 1200, 2),
        ("12.5", DKK, 1250, 2),
        ("12.500", DKK, 1250, 2),
        ("12.505", DKK, 12505, 3),
        ("30", Currency("TWD", 0), 30, 0),
        ("30.5", Currency("TWD", 0), 305, 1),
        ("1.234", Currency("BHD", 3), 1234, 3),
    ],
)
def test_price(text: str, currency: Currency, amount: int, exponent: int) -> None:
    (product,) = parse_csv(table(row(price=text)), "list.csv", currency)
    assert (product.price_amount, product.price_exponent) == (amount, exponent)


@pytest.mark.parametrize(
    "text",
    [
        table(GOOD).replace("\n", "\r\n"),
        "\ufeff" + table(GOOD),
        table(GOOD).rstrip("\n"),
        table("", GOOD, "", "," * 14),
        "\n" + table(GOOD),
        table(GOOD.replace(",", " , ")),
        table(GOOD).replace("code,", "CODE,", 1),
        ",".join(ROW) + "\n" + ",".join(ROW.values()),
        ",".join(reversed(ROW)) + "\n" + ",".join(reversed(ROW.values())),
    ],
    ids=[
        "CR LF",
        "BOM",
        "no last LF",
        "empty rows",
        "empty start",
        "spaces",
        "capitals",
        "needed columns",
        "any order",
    ],
)
def test_forms_that_mean_the_same(text: str) -> None:
    assert parse_csv(text, "list.csv", DKK) == parse_csv(table(GOOD), "list.csv", DKK)


def test_a_list_from_a_file_is_that_from_text(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(table(GOOD, "9" * 30_000, "x").encode())
    with pytest.raises(CatalogueError) as caught:
        list(iter_csv(lines(path), "list.csv", DKK))
    assert [problem.line for problem in caught.value.problems] == [3, 4]


@given(st.text(max_size=300) | st.lists(st.text(max_size=20), max_size=40).map(",".join))
def test_any_row_is_a_product_or_a_problem(text: str) -> None:
    try:
        parse_csv(HEADING + "\n" + text, "list.csv", DKK)
    except CatalogueError as error:
        told = error
    else:
        return
    assert told.problems
    assert all(str(problem).isprintable() for problem in told.problems)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_one_kind_of_error(data: bytes) -> None:
    for parse in (parse_csv, parse_json):
        with pytest.raises(CatalogueError):
            parse(decode(data), "list", DKK)


def test_json_means_what_csv_means() -> None:
    assert parse_json(msgspec.json.encode([ROW]), "list.json", DKK) == parse_csv(table(GOOD), "list.csv", DKK)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**ROW, "price": 24.95}, "line 1, price: '24.95' is no text; allowed: text in quotes"),
        ({**ROW, "colour": "red"}, f"line 1: 'colour' is an unknown column; allowed: {ALL}"),
        (
            {**ROW, "name_da": "a\nb"},
            f"line 1, name_da: 'a\\nb' holds the control character U+000A; allowed: {TEXT}",
        ),
        ({**ROW, "unit": "box"}, "line 1, unit: 'box' is unknown; allowed: each, kg, g, l, m"),
    ],
)
def test_json_mistake(entry: dict[str, object], expected: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        parse_json(msgspec.json.encode([entry]), "list.json", DKK)
    assert [str(problem) for problem in caught.value.problems] == [expected]


def test_sample_shop() -> None:
    products = sample()
    by_code = {product.code: product for product in products}
    assert len(products) >= 220
    assert all(len(product.name) == 5 for product in products)
    assert max(len(name) for product in products for name in product.name.values()) <= 32
    assert {by_code[product.deposit].price_amount for product in products if product.deposit} == {100, 150, 300}
    assert {product.code_kind for product in products} == {"gtin", "plu", "price_embedded", "weight_embedded"}
    assert {product.restriction for product in products} == {"", "age_16", "age_18"}
    for language in ("en", "da", "bg", "zh-Hans", "zh-Hant"):
        names = [product.name[language] for product in products]
        assert len(set(names)) == len(names), language


def test_large_catalogue_begins_with_the_sample() -> None:
    from tests.bench.catalogue_100k import text

    products = parse_csv(text(1000), "large.csv", DKK)
    assert len(products) == 1000
    assert products[: len(sample())] == sample()
