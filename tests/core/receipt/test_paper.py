"""The bytes on the virtual printer, which was written from the same reference by nobody who saw the encoder."""

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from hal.virtual.printer import paint
from hal.virtual.printer.commands import Parser
from hal.virtual.printer.head import Head
from hal.virtual.printer.paper import Receipt
from kiosk.receipt.columns import width
from kiosk.receipt.document import Document
from kiosk.receipt.escpos import encode
from kiosk.receipt.layout import Line, grid_text, lay_out
from kiosk.receipt.paper import Paper
from tests.core.receipt.sales import SHOPS, issue, typical

PAGES = ("CP858", "CP866")
PAPERS = {"80": Paper(576, 48, PAGES), "58": Paper(384, 32, PAGES), "80 drawn": Paper(576, 48, PAGES, qr=False)}


def printed(document: Document, paper: Paper) -> Receipt:
    data = encode(document, paper)
    parser, head = Parser(), Head()
    for command in parser.feed(data):
        # The cut is the device's, not the head's.
        assert head.knows(command) or command.name == "GS V", command.name
        head.execute(command)
    return Receipt(1, tuple(head.strip.marks), head.strip.height, data, "partial")


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("language", SHOPS)
def test_the_virtual_printer_prints_what_was_laid_out(language: str, name: str) -> None:
    document, paper = issue(typical(language), language), PAPERS[name]
    receipt = printed(document, paper)
    lines = [grid_text(part) for part in lay_out(document, paper.columns) if isinstance(part, Line)]
    plain = str.maketrans({"×": "x", "„": '"', "“": '"', "\u00a0": " "})
    expected = ["".join(text.split()) for text in lines if width(text) == len(text)]
    got = ["".join(text.split()) for text in receipt.text]
    assert [text.translate(plain) for text in got] == [text.translate(plain) for text in expected]
    assert all(mark.x + 12 * len(getattr(mark, "text", "")) <= paper.dots for mark in receipt.marks)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("language", ["da", "zh-Hant"])
def test_the_codes_on_the_paper_are_read(language: str, name: str) -> None:
    picture = paint.picture(printed(issue(typical(language), language), PAPERS[name])).convert("L")
    picture = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)
    found = {code.format.name: code for code in zxingcpp.read_barcodes(np.asarray(picture))}
    assert found["QRCode"].text.startswith("https://kassa.example/r/0198f3c2")
    assert found["Code128"].text == "R01-A-123"
    place = found["QRCode"].position
    middle = (place.top_left.x + place.top_right.x) / 4 - paint.MARGIN_X_DOTS
    assert abs(middle - PAPERS[name].dots / 2) < 16
