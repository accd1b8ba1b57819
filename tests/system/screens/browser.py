"""The real page in a real browser: the lane's web server over a held state, and Debian's Chromium."""

import contextlib
import threading
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from kiosk.core.state import State
from kiosk.web.app import create_app
from kiosk.web.serve import Server, listen
from tests.core.web.lane import HeldLane

TOKEN = "a-token-for-one-boot"
SIZES = {"portrait": (1080, 1920), "landscape": (1280, 800), "wide": (1920, 1080)}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def served(lane: HeldLane, port: int = 0) -> Iterator[int]:
    """The page's server on its own thread; yields its port."""
    with listen(port) as listener:
        port = listener.getsockname()[1]
        server = Server(create_app(lane, token=TOKEN, port=port), listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield port
        finally:
            server.stop()
            thread.join(10)
    assert not thread.is_alive()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, port: int, size: str) -> Page:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.goto(f"http://127.0.0.1:{port}/?token={TOKEN}")
    page.wait_for_selector("html[data-revision]")
    return page


def show(page: Page, lane: HeldLane, state: State) -> None:
    """Publish the state and wait until the page has painted it."""
    revision = lane.show(state)
    page.wait_for_selector(f'html[data-revision="{revision}"]', state="attached")
