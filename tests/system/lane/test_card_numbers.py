"""The canary: a terminal shows a card number wherever it can, a scanner reads one, and it is found nowhere."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.system.lane.harness import Customer, LaneUnderTest, customer
from tests.system.lane.test_sale import TOAST, sale_in_cloud

pytestmark = pytest.mark.system

PAN = "4111111111111111"
READ = {
    "number": PAN,
    "number in blocks": "4111 1111 1111 1111",
    "track 2": f";{PAN}=25121010000012345678?",
    "track 1": f"%B{PAN}^DOE/JOHN^2512101000000000000000?",
    "in a text": f"Karte {PAN} Danke",
}
# As text, with anything but a digit between, and as a terminal packs it.
_ANYWHERE = re.compile(rb"4(?:[^0-9]?1){13}|" + re.escape(bytes.fromhex(PAN)))


def _told(data: bytes) -> list[str]:
    return [data[max(found.start() - 60, 0) : found.end() + 20].decode("latin-1") for found in _ANYWHERE.finditer(data)]


@pytest.mark.parametrize("text", [*READ.values(), "4111-1111-1111-1111"])
def test_the_canary_can_sing(text: str) -> None:
    assert _told(f"x{text}y".encode())


def test_a_card_number_is_nowhere(own_lane: LaneUnderTest, browser: Browser, tmp_path: Path) -> None:
    with customer(own_lane, browser) as shopper:
        pages = list(_leaks_everywhere(own_lane, shopper))
        sale = sale_in_cloud(own_lane, set())
    found = {f"page {at}": told for at, page in enumerate(pages) if (told := _told(page))}
    found |= {name: told for name, data in _answers(own_lane, sale["sale_id"]).items() if (told := _told(data))}
    found |= {str(file): told for file in _files(own_lane.state) if (told := _told(file.read_bytes()))}
    journal, out = own_lane.state / "lane" / "journal.db", tmp_path / "export"
    for arguments in (["show", str(journal)], ["export", str(journal), "--out", str(out)]):
        done = own_lane.command("kassa-journal", *arguments)
        assert done.returncode == 0, done.stderr
        found[arguments[0]] = _told((done.stdout + done.stderr).encode())
    assert any(file.is_file() for file in out.rglob("*"))
    found |= {str(file): told for file in out.rglob("*") if file.is_file() and (told := _told(file.read_bytes()))}
    assert not any(found.values()), found
    written = journal.read_bytes() + journal.with_name("journal.db-wal").read_bytes()
    assert re.search(rb'"masked_pan":"[^"]+1111"', written), "the terminal did not leak"


def _leaks_everywhere(lane: LaneUnderTest, shopper: Customer) -> Iterator[bytes]:
    """A sale with a card number in everything that is read, displayed, told and printed; the page at each step."""
    lane.bench("/terminal/profile", leaks=PAN)
    shopper.scans(TOAST)
    for text in READ.values():
        lane.bench("/scanner/scan", text=text)
        shopper.sees("basket", "item_not_found")
        yield shopper.page.content().encode()
        shopper.touches("close_prompt")
        shopper.sees("basket", "")
    shopper.touches("pay")
    shopper.touches("card")
    shopper.sees("card")
    lane.waits_for_card()
    yield shopper.page.content().encode()
    shopper.taps("decline")
    shopper.sees("pay")
    yield shopper.page.content().encode()
    shopper.touches("close_prompt")
    shopper.touches("card")
    shopper.sees("card")
    lane.waits_for_card()
    shopper.taps("approve")
    shopper.sees("receipt")
    yield shopper.page.content().encode()
    shopper.touches("receipt", "how=print")
    shopper.sees("thanks")
    yield shopper.page.content().encode()
    receipt = lane.bench_get("/printer/receipts")["receipts"][-1]["number"]
    yield str(lane.bench_get(f"/printer/receipts/{receipt}.json")).encode()


def _answers(lane: LaneUnderTest, sale_id: str) -> dict[str, bytes]:
    """What the cloud says, also to calls that are wrong and hold a card number."""
    cloud, kiosk = lane.address["cloud"].rstrip("/"), lane.address["kiosk"].partition("?")[0].rstrip("/")
    wrong = f"{PAN[:4]}%20{PAN[4:8]}%20{PAN[8:12]}%20{PAN[12:]}"
    addresses = [
        *(f"{cloud}{path}" for path in ("/", "/api/kiosks", "/api/sales", f"/sales/{sale_id}", f"/r/{sale_id}")),
        *(f"{base}/{text}" for base in (cloud, kiosk) for text in (PAN, wrong)),
        *(f"{cloud}/{path}/{PAN}" for path in ("sales", "r", "kiosks", "v1/journal")),
    ]
    found = {address: _answer(address) for address in addresses}
    return found | {f"{address} POST": _answer(address, f'{{"{PAN}": "{PAN}"'.encode()) for address in addresses}


def _answer(address: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body), timeout=15) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.read()


def _files(state: Path) -> list[Path]:
    """Everything that the lane and its cloud wrote. The bench is the terminal itself, and knows what it leaks."""
    return [file for file in state.rglob("*") if file.is_file() and "bench" not in file.relative_to(state).as_posix()]
