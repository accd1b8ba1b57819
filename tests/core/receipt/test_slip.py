"""Slips and day reports on paper: the code is readable at its largest, the figures are those of the record."""

import io

import pytest
import zxingcpp
from msgspec.structs import replace
from PIL import Image

from kiosk.core.report import Report, TaxSum, TenderSum
from kiosk.core.slipcode import MAX_CHARS
from kiosk.i18n import LANGUAGES
from kiosk.receipt.blocks import Banner, Document, Pair, TaxTable, Total, from_json, to_json
from kiosk.receipt.escpos import encode
from kiosk.receipt.paper import PAPER_58, PAPER_80
from kiosk.receipt.png import render
from kiosk.receipt.report import Kind, compose_report
from kiosk.receipt.slip import compose_slip
from tests.core.checkout.script import SHOP, Script

LONGEST = ("KASSA1:" + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ./" * 20)[:MAX_CHARS]
REPORT = Report(
    "2026-11-27", 3, "live", "DKK", 1_795_759_200_000, 1_795_800_000_000,
    sales=2, gross_minor=4600, taxes=(TaxSum("O", 0, 100, 0, 100), TaxSum("S", 2500, 3600, 900, 4500)),
    tenders=(TenderSum("card", 2, 4600),), voids=2, voids_minor=1350, first_sale_no=1, last_sale_no=5,
    first_receipt_no=1, last_receipt_no=2, grand_total_minor=99_000,
)  # fmt: skip


def slip(code: str, language: str = "da", mode: str = "live") -> Document:
    s = Script()
    s.scan()
    assert s.state.sale is not None
    return compose_slip(
        s.state.sale, replace(SHOP, mode=mode), language, code, issued_wall_ms=1_795_800_000_000, tzo_min=60
    )


@pytest.mark.parametrize("width_mm", [58, 80])
def test_the_longest_code_that_is_allowed_can_be_read_from_the_paper(width_mm: int) -> None:
    picture = Image.open(io.BytesIO(render(slip(LONGEST), width_mm)))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [LONGEST]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_slip_says_that_nothing_is_paid_in_every_language(language: str) -> None:
    document = slip("KASSA1:A", language)
    banners = [block.text for block in document.blocks if isinstance(block, Banner)]
    assert len(banners) == 1
    assert banners != ["Not paid yet"] or language == "en"
    for paper in (PAPER_58, PAPER_80):
        assert encode(document, paper, copy=False)


def test_a_slip_of_training_says_so_twice() -> None:
    document = slip("KASSA1:A", mode="training")
    assert len([block for block in document.blocks if isinstance(block, Banner)]) == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["X", "Z"])
def test_a_report_prints_in_every_language_and_comes_back_from_its_text(language: str, kind: Kind) -> None:
    document = compose_report(REPORT, SHOP, language, kind, 1_795_800_000_000, 60)
    assert from_json(to_json(document)) == document
    for paper in (PAPER_58, PAPER_80):
        assert encode(document, paper, copy=False)


def test_a_report_shows_turnover_taxes_tenders_numbers_and_grand_total() -> None:
    blocks = compose_report(REPORT, SHOP, "da", "Z", 1_795_800_000_000, 60).blocks
    (total,) = [block for block in blocks if isinstance(block, Total)]
    (table,) = [block for block in blocks if isinstance(block, TaxTable)]
    pairs = {block.left: block.right for block in blocks if isinstance(block, Pair)}
    assert total.amount.endswith("46,00")
    assert [(row.base, row.tax, row.gross) for row in table.rows] == [
        ("1,00", "0,00", "1,00"), ("36,00", "9,00", "45,00"),
    ]  # fmt: skip
    assert pairs["2 × Kort"] == "46,00"
    assert pairs["Taget af"] == "2  (13,50)"
    assert pairs["Bonnumre"] == "A-1 - A-2"
    assert pairs["Samlet total"] == "990,00"
