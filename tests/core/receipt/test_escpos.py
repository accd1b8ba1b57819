"""Bytes for paper: read back by an independent reader; nothing of the catalogue acts on the printer."""

import re

import pytest
import zxingcpp
from escpos.capabilities import get_profile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kiosk.receipt.columns import char_width, width
from kiosk.receipt.escpos import CODE_PAGES, encode
from kiosk.receipt.layout import Line, Run, grid_text, lay_out
from kiosk.receipt.paper import PAPER_58, PAPER_80, Paper
from kiosk.receipt.raster import draw_line
from kiosk.receipt.wire import UnsafeBytes, checked, image_bands, safe_image_data
from tests.core.receipt.printer import Code, Cut, Feed, Reader, Text, pictures, texts, whole
from tests.core.receipt.sales import SHOPS, issue, line, numbered, sale, typical
from tests.core.receipt.test_layout import HOSTILE

REAL_TIME = re.compile(rb"\x10[\x04\x05\x14]")
PLAIN = {"×": "x", "„": '"', "“": '"'}


def ink(image: Image.Image) -> float:
    return image.histogram()[255] / (image.width * image.height)


def plain(text: str) -> str:
    return "".join(PLAIN.get(char, char) for char in text).rstrip(" ")


@pytest.mark.parametrize("paper", [PAPER_80, PAPER_58], ids=["80", "58"])
@pytest.mark.parametrize("language", ["en", "da"])
def test_latin_receipts_are_text_in_the_verified_page(language: str, paper: Paper) -> None:
    document = issue(typical(language), language)
    expected = [grid_text(part) for part in lay_out(document, paper.columns) if isinstance(part, Line)]
    assert texts(Reader(encode(document, paper)).read()) == expected


def test_cyrillic_is_text_where_the_page_was_verified_and_a_picture_where_not() -> None:
    document = issue(typical("bg"), "bg")
    expected = [plain(grid_text(part)) for part in lay_out(document, 48) if isinstance(part, Line)]
    for page in ("CP866", "CP1251"):
        got = [plain(text) for text in texts(Reader(encode(document, Paper(576, 48, ("CP858", page)))).read())]
        # CP866 has no sign for „ and “ and takes the plain ones; the numero sign is in both.
        assert got == expected
    drawn = Reader(encode(document, PAPER_80)).read()
    assert not any("Прясно" in text for text in texts(drawn))
    assert len(pictures(drawn)) > len(pictures(Reader(encode(document, Paper(576, 48, ("CP866",)))).read()))


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_chinese_is_drawn_and_the_figures_between_stay_text(language: str) -> None:
    document = issue(typical(language), language)
    printed = Reader(encode(document, PAPER_80)).read()
    assert {char_width(char) for text in texts(printed) for char in text} == {1}
    lines = [grid_text(part) for part in lay_out(document, 48) if isinstance(part, Line)]
    chinese = [text for text in lines if width(text) != len(text)]
    assert len(texts(printed)) == len(lines) - len(chinese)
    # Empty pictures, which make white space, are one byte wide.
    assert sum(each.height in (30, 48) and each.width > 8 for each in pictures(printed)) == len(chinese)


