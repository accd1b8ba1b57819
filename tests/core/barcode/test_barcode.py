"""What barcodes mean, in tables: symbology, digits, meaning."""

import time
from collections.abc import Callable

import pytest
from biip.checksums import gs1_standard_check_digit
from hypothesis import given
from hypothesis import strategies as st

from kiosk.core.barcode import (
    DENMARK,
    Gtin,
    InStore,
    InStoreRule,
    InStoreRules,
    Meaning,
    Measure,
    NotAProduct,
    interpret,
)

EAN = "9521234567899"
CODE = "0" + EAN
GS = "\x1d"

READ: dict[str, tuple[str, str, Meaning]] = {
    "EAN-13": (EAN, "]E0", Gtin(CODE)),
    "EAN-13 without identifier": (EAN, "", Gtin(CODE)),
    "EAN-13 with the scanner's line end": (EAN + "\r\n", "]E0", Gtin(CODE)),
    "EAN-13 as camera text with its zero": ("0012345678905", "]E0", Gtin("00012345678905")),
    "UPC-A": ("012345678905", "]E0", Gtin("00012345678905")),
    "UPC-A without identifier": ("012345678905", "", Gtin("00012345678905")),
    "EAN-8": ("95212340", "]E4", Gtin("00000095212340")),
    "EAN-8 without identifier": ("95212340", "", Gtin("00000095212340")),
    "EAN-8 sent as EAN-13": ("95212340", "]E0", Gtin("00000095212340")),
    "UPC-E": ("04252614", "]E0", Gtin("00042100005264")),
    "UPC-E without identifier": ("04252614", "", Gtin("00042100005264")),
    "UPC-E without check digit": ("0425261", "]E0", Gtin("00042100005264")),
    "UPC-E bare": ("425261", "]E0", Gtin("00042100005264")),
    "UPC-E that is an EAN-8 as well, by identifier UPC-E": ("00010016", "]E0", Gtin("00000100001006")),
    "UPC-E that is an EAN-8 as well, by identifier EAN-8": ("00010016", "]E4", Gtin("00000000010016")),
    "UPC-E that is an EAN-8 as well, without identifier": ("00010016", "", Gtin("00000000010016")),
    "EAN-13 with add-on of 2": (EAN + "12", "]E3", Gtin(CODE)),
    "EAN-13 with add-on of 5": (EAN + "12345", "]E3", Gtin(CODE)),
    "UPC-A with add-on of 5": ("01234567890512345", "]E3", Gtin("00012345678905")),
    "EAN-8 with add-on of 2": ("9521234012", "]E3", Gtin("00000095212340")),
    "EAN-8 with add-on of 5": ("9521234012345", "]E3", Gtin("00000095212340")),
    "a newspaper": ("9771234567003", "]E0", Gtin("09771234567003")),
    "ITF-14": ("19521234567896", "]I1", Gtin("19521234567896")),
    "14 digits without identifier": ("19521234567896", "", Gtin("19521234567896")),
    "GS1-128": ("01" + CODE, "]C1", Gtin(CODE)),
    "GS1-128 with FNC1 first": (GS + "01" + CODE, "]C1", Gtin(CODE)),
    "GS1 DataBar, weight": (
        f"01{CODE}3103001250",
        "]e0",
        Gtin(CODE, weight=Measure(1250, 3)),
    ),
    "GS1 DataMatrix, all of it": (
        f"01{CODE}17261231{'15261130'}10AB-12{GS}21XYZ",
        "]d2",
        Gtin(CODE, lot="AB-12", expires="261231", best_before="261130"),
    ),
    "GS1 DataMatrix, lot first": (f"10AB{GS}01{CODE}", "]d2", Gtin(CODE, lot="AB")),
    "GS1 QR, price": (f"01{CODE}39224995", "]Q3", Gtin(CODE, price=Measure(4995, 2))),
    "GS1 QR, price in a currency": (
        f"01{CODE}39322084995",
        "]Q3",
        Gtin(CODE, price=Measure(4995, 2), price_currency="208"),
    ),
    "element strings without identifier": (f"01{CODE}3103001250", "", Gtin(CODE, weight=Measure(1250, 3))),
    "the same twice": (f"01{CODE}01{CODE}", "]C1", Gtin(CODE)),
    "Digital Link": (f"https://id.gs1.org/01/{CODE}", "]Q1", Gtin(CODE)),
    "Digital Link of another host": (f"http://shop.example/dk/01/{EAN}?x=y", "]Q1", Gtin(CODE)),
    "Digital Link, lot and weight": (
        f"https://example.com/01/{CODE}/10/AB%2F1?3103=001250&17=261231",
        "]d1",
        Gtin(CODE, weight=Measure(1250, 3), lot="AB/1", expires="261231"),
    ),
    "Digital Link in capitals": (f"HTTPS://ID.GS1.ORG/01/{CODE}", "]Q1", Gtin(CODE)),
    "Danish price": ("2111010499505", "]E0", InStore("price", "211101", 49950, 2)),
    "Danish weight": ("2711001012500", "]E0", InStore("weight", "2711001", 1250, 3)),
    "in-store without value": ("2500101000001", "]E0", Gtin("02500101000001")),
    "price of nothing": ("2111010000008", "]E0", InStore("price", "211101", 0, 2)),
}

