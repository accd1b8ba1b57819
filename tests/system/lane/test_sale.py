"""One whole sale, end to end: bytes on the scanner's pty, a ZVT payment, paper out of the printer, and the cloud."""

import io
import json
import time
from typing import Any

import numpy
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser

from tests.system.lane.harness import Customer, LaneUnderTest, customer

pytestmark = pytest.mark.system

RYE, SEEDED, TOAST = "9521000000018", "9521000000025", "9521000000032"
TOTAL_MINOR = 2495 + 2795 + 1895
TAX_MINOR = 1437  # 20 % of 71,85, rounded half up: the tax inside a price that includes 25 %


def sale_in_cloud(lane: LaneUnderTest, known: set[str], timeout_s: float = 20.0) -> dict[str, Any]:
    """The sale that the cloud did not know before."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for sale in lane.cloud("/api/sales")["sales"]:
            if sale["sale_id"] not in known:
                return dict(sale)
        lane.cloud("/api/kiosks")  # a request's time is the pause
    raise AssertionError("the sale did not reach the cloud")


def sells(shopper: Customer, lane: LaneUnderTest) -> dict[str, Any]:
    """Three items, card, printed receipt; returns the receipt as the printer has it."""
    before = len(lane.bench_get("/printer/receipts")["receipts"])
    for code in (RYE, SEEDED, TOAST):
        shopper.scans(code)
    shopper.sees("basket")
    shopper.touches("pay")
    shopper.sees("pay")
    shopper.touches("card")
    shopper.sees("card")
    shopper.taps("approve")
    shopper.sees("receipt")
    shopper.touches("receipt", "how=print")
    shopper.sees("thanks")
    receipts = lane.bench_get("/printer/receipts")["receipts"]
    assert len(receipts) == before + 1
    return dict(lane.bench_get(f"/printer/receipts/{receipts[-1]['number']}.json"), number=receipts[-1]["number"])


@pytest.mark.parametrize(("language", "words"), [("da", ("Rugbrød", "I alt")), ("zh-Hans", ())])
def test_three_products_paid_and_printed_and_in_the_cloud(
    lane: LaneUnderTest, browser: Browser, language: str, words: tuple[str, ...]
) -> None:
    known = {sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]}
    charged = len(lane.ledger())
    with customer(lane, browser) as shopper:
        shopper.sees("attract")
        shopper.touches("language", f"language={language}")
        receipt = sells(shopper, lane)
        assert shopper.page.locator("html").get_attribute("lang") == language
    text = "\n".join(line["text"] for line in receipt["lines"])
    for word in words:
        assert word in text
    assert "71,85" in text or language != "da"
    picture = Image.open(io.BytesIO(lane.picture(receipt["number"])))
    codes = [found.text for found in zxingcpp.read_barcodes(numpy.asarray(picture.convert("L")))]
    assert any("/r/" in code for code in codes), codes
    if language != "da":
        assert dark_rows(picture) > 400, "a Chinese receipt is drawn: its characters stand on the paper as dots"
    sale = sale_in_cloud(lane, known)
    assert (sale["total_minor"], sale["tax_minor"], sale["language"]) == (TOTAL_MINOR, TAX_MINOR, language)
    entries = lane.ledger()[charged:]
    assert [(e["outcome"], e["amount_minor"]) for e in entries] == [("captured", TOTAL_MINOR)]
    lane.journal_verifies()


def dark_rows(picture: Image.Image) -> int:
    """Rows of the picture that have ink on them."""
    ink = numpy.asarray(picture.convert("L")) < 100
    return int(ink.any(axis=1).sum())


def test_the_journal_holds_the_sale_as_the_cloud_has_it(lane: LaneUnderTest) -> None:
    journal = str(lane.state / "lane" / "journal.db")
    done = lane.command("kassa-journal", "show", journal, "--typ", "sale.closed", "--json")
    assert done.returncode == 0, done.stderr
    closed = [json.loads(line) for line in done.stdout.splitlines() if line]
    sales = {record["body"]["sale"]["sale_id"]: record["body"]["sale"] for record in closed}
    there = {sale["sale_id"]: sale for sale in lane.cloud("/api/sales")["sales"]}
    assert sales.keys() == there.keys()
    for sale_id, sale in sales.items():
        assert sale["total_minor"] == there[sale_id]["total_minor"]
        assert sum(t["authorised_minor"] for t in sale["tenders"] if t["state"] == "approved") == sale["total_minor"]
