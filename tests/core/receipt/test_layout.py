"""Columns hold: nothing is wider than the paper, money is whole and at the right edge, every word is there."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.receipt.blocks import Card, Pair
from kiosk.receipt.clean import MAX_TEXT, clean, clean_columns, is_clean
from kiosk.receipt.columns import char_width, clusters, width, wrap
from kiosk.receipt.layout import Line, grid_text, lay_out, plain_text
from kiosk.records.sale import Currency
from tests.core.receipt.sales import SHOPS, issue, line, numbered, sale, typical

WIDTHS = (48, 42, 32, 24)
LANGUAGES = tuple(SHOPS)

HOSTILE = (
    "\x1b@\x1dV\x00cut",
    "\x10\x14\x01\x00\x05drawer",
    "two\nlines\r\x0bof\x0ctext",
    "abc\u202egnp.exe",
    "zero\u200bwidth\u2028break",
    "z" * 5000,
    "Z\u0301\u0302\u0303\u0304\u0305algo" * 3,
    "\ud800lone",
    "\ue000private",
    "   ",
    "e\u0301 is é",
    "🍎 apple",
)


def lines_of(which, columns: int, language: str = "da", **changes: object) -> list[Line]:
    return [part for part in lay_out(issue(which, language, **changes), columns) if isinstance(part, Line)]


def check(lines: list[Line], columns: int) -> None:
    for each in lines:
        room, end = columns // each.size, 0
        for index, run in enumerate(each.runs):
            assert run.column >= end + (1 if index else 0), f"runs touch: {grid_text(each)!r}"
            end = run.column + width(run.text)
            assert is_clean(run.text)
        assert end <= room, f"{end} columns of {room}: {grid_text(each)!r}"


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fits_every_paper(language: str, columns: int) -> None:
    lines = lines_of(typical(language), columns, language)
    check(lines, columns)
    text = " ".join(grid_text(each) for each in lines).replace(" ", "")
    for product in typical(language).lines:
        assert product.name[language].replace(" ", "")[:6] in text


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_of_the_items_end_at_the_right_edge(language: str, columns: int) -> None:
    items = [
        each
        for each in lines_of(typical(language), columns, language)
        if each.size == 1 and each.runs[-1].anchor == "right" and each.runs[0].emphasis == "normal"
    ]
    assert len(items) >= 6
    assert {each.runs[-1].column + width(each.runs[-1].text) for each in items} == {columns}


@pytest.mark.parametrize("columns", WIDTHS)
def test_absurd_amounts_stay_whole(columns: int) -> None:
    huge = sale(numbered([line(0, {"en": "Yacht " * 12}, 123_456_789_012_345)]))
    lines = lines_of(huge, columns)
    check(lines, columns)
    texts = [run.text for each in lines for run in each.runs]
    # The item, the payment, and the total with its currency.
    assert sum("1.234.567.890.123,45" in text for text in texts) >= 3


def test_two_hundred_lines() -> None:
    many = sale(numbered([line(0, {"en": f"Product {n}"}, 100 + n) for n in range(200)]))
    lines = lines_of(many, 48)
    check(lines, 48)
    assert sum("Product" in grid_text(each) for each in lines) == 200


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("columns", WIDTHS)
def test_hostile_names_come_out_as_plain_text(text: str, columns: int) -> None:
    which = sale(numbered([line(0, {"da": text, "en": "x"}, 100)]))
    check(lines_of(which, columns, name=text, address=(text,), tax_number=text, register=text), columns)


def test_a_document_from_elsewhere_is_cleaned_as_well() -> None:
    document = issue(typical("da"))
    tampered = msgspec.structs.replace(document, blocks=[Pair("\x1b@left", "\x10\x04right")])
    assert plain_text(lay_out(tampered, 32)) == ["@left" + " " * 22 + "right"]


def test_terminal_lines_keep_their_columns_and_do_not_repeat_us() -> None:
    said = ["", "  KORTKVITTERING  ", "Visa        DKK 12,50", "Kort ****1234", "Term 52500017", "\x1b@"]
    card = Card([Pair("Kortnummer", "****1234"), Pair("Terminal", "52500017"), Pair("Trace", "000123")], said)
    document = msgspec.structs.replace(issue(typical("da")), blocks=[card])
    left = (48 - 21) // 2 * " "
    assert plain_text(lay_out(document, 48)) == [
        "Trace" + " " * 37 + "000123",
        left + "  KORTKVITTERING",
        left + "Visa        DKK 12,50",
        left + "Kort ****1234",
        left + "Term 52500017",
        left + " @",
    ]


def test_a_copy_is_marked_on_top() -> None:
    first, *_ = plain_text(lay_out(issue(typical("da")), 48, copy=True))
    assert first.strip() == "Kopi"
    assert "Kopi" not in plain_text(lay_out(issue(typical("da")), 48))[0]


def test_too_narrow_paper_is_refused() -> None:
    with pytest.raises(ValueError, match="23 columns; allowed: 24 or more"):
        lay_out(issue(typical("da")), 23)


def test_the_tax_table_stacks_where_four_columns_do_not_fit() -> None:
    big = sale(numbered([line(0, {"en": "Yacht"}, 123_456_789_00)]), Currency("DKK", 2))
    text = plain_text(lay_out(issue(big), 32))
    at = text.index("25\u00a0%")
    assert [row.split()[0] for row in text[at + 1 : at + 4]] == ["Netto", "Moms", "Brutto"]


WRAPS = {
    "words": ("one two three", 8, ["one two", "three"]),
    "exact": ("one two", 7, ["one two"]),
    "long word": ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    "hyphen": ("sea-buckthorn", 8, ["sea-", "buckthor", "n"]),
    "not a minus": ("from -12,50", 7, ["from", "-12,50"]),
    "no-break space": ("a 1\u00a0250,00", 9, ["a", "1\u00a0250,00"]),
    "chinese": ("全脂牛奶每日新鲜", 8, ["全脂牛奶", "每日新鲜"]),
    "no comma first": ("全脂牛奶，新鲜", 8, ["全脂牛", "奶，新鲜"]),
    "no bracket last": ("全脂奶（新鲜）", 8, ["全脂奶", "（新鲜）"]),
    "marks": ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
    "empty": ("", 8, [""]),
}


@pytest.mark.parametrize("case", WRAPS)
def test_wrap(case: str) -> None:
    text, columns, lines = WRAPS[case]
    assert wrap(text, columns) == lines


TEXT = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("aé中，（）- \u00a0\u0301ｗ\x1b\x10\x04")), max_size=80
)


@given(TEXT, st.integers(4, 48))
def test_wrapping_loses_nothing_and_fits(text: str, columns: int) -> None:
    text = clean(text)
    lines = wrap(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(each) <= columns for each in lines)
    assert all(char_width(each[0]) > 0 for each in lines if each)


@given(TEXT)
def test_cleaning_is_final_and_bounded(text: str) -> None:
    for cleaned in (clean(text * 30), clean_columns(text * 30)):
        assert is_clean(cleaned)
        assert len(cleaned) <= MAX_TEXT
        assert all(len(cluster) <= 3 for cluster in clusters(cleaned))
    assert clean(clean(text)) == clean(text)
