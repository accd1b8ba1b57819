"""The bench's page in a real browser: what is clicked reaches the devices, what they do is shown."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from .raw import CHROMIUM, CHROMIUM_FLAGS
from .test_bench import SHOP, Bench, running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is not installed"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("bench")
    (directory / "shop.csv").write_text(SHOP, encoding="utf-8")
    with running(directory, "--shop", str(directory / "shop.csv")) as found:
        yield found


@pytest.fixture(scope="module")
def page(bench: Bench) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(bench.url)
        yield page
        browser.close()
        assert complaints == []


def test_a_click_on_a_product_scans_it(page: Page, bench: Bench) -> None:
    page.get_by_role("button", name="Rye bread").click()
    expect(page.locator(".plug[data-device=scanner]")).to_contain_text("1 scan")
    assert bench.ask("GET", "/state")[1]["scanner"]["last"] == "5701234567899"


def test_a_payment_shows_its_amount_and_takes_the_card(page: Page, bench: Bench) -> None:
    with socket.create_connection(("127.0.0.1", bench.where()["terminal"])) as register:
        register.settimeout(5)
        register.sendall(bytes.fromhex("06 00 06 00 00 00 00 02 08 80 00 00"))
        register.sendall(bytes.fromhex("06 01 0A 04 00 00 00 00 12 50 49 02 08"))
        expect(page.locator("#terminal-amount")).to_have_text("12.50 DKK")
        page.get_by_role("button", name="Tap card").click()
        expect(page.locator("#terminal-text")).to_have_text("Approved")
        register.sendall(bytes.fromhex("80 00 00 80 00 00"))
        expect(page.locator("#terminal-text")).to_have_text("Ready")
    assert bench.ask("GET", "/state")[1]["terminal"]["last"]["amount_minor"] == 1250


def test_a_receipt_rolls_out_and_switches_move_the_sensors(page: Page, bench: Bench) -> None:
    page.get_by_role("switch", name="Cover closed").click()
    expect(page.locator("#printer-note")).to_have_text("Cover open")
    with socket.create_connection(("127.0.0.1", bench.where()["printer"])) as till:
        till.sendall(b"Hello\n\x1dVB\x00")
        page.get_by_role("switch", name="Cover closed").click()
        expect(page.get_by_alt_text("Receipt 1: Hello")).to_be_visible()
    expect(page.locator("#printer-note")).to_have_text("Ready")


def test_a_device_is_unplugged_and_a_fault_armed(page: Page, bench: Bench) -> None:
    page.get_by_role("switch", name="Printer plugged in").click()
    expect(page.locator("#printer-note")).to_have_text("Off")
    page.get_by_role("switch", name="Printer plugged in").click()
    expect(page.locator("#printer-note")).to_have_text("Ready")
    page.get_by_text("Faults and behaviour").click()
    page.get_by_role("button", name="Arm").click()
    expect(page.get_by_role("button", name="Armed")).to_be_visible()
    assert bench.ask("GET", "/state")[1]["terminal"]["drop_at"] == {
        "direction": "out",
        "message": 2,
        "manner": "reset",
    }