REFUSED: dict[str, tuple[str, str, str]] = {
    "nothing": ("", "]E0", "empty"),
    "spaces": ("  \r\n", "", "empty"),
    "EAN-13, wrong check digit": ("9521234567898", "]E0", "check_digit"),
    "EAN-8, wrong check digit": ("95212341", "]E4", "check_digit"),
    "UPC-A, wrong check digit": ("012345678904", "", "check_digit"),
    "UPC-E, wrong check digit": ("04252615", "]E0", "check_digit"),
    "ITF, wrong check digit": ("19521234567895", "]I1", "check_digit"),
    "ITF of 12": ("123456789012", "]I0", "length"),
    "9 digits": ("123456789", "]E0", "length"),
    "6 digits without identifier": ("425261", "", "length"),
    "7 digits of another number system": ("7425261", "]E0", "length"),
    "13 digits as EAN-8": (EAN, "]E4", "length"),
    "an add-on alone": ("12", "]E1", "add_on"),
    "five of an add-on": ("12345", "]E2", "add_on"),
    "zeros": ("0" * 13, "]E0", "check_digit"),
    "member card in Code 128": (EAN, "]C0", "symbology"),
    "member card in Code 39": ("M12345", "]A0", "symbology"),
    "digits in a plain QR": (EAN, "]Q1", "symbology"),
    "letters": ("ABC", "", "symbology"),
    "refund receipt": ("9801234567892", "]E0", "coupon"),
    "coupon": ("9912345678909", "]E0", "coupon"),
    "an address": ("https://example.com/menu", "]Q1", "web_address"),
    "a blog of January": ("https://example.com/2024/01/17", "]Q1", "web_address"),
    "a script": ("javascript://alert(1)", "]Q1", "web_address"),
    "Digital Link, wrong check digit": ("https://id.gs1.org/01/09521234567898", "]Q1", "check_digit"),
    "Digital Link, wrong qualifier": (f"https://id.gs1.org/01/{CODE}/99/x", "]Q1", "web_address"),
    "Digital Link of a broken host": (f"https://[id/01/{CODE}", "]Q1", "web_address"),
    "an SSCC": ("00106141412345678908", "]C1", "no_gtin"),
    "contents of a pallet": (f"02{CODE}3710", "]C1", "no_gtin"),
    "GS1-128, wrong check digit": ("0109521234567898", "]C1", "check_digit"),
    "two products": (f"01{CODE}0119521234567896", "]C1", "element_strings"),
    "cut off": ("010952123", "]C1", "element_strings"),
    "no such date": (f"01{CODE}17269931", "]C1", "element_strings"),
    "controls": ("\x00\x01\x02", "]E0", "not_printable"),
    "a Greek member": ("Μέλος", "]Q1", "not_printable"),
    "digits of another script": ("٩521234567899", "]E0", "not_printable"),
    "too long": ("9" * 1001, "]Q3", "too_long"),
}


@pytest.mark.parametrize("case", READ)
def test_read(case: str) -> None:
    text, aim, meaning = READ[case]
    assert interpret(text, aim, DENMARK) == meaning


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    text, aim, reason = REFUSED[case]
    assert interpret(text, aim, DENMARK) == NotAProduct(reason)  # type: ignore[arg-type]


