"""What a receipt says: every sum exact, every language whole, nothing said that was not sold."""

import re
from pathlib import Path

import msgspec
import pytest
from babel.messages.pofile import read_po

import kiosk.i18n
import kiosk.receipt
from kiosk.receipt.blocks import Banner, Barcode, Card, Item, Pair, Qr, TaxTable, Text, Total
from kiosk.receipt.document import Document, DocumentError, from_json, to_json
from kiosk.receipt.fiscal import check_scheme
from kiosk.records.sale import CardReferences, Currency, Discount, Foreign, Line, Quantity, TaxTotal, Tender
from tests.core.receipt.sales import DKK, NAMES, SHOPS, card, issue, line, numbered, sale, typical

LANGUAGES = tuple(SHOPS)
EUR = Currency("EUR", 2)


def minor(text: str) -> int:
    """The integer a printed amount stands for, whatever the separators."""
    digits = re.sub(r"[^0-9]", "", text)
    return -int(digits) if text.startswith("-") else int(digits)


def of(document: Document, kind: type) -> list:
    return [block for block in document.blocks if isinstance(block, kind)]


def words(document: Document) -> str:
    return to_json(document)


def each(name: str, gross_minor: int, **more: object) -> Line:
    return line(0, {"en": name}, gross_minor, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_adds_up_and_names_its_goods(language: str) -> None:
    sold = typical(language)
    document = issue(sold, language)
    assert sum(minor(item.amount) for item in of(document, Item)) == sold.total_minor
    (total,) = of(document, Total)
    assert total.amount.startswith(sold.currency.code)
    assert minor(total.amount) == sold.total_minor
    rows = of(document, TaxTable)[0].rows
    assert [(minor(r.base), minor(r.tax), minor(r.gross)) for r in rows] == [
        (t.base_minor, t.tax_minor, t.gross_minor) for t in sold.taxes
    ]
    assert all(minor(row.base) + minor(row.tax) == minor(row.gross) for row in rows)
    assert {item.name for item in of(document, Item)} >= set(NAMES[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_json_gives_the_same_document_back(language: str) -> None:
    document = issue(typical(language), language)
    assert from_json(to_json(document)) == document
    assert to_json(from_json(to_json(document))) == to_json(document)


JSON_FAULTS = {
    "not json": ("{", "truncated"),
    "unknown field": ('"renderer":', '"extra":1,"renderer":'),
    "unknown block": ('"type":"total"', '"type":"command"'),
    "wrong type": ('"total_minor":11100', '"total_minor":"11100"'),
    "float money": ('"total_minor":11100', '"total_minor":111.5'),
    "other renderer": ("kassa-receipt/1", "kassa-receipt/9"),
    "lone surrogate": ('"sale_id":"', '"sale_id":"\\ud800'),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_json_is_strict(fault: str) -> None:
    good = to_json(issue(typical("da")))
    old, new = JSON_FAULTS[fault]
    assert old in good
    with pytest.raises(DocumentError, match="receipt document: "):
        from_json(good.replace(old, new, 1) if fault != "not json" else good[:-1])


def test_json_is_bounded() -> None:
    with pytest.raises(DocumentError, match="allowed: 2000000"):
        from_json(" " * 2_000_001)


def test_neighbours_alike_become_one_line_and_others_do_not() -> None:
    lines = numbered([each("Milk", 1250), each("Milk", 1250), each("Bread", 2000), each("Milk", 1250)])
    items = of(issue(sale(lines)), Item)
    assert [(i.name, i.detail.replace("\u00a0", " "), i.amount) for i in items] == [
        ("Milk", "2 × 12,50", "25,00"),
        ("Bread", "", "20,00"),
        ("Milk", "", "12,50"),
    ]


DIFFERENCES: dict[str, dict[str, object]] = {
    "price": {"gross_minor": 1200, "unit_price": 1200},
    "charged less than its price": {"gross_minor": 1200, "unit_price": 1250},
    "tax": {"category": "Z", "rate_bp": 0},
    "void": {"gross_minor": -1250, "quantity": Quantity(-1), "voids": "n0"},
    "void of a void": {"gross_minor": 1250, "quantity": Quantity(1), "voids": "n0"},
    "discount": {"discounts": [Discount("r1", "1", "staff", 0)]},
    "weighed": {"quantity": Quantity(1000, 3, "kg"), "unit_price": 1250},
    "reason": {"reason": "damaged"},
    "kind": {"kind": "fee"},
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_unlike_lines_stay_apart(difference: str) -> None:
    other: dict[str, object] = {"gross_minor": 1250} | DIFFERENCES[difference]
    lines = numbered([each("Milk", 1250), each("Milk", **other)])  # type: ignore[arg-type]
    items = of(issue(sale(lines)), Item)
    assert len(items) == 2
    assert sum(minor(item.amount) for item in items) == sum(one.gross_minor for one in lines)


def test_deposits_hang_below_and_join_with_their_goods() -> None:
    lines = numbered([each("Water", 900), each("Deposit", 100, kind="deposit")] * 3)
    items = of(issue(sale(lines)), Item)
    assert [(i.level, i.detail.replace("\u00a0", " "), i.amount) for i in items] == [
        (0, "3 × 9,00", "27,00"),
        (1, "3 × 1,00", "3,00"),
    ]


def test_goods_with_and_without_deposit_stay_apart() -> None:
    lines = numbered([each("Water", 900), each("Deposit", 100, kind="deposit"), each("Water", 900)])
    assert [item.amount for item in of(issue(sale(lines)), Item)] == ["9,00", "1,00", "9,00"]


def test_lines_whose_parents_form_a_ring_or_are_gone_are_still_shown() -> None:
    lines = numbered([each("A", 100), each("B", 200), each("C", 400)])
    ring = [msgspec.structs.replace(one, parent=parent) for one, parent in zip(lines, ("n1", "n0", "x"), strict=True)]
    assert sum(minor(item.amount) for item in of(issue(sale(ring)), Item)) == 700


def test_weighed_goods_show_weight_and_a_price_finer_than_money() -> None:
    apples = each("Apples", 2437, quantity=Quantity(1250, 3, "kg"), unit_price=194950, exponent=4)
    (item,) = of(issue(sale([apples])), Item)
    assert (item.detail.replace("\u00a0", " "), item.amount) == ("1,250 kg × 19,495", "24,37")


def test_free_and_negative_lines_and_a_currency_without_decimals() -> None:
    twd = Currency("TWD", 0)
    lines = numbered(
        [
            each("Sample", 0, exponent=0),
            each("Bottle return", -15, exponent=0, reason="return"),
            each("Tea", 1250, exponent=0),
        ]
    )
    document = issue(sale(lines, twd), "zh-Hant")
    assert [item.amount for item in of(document, Item)] == ["0", "-15", "1,250"]
    assert of(document, Total)[0].amount == "TWD\u00a01,235"


def test_a_void_says_so() -> None:
    lines = numbered([each("Milk", 1250), each("Milk", -1250, quantity=Quantity(-1), voids="n0", reason="too dear")])
    assert of(issue(sale(lines)), Item)[1].detail == "Annulleret, too dear"


def test_marks_tell_tax_categories_apart_only_where_there_are_several() -> None:
    one = issue(sale(numbered([each("Milk", 1250)])))
    assert of(one, Item)[0].mark == ""
    assert of(one, TaxTable)[0].rows[0].label == "25\u00a0%"
    two = issue(sale(numbered([each("Milk", 1250), each("Book", 9900, category="Z", rate_bp=0)])))
    assert [item.mark for item in of(two, Item)] == ["A", "B"]
    assert [row.label for row in of(two, TaxTable)[0].rows] == ["A 25\u00a0%", "B 0\u00a0%"]


def test_prices_without_tax_lead_to_the_total_by_way_of_the_tax() -> None:
    document = issue(
        sale(
            numbered([each("Milk", 1000)]),
            prices_include_tax=False,
            taxes=[TaxTotal("S", 2500, 1000, 250, 1250)],
            total_minor=1250,
        )
    )
    pairs = {pair.left: pair.right for pair in of(document, Pair)}
    assert (pairs["Subtotal"], pairs["Moms 25\u00a0%"]) == ("10,00", "2,50")


def test_only_payments_that_stand_are_shown() -> None:
    states = ("declined", "cancelled", "unknown", "reversed", "open", "sent")
    failed = [Tender(f"t{i}", "card", state, 77777, 77777) for i, state in enumerate(states)]  # type: ignore[arg-type]
    document = issue(sale(numbered([each("Milk", 1250)]), tenders=[*failed, card(1250)]))
    assert "777,77" not in words(document)
    assert [pair.right for pair in of(document, Pair) if pair.left == "Visa"] == ["12,50"]


def test_cash_with_change_and_a_foreign_note() -> None:
    tender = Tender(
        "t1", "cash", "approved", 1250, 1250, change_minor=2500, foreign=Foreign(500, EUR, "7.46"), tip_minor=100
    )
    pairs = {pair.left: pair.right for pair in of(issue(sale(numbered([each("Milk", 1250)]), tenders=[tender])), Pair)}
    assert pairs["Kontant"] == "12,50"
    assert pairs["Byttepenge"] == "25,00"
    assert pairs["heraf drikkepenge"] == "1,00"
    assert pairs["EUR 5,00"] == "× 7.46"


def test_the_card_is_told_by_its_references() -> None:
    (block,) = of(issue(typical("da")), Card)
    assert [pair.right for pair in block.references] == [
        "************1234",
        "52500017",
        "000123",
        "0045",
        "A1B2C3",
        "11-21 23:24:10",
    ]


# Made up, with their check digits: 16, 19 and 15 digits long.
FULL_NUMBERS = (
    "4571994012345679",
    "4571 9940 1234 5679",
    "4571-9940-1234-5679",
    "PAN4571994012345678907",
    "378282246310005",
)


@pytest.mark.parametrize("number", FULL_NUMBERS)
def test_a_full_card_number_never_reaches_the_document(number: str) -> None:
    references = CardReferences(number, "Visa", "1", "2", "3", "4", "5")
    tender = Tender("t1", "card", "approved", 1250, 1250, card=references, receipt_lines=["", f"  Card {number}"])
    document = issue(sale(numbered([each("Milk", 1250)]), tenders=[tender]))
    (block,) = of(document, Card)
    digits = re.sub(r"[^0-9]", "", number)
    for text in (block.references[0].right, block.terminal_lines[1]):
        assert re.sub(r"[^0-9]", "", text) == digits[-4:]


def test_other_long_numbers_of_the_terminal_stay_readable() -> None:
    said = ["A-ID A0000000031010", "REF 4571994012345670123456", "TX 4571994012345671"]
    tender = Tender("t1", "card", "approved", 1250, 1250, receipt_lines=said)
    document = issue(sale(numbered([each("Milk", 1250)]), tenders=[tender]))
    assert of(document, Card)[0].terminal_lines == said


MODES = {"live": 0, "training": 2, "test": 2, "something new": 2}


@pytest.mark.parametrize("mode", MODES)
def test_whatever_is_not_live_says_so_above_and_below(mode: str) -> None:
    banners = of(issue(typical("da"), mode=mode), Banner)
    assert len(banners) == MODES[mode]
    assert all("ikke en kvittering" in banner.text for banner in banners)


def test_the_code_opens_the_digital_receipt_where_there_is_one() -> None:
    sold = typical("da")
    document = issue(sold)
    assert [qr.data for qr in of(document, Qr)] == [f"https://kassa.example/r/{sold.sale_id}"]
    assert [bars.data for bars in of(document, Barcode)] == ["R01-A-123"]


@pytest.mark.parametrize("url", ["", "https://x/" + "y" * 300 + "{sale_id}", "https://ø/{sale_id}", "a\n{sale_id}"])
def test_else_it_describes_the_sale(url: str) -> None:
    document = issue(typical("da"), receipt_url=url)
    assert [qr.data for qr in of(document, Qr)] == ["kassa:receipt:R01:A123:11100:DKK"]
    assert not of(document, Barcode)


def test_a_sale_id_cannot_leave_its_place_in_the_address() -> None:
    document = issue(msgspec.structs.replace(typical("da"), sale_id="../a?b=c#d"))
    assert of(document, Qr)[0].data == "https://kassa.example/r/..%2Fa%3Fb%3Dc%23d"


def test_time_is_the_closing_at_the_shops_clock() -> None:
    assert any("23.26" in text.text for text in of(issue(typical("da")), Text))


def test_a_return_is_called_one() -> None:
    sold = sale(numbered([each("Milk", -1250)]), kind="return", original="A-99")
    document = issue(sold)
    assert "Returnering" in [text.text for text in of(document, Text)]
    assert ("Hører til", "A-99") in [(pair.left, pair.right) for pair in of(document, Pair)]


def test_an_unwritten_fiscal_scheme_is_found_at_start() -> None:
    check_scheme("none")
    with pytest.raises(ValueError, match="fiscal scheme 'fr'; allowed: none"):
        check_scheme("fr")
    assert issue(typical("da"), fiscal_scheme="fr").blocks == issue(typical("da")).blocks


def test_empty_names_fall_back_to_the_code() -> None:
    (item,) = of(issue(sale([line(7, {"da": "\x1b\x00", "en": ""}, 100)])), Item)
    assert item.name == "5700000000007"


def _msgids() -> set[str]:
    """Every text that the receipt's modules mark for translation."""
    sources = Path(kiosk.receipt.__file__).parent.glob("*.py")
    marked = re.compile(r'(?:N_|\.t)\(\s*"([^"]+)"')
    return {text for source in sources for text in marked.findall(source.read_text())}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(language: str) -> None:
    path = Path(kiosk.i18n.__file__).parent / "locale" / language.replace("-", "_") / "LC_MESSAGES" / "receipt.po"
    with path.open("rb") as file:
        catalogue = {str(message.id): str(message.string) for message in read_po(file) if message.id}
    assert set(catalogue) == _msgids()
    for source, target in catalogue.items():
        assert target, source
        assert sorted(re.findall(r"{\w+}", source)) == sorted(re.findall(r"{\w+}", target))


def test_same_currency_everywhere() -> None:
    assert issue(typical("da")).currency == DKK.code
