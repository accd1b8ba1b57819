"""One whole sale, end to end: bytes on the scanner's pty, a ZVT payment, paper out of the printer, and the cloud."""

import io
import json
import re
import subprocess
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


WORDS = {
    "da": ("Kornvig rugbrød 900 g", "Kornvig toastbrød", "I alt", "Kasse 1", "71,85", "14,37"),
    "zh-Hans": ("黑麦面包", "白吐司面包", "合计", "收银机", "71.85", "14.37"),
}


@pytest.mark.parametrize("language", WORDS)
def test_three_products_paid_and_printed_and_in_the_cloud(lane: LaneUnderTest, browser: Browser, language: str) -> None:
    known = {sale["sale_id"] for sale in lane.cloud("/api/sales")["sales"]}
    charged = len(lane.ledger())
    with customer(lane, browser) as shopper:
        shopper.at_rest()
        shopper.touches("language", f"language={language}")
        receipt = sells(shopper, lane)
        assert shopper.page.locator("html").get_attribute("lang") == language
    picture = lane.picture(receipt["number"])
    # Danish is printed as text; Chinese has no code page in the printer, stands as dots, and is read as a person would.
    text = "\n".join(line["text"] for line in receipt["lines"]) if language == "da" else read(picture)
    assert [word for word in WORDS[language] if word not in text] == []
    pixels = numpy.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    codes = [found.text for found in zxingcpp.read_barcodes(pixels)]
    sale = sale_in_cloud(lane, known)
    assert any(code.endswith(f"/r/{sale['sale_id']}") for code in codes), codes
    assert (sale["total_minor"], sale["tax_minor"], sale["language"]) == (TOTAL_MINOR, TAX_MINOR, language)
    entries = lane.ledger()[charged:]
    assert [(e["outcome"], e["amount_minor"]) for e in entries] == [("captured", TOTAL_MINOR)]
    lane.journal_verifies()


def read(picture: bytes) -> str:
    """What Tesseract reads on the paper, without the spaces that it puts between Chinese characters."""
    command = ["tesseract", "stdin", "stdout", "-l", "chi_sim", "--psm", "6"]
    done = subprocess.run(command, input=picture, capture_output=True, check=True, timeout=60)
    return re.sub(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])", "", done.stdout.decode())


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