def test_a_value_with_its_own_check_digit() -> None:
    rules = InStoreRules(InStoreRule("22", "price", 4, 5, 2, value_check=True), InStoreRule("02", "weight", 5, 5, 3))
    # GS1 General Specifications 7.9.4: 14685 has the check digit 6.
    good = _with_check("221234" + "6" + "14685")
    assert interpret(good, "]E0", rules) == InStore("price", "221234", 14685, 2)
    assert interpret(_with_check("221234" + "7" + "14685"), "]E0", rules) == NotAProduct("value_check_digit")
    upc_a = _with_check("212345" + "01250")
    assert interpret(upc_a, "]E0", rules) == InStore("weight", "0212345", 1250, 3)
    assert interpret("2711001012500", "]E0", rules) == Gtin("02711001012500")


def _with_check(body: str) -> str:
    return body + str(gs1_standard_check_digit(body))


BAD_RULES: dict[str, tuple[Callable[[], object], str]] = {
    "another prefix": (lambda: InStoreRule("30", "price", 5, 5, 2), "allowed: 02, 20 to 29"),
    "parts that do not add up": (lambda: InStoreRule("21", "price", 5, 6, 2), "have 13 digits; allowed: 12"),
    "no item": (lambda: InStoreRule("21", "price", 0, 10, 2), "allowed: 12"),
    "check digit of six": (lambda: InStoreRule("21", "price", 3, 6, 2, value_check=True), "4 or 5 digits"),
    "fine value": (lambda: InStoreRule("21", "price", 5, 5, 5), "allowed: 0 to 4"),
    "prefix twice": (lambda: InStoreRules(InStoreRule("21", "plain"), InStoreRule("21", "plain")), "two rules"),
}


@pytest.mark.parametrize("case", BAD_RULES)
def test_bad_rule(case: str) -> None:
    make, expected = BAD_RULES[case]
    with pytest.raises(ValueError, match=expected):
        make()


@given(st.integers(0, 10**12 - 1))
def test_one_wrong_digit_is_never_a_product(number: int) -> None:
    good = _with_check(f"{number:012d}")
    meaning = interpret(good, "]E0", DENMARK)
    assert number == 0 or meaning != NotAProduct("check_digit")
    for place in range(13):
        other = str((int(good[place]) + 1) % 10)
        wrong = good[:place] + other + good[place + 1 :]
        assert interpret(wrong, "]E0", DENMARK) == NotAProduct("check_digit")


AIMS = st.sampled_from(
    ["", "]E0", "]E3", "]E4", "]I1", "]C0", "]C1", "]e0", "]d1", "]d2", "]Q1", "]Q3", "]J1", "]", "x"]
)
PIECES = st.sampled_from(["01", CODE, EAN, GS, "10", "17", "3103", "3922", "3932", "8200", "7003", "7007", "00", "https://",
                          "id.gs1.org", "/01/", "?", "&", "%", "%F0", "9" * 14, "()", "[", "]", "a", "٣"])  # fmt: skip
TEXTS = st.text(max_size=80) | st.lists(PIECES, max_size=12).map("".join) | st.text("0123456789\x1d", max_size=40)


@given(TEXTS, AIMS)
def test_any_text_has_a_meaning(text: str, aim: str) -> None:
    meaning = interpret(text, aim, DENMARK)
    match meaning:
        case Gtin(code14=code):
            assert len(code) == 14
            assert int(code[13]) == gs1_standard_check_digit(code[:13])
        case InStore(code=code):
            assert code in text
        case NotAProduct(reason=reason):
            assert reason


@pytest.mark.parametrize("char", ["\x00", "\x1d", "0", "9", "(", "/", "%", "ß"])
@pytest.mark.parametrize("aim", ["", "]E0", "]C1", "]Q1"])
def test_long_junk_is_answered_quickly(char: str, aim: str) -> None:
    for length in (999, 10_000):
        began_s = time.process_time()
        assert isinstance(interpret(char * length, aim, DENMARK), NotAProduct)
        assert isinstance(interpret("https://a/01/" + char * length, aim, DENMARK), NotAProduct)
        assert time.process_time() - began_s < 0.5
