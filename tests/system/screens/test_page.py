"""What the page does by itself: focus, keys, sounds, countdowns, the language sheet, and getting back to its lane."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from kiosk.core.state import CancelAsked, StillThere
from kiosk.lane import port as wishes
from tests.core.web.lane import HeldLane
from tests.core.web.states import FULL, IDLE, PAY, SCAN, STATES, on, sale
from tests.system.screens.browser import open_page, served, show

pytestmark = pytest.mark.system

REACHABLE = """() => [...document.querySelectorAll("button, #basket")]
  .filter((one) => one.checkVisibility() && !one.disabled && !one.closest("[inert]")).map((one) => one.id)"""
FOCUSED = "document.activeElement.id"


@pytest.fixture
def page(browser: Browser, lane: HeldLane, port: int) -> Iterator[Page]:
    page = open_page(browser, port, "landscape")
    yield page
    page.close()


def wait_wished(lane: HeldLane, count: int) -> list[wishes.AnyWish]:
    """The wishes so far without the signs of life, once there are at least `count`."""
    while True:
        seen = len(lane.wishes)
        found: list[wishes.AnyWish] = [one for one in lane.wishes[:seen] if not isinstance(one, wishes.Touch)]
        if len(found) >= count:
            return found
        lane.wished(seen + 1)


def test_every_control_is_reached_by_keyboard(page: Page, lane: HeldLane) -> None:
    for name, state in STATES.items():
        show(page, lane, on(state, language="en"))
        wanted = set(page.evaluate(REACHABLE))
        page.evaluate("document.activeElement.blur()")
        found = set()
        for _ in range(len(wanted) + 2):
            page.keyboard.press("Tab")
            found.add(page.evaluate(FOCUSED))
        assert wanted <= found, name


def test_a_key_works_like_a_touch(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    page.focus("#primary")
    page.keyboard.press("Enter")
    assert wait_wished(lane, 1) == [wishes.GoToPay()]


def test_the_focus_goes_into_a_prompt_and_back(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    page.focus("#tool-help")
    show(page, lane, on(FULL, prompt=CancelAsked()))
    assert page.evaluate(FOCUSED) == "prompt-primary"
    page.keyboard.press("Escape")
    assert wait_wished(lane, 1) == [wishes.ClosePrompt()]
    show(page, lane, FULL)
    assert page.evaluate(FOCUSED) == "tool-help"


def test_a_change_leaves_the_focus_where_it_was(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    page.focus("#remove-l0")
    show(page, lane, on(FULL, sale=sale("rye", "milk", "apple"), pulse=10))
    assert page.evaluate(FOCUSED) == "remove-l0"
    show(page, lane, PAY)
    assert page.evaluate(FOCUSED) == "stage"


def test_escape_answers_are_you_still_there(page: Page, lane: HeldLane) -> None:
    show(page, lane, on(FULL, prompt=StillThere(25)))
    page.keyboard.press("Escape")
    assert lane.wished(1) == [wishes.Touch()]


def test_a_touch_is_a_sign_of_life_but_not_many(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    for _ in range(5):
        page.mouse.click(5, 5)
    lane.wished(1)
    page.click("#primary")
    assert wishes.GoToPay() in lane.wished(2)
    assert lane.wishes.count(wishes.Touch()) == 1


def test_a_touch_anywhere_starts(page: Page, lane: HeldLane) -> None:
    page.mouse.click(400, 300)
    assert lane.wished(1) == [wishes.Start()]


def test_each_control_asks_for_what_it_says(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    page.click("#remove-l1")
    page.click("#tool-contrast")
    page.click("#tool-cancel")
    show(page, lane, STATES["receipt"])
    page.click("#receipt-qr")
    expected = [wishes.Remove("l1"), wishes.ChooseContrast("high"), wishes.Cancel(), wishes.ChooseReceipt("qr")]
    assert wait_wished(lane, 4) == expected


def test_the_second_half_of_a_double_tap_is_not_for_the_next_screen(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    box = page.locator("#primary").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(click_count=1)
    page.mouse.up(click_count=1)
    show(page, lane, PAY)
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    page.click("#back")
    assert wait_wished(lane, 2) == [wishes.GoToPay(), wishes.Back()]
    page.click("#primary")
    assert wait_wished(lane, 3)[2:] == [wishes.PayByCard()]


def test_the_language_sheet_stays_open_while_the_basket_grows(page: Page, lane: HeldLane) -> None:
    show(page, lane, FULL)
    page.click("#tool-language")
    expect(page.locator("#languages")).to_be_visible()
    show(page, lane, on(FULL, pulse=10))
    expect(page.locator("#languages")).to_be_visible()
    assert page.evaluate(FOCUSED) == "language-da"
    page.keyboard.press("Escape")
    expect(page.locator("#languages")).to_be_hidden()
    assert page.evaluate(FOCUSED) == "tool-language"
    page.click("#tool-language")
    page.click("#language-zh-Hans")
    expect(page.locator("#languages")).to_be_hidden()
    assert wait_wished(lane, 1) == [wishes.ChooseLanguage("zh-Hans")]
    show(page, lane, on(FULL, language="zh-Hans"))
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"


def test_sounds_and_their_switch(page: Page, lane: HeldLane) -> None:
    page.evaluate("() => { window.played = []; Tones.play = (name) => Tones.muted || window.played.push(name); }")
    show(page, lane, FULL)
    show(page, lane, on(FULL, prompt=StillThere(25)))
    show(page, lane, STATES["receipt"])
    assert page.evaluate("played") == ["accept", "attention", "done"]
    page.click("#tool-sound")
    show(page, lane, on(FULL, pulse=10))
    assert page.evaluate("played.length") == 3
    assert page.get_attribute("#tool-sound", "aria-pressed") == "false"
    show(page, lane, IDLE)
    assert page.get_attribute("#tool-sound", "aria-pressed") == "true"


def test_a_countdown_goes_on_when_the_screen_changes_below_it(page: Page, lane: HeldLane) -> None:
    asked = on(FULL, prompt=StillThere(25))
    show(page, lane, asked)
    expect(page.locator("#prompt .count b")).to_have_text("23", timeout=4000)
    show(page, lane, on(asked, contrast="high"))
    assert int(page.inner_text("#prompt .count b")) <= 23
    show(page, lane, FULL)
    show(page, lane, asked)
    assert int(page.inner_text("#prompt .count b")) == 25


def test_the_newest_row_is_announced(page: Page, lane: HeldLane) -> None:
    show(page, lane, on(SCAN, language="en", sale=sale("milk"), pulse=1))
    expect(page.locator("#live")).to_have_text("Organic milk 1 l: DKK\u00a013.95. Total: DKK\u00a013.95")


def test_a_lost_lane_is_said_and_comes_back_by_itself(browser: Browser) -> None:
    lane = HeldLane(FULL)
    with served(lane) as port:
        page = open_page(browser, port, "landscape")
        page.focus("#primary")
    lost_s = time.monotonic()
    expect(page.locator("#lost")).to_be_visible(timeout=6000)
    assert time.monotonic() - lost_s < 5
    page.keyboard.press("Enter")
    with served(lane, port):
        expect(page.locator("#lost")).to_be_hidden(timeout=5000)
        show(page, lane, PAY)
        page.click("#back")
        assert wait_wished(lane, 1) == [wishes.Back()]
    page.close()