def test_a_drawn_line_stands_in_the_columns_of_the_printed_ones() -> None:
    picture = draw_line(Line((Run("中", 0), Run("A", 10), Run("8", 47, "right"))), 48, "zh-Hans")
    ink = [x for x in range(picture.width) if picture.crop((x, 0, x + 1, 30)).getbbox()]
    assert {x // 12 for x in ink} == {0, 1, 10, 47}
    assert picture.height == 30


def test_an_unknown_sign_is_drawn_as_a_box_not_lost() -> None:
    assert draw_line(Line((Run("\U000143ff", 0),)), 48, "da").getbbox() is not None


def test_hierarchy_on_paper() -> None:
    printed = [each for each in Reader(encode(issue(typical("da")), PAPER_80)).read() if isinstance(each, Text)]
    large = [each for each in printed if each.size == 2]
    assert [each.text.split()[0] for each in large] == ["Torvets", "I"]
    assert all(each.bold for each in large)


def test_banners_are_white_on_black() -> None:
    """Over the whole width: edge, letters cut out of the ink, edge."""
    plain_job = Reader(encode(issue(typical("da")), PAPER_80)).read()
    printed = Reader(encode(issue(typical("da"), mode="training"), PAPER_80, copy=True)).read()
    black = [each for each in pictures(printed) if each.width == 576 and ink(each) > 0.6 and each.height > 3]
    assert [each.height for each in black] == [7, 48, 7, 7, 30, 7, 7, 30, 7]
    assert all((ink(each) == 1) == (each.height == 7) for each in black)
    assert texts(printed) == texts(plain_job)


@pytest.mark.parametrize("paper", [PAPER_80, PAPER_58], ids=["80", "58"])
def test_the_printers_own_code(paper: Paper) -> None:
    document = issue(typical("da"))
    (code,) = [each for each in Reader(encode(document, paper)).read() if isinstance(each, Code)]
    assert code.data == "https://kassa.example/r/0198f3c2-7b11-7cc2-9a51-3f0a5b1c2d3e"
    assert code.centred
    assert 3 <= code.size <= 8


@pytest.mark.parametrize("paper", [Paper(576, 48, qr=False), Paper(384, 32, qr=False)], ids=["80", "58"])
@pytest.mark.parametrize("language", SHOPS)
def test_drawn_codes_are_read_back(paper: Paper, language: str) -> None:
    data = encode(issue(typical(language), language), paper)
    printed = Reader(data).read()
    assert not any(isinstance(each, Code) for each in printed)
    sheet = Image.new("L", (paper.dots + 80, whole(printed).height + 80), 255)
    sheet.paste(whole(printed), (40, 40))
    found = {
        code.format.name: code.text
        for code in zxingcpp.read_barcodes(sheet.resize((sheet.width * 2, sheet.height * 2)))
    }
    assert found["QRCode"].startswith("https://kassa.example/r/0198f3c2")
    assert found["Code128"] == "R01-A-123"
    assert max(each.width for each in pictures(printed)) <= paper.dots


def test_the_end() -> None:
    document = issue(typical("da"))
    assert Reader(encode(document, PAPER_80)).read()[-1] == Cut()
    assert Reader(encode(document, Paper(576, 48, cutter=False))).read()[-1] == Feed(5)


def test_the_printer_is_put_into_a_known_state() -> None:
    reader = Reader(encode(issue(typical("da")), PAPER_58))
    reader.read()
    assert reader.area_dots == 384
    assert reader.kanji_cancelled


PROFILES = {"narrow dots": Paper(500, 48), "wide": Paper(2000, 48), "few columns": Paper(576, 20)}


@pytest.mark.parametrize("case", PROFILES)
def test_a_senseless_profile_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        encode(issue(typical("da")), PROFILES[case])


def test_code_pages_have_the_numbers_of_the_printers_tables() -> None:
    known = get_profile("TM-T88V").get_code_pages()
    for name, (number, codec) in CODE_PAGES.items():
        assert int(known[name]) == number
        assert bytes(range(32, 127)).decode(codec).encode(codec) == bytes(range(32, 127))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    which = sale(numbered([line(0, {"da": text, "en": "x"}, 100, reason=text)]), receipt_series=text[:40])
    document = issue(which, name=text, address=(text, text), tax_number=text, register=text)
    for paper in (PAPER_80, Paper(384, 32, ("CP437",), qr=False)):
        data = encode(document, paper)
        assert not REAL_TIME.search(data)
        # The reader refuses commands it does not know, and there is one cut, at the end.
        assert [each for each in Reader(data).read() if isinstance(each, Cut | Feed)] == [Cut()]


@given(st.lists(st.sampled_from(b"\x10\x04\x05\x14\x18\x00"), max_size=200).map(bytes))
def test_no_picture_holds_a_real_time_command(data: bytes) -> None:
    safe = safe_image_data(data)
    assert not REAL_TIME.search(safe)
    assert len(safe) == len(data)
    # Ink is only added, one dot beside a lone one, and only where a command began.
    for index, (before, after) in enumerate(zip(data, safe, strict=True)):
        if before != after:
            assert (before, after) == (0x10, 0x18)
            assert data[index + 1] in (4, 5, 0x14)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 600), st.data())
def test_bands_are_whole_commands_and_safe(wide: int, high: int, data: st.DataObject) -> None:
    pixels = data.draw(st.binary(min_size=1, max_size=64)) + b"\x10\x04\x10\x14"
    raw = (pixels * (wide * high // len(pixels) + 1))[: wide * high]
    commands = image_bands(Image.frombytes("1", (wide * 8, high), raw))
    assert not REAL_TIME.search(commands)
    assert sum(each.height for each in pictures(Reader(b"\x1b@" + commands).read())) == high


NAMES = st.text(st.sampled_from("abæØ中新（）éЖ€×\x10\x04\x1b\x1d \u00a0e\u0301🍎"), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(NAMES, st.integers(-(10**9), 10**9), st.sampled_from([PAPER_80, PAPER_58, Paper(576, 48, ("CP866",), qr=False)]))
def test_any_product_prints_safely(name: str, gross_minor: int, paper: Paper) -> None:
    which = sale(numbered([line(0, {"zh-Hans": name}, gross_minor)]))
    data = encode(issue(which, "zh-Hans"), paper)
    assert not REAL_TIME.search(data)
    assert Reader(data).read()[-1] == Cut()


def test_the_last_check_stops_what_slipped_through() -> None:
    with pytest.raises(UnsafeBytes, match="10 14 at byte 1"):
        checked(b"a\x10\x14")
