"""The picture for screens: every code in it can be read, nothing leaves the sheet."""

import io

import pytest
import zxingcpp
from PIL import Image

from kiosk.receipt import fonts
from kiosk.receipt.png import render
from tests.core.receipt.sales import SHOPS, issue, line, numbered, sale, typical


def picture(language: str, width_mm: int, **changes: object) -> Image.Image:
    data = render(issue(typical(language), language, **changes), width_mm, scale=1)  # type: ignore[arg-type]
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("width_mm", [80, 58])
@pytest.mark.parametrize("language", SHOPS)
def test_codes_are_read_back_and_margins_stay_white(language: str, width_mm: int) -> None:
    sheet = picture(language, width_mm)
    found = {code.format.name: code.text for code in zxingcpp.read_barcodes(sheet)}
    assert found["QRCode"].startswith("https://kassa.example/r/0198f3c2")
    assert found["Code128"] == "R01-A-123"
    dark = sheet.point(lambda value: 255 if value < 200 else 0).getbbox()
    assert dark is not None
    margin = 40
    assert dark[0] >= margin
    assert dark[1] >= margin
    assert dark[2] <= sheet.width - margin
    assert dark[3] <= sheet.height - margin


def test_the_description_is_read_back_where_there_is_no_address() -> None:
    (code,) = zxingcpp.read_barcodes(picture("da", 80, receipt_url=""))
    assert code.text == "kassa:receipt:R01:A123:11100:DKK"


def test_amounts_end_at_one_edge() -> None:
    """Rows of ink in the column of money all end at the paper's right edge, but for a figure's own side bearing."""
    lines = numbered([line(0, {"en": name}, amount) for name, amount in (("A", 100), ("B", 98_700), ("C", 1_234_500))])
    sheet = Image.open(io.BytesIO(render(issue(sale(lines)), 80)))
    edge = 88 + 48 * 24
    column = sheet.crop((edge - 60, 0, edge + 60, sheet.height)).point(lambda value: 255 if value < 160 else 0)
    ends, current = [], 0
    for y in range(sheet.height):
        ink = column.crop((0, y, 120, y + 1)).getbbox()
        if ink:
            current = max(current, ink[2])
        elif current:
            ends.append(current)
            current = 0
    assert len(ends) >= 12
    assert all(52 <= end <= 61 for end in ends)


def test_long_and_wide_names_shrink_rather_than_meet_the_money() -> None:
    lines = numbered([line(0, {"en": "W" * 400}, 123_456_789)])
    assert Image.open(io.BytesIO(render(issue(sale(lines)), 58))).width == (384 + 88) * 2


def test_two_hundred_lines() -> None:
    many = sale(numbered([line(0, {"en": f"Product {n}"}, 100 + n) for n in range(200)]))
    assert Image.open(io.BytesIO(render(issue(many), 80, scale=1))).height > 200 * 30


def test_limits_are_named() -> None:
    with pytest.raises(ValueError, match="allowed: 58 or 80 mm, scale 1 to 3"):
        render(issue(typical("da")), 70)  # type: ignore[arg-type]
    endless = sale(numbered([line(0, {"en": f"Product {n}"}, 100) for n in range(1200)]))
    with pytest.raises(ValueError, match="allowed: 60000"):
        render(issue(endless), 80)


def test_copy_and_training_are_black_bars() -> None:
    plain, marked = picture("da", 80), picture("da", 80, mode="training")
    dark = [sum(1 for value in sheet.tobytes() if value < 60) for sheet in (plain, marked)]
    assert dark[1] > dark[0] + 2 * 576 * 25


def test_this_machine_has_the_typefaces() -> None:
    assert fonts.missing_fonts() == []
