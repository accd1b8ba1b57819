"""Every sample state renders in every language, and each screen offers exactly what it should."""

import re
import threading
import time
from typing import get_args

import pytest

from kiosk.core.screen import Screen
from kiosk.core.state import ItemNotFound, PaymentFailed, Receipt, Refused, State
from kiosk.i18n import LANGUAGES
from kiosk.lane.port import AnyWish, Published
from kiosk.web.render import Renderer
from tests.core.web.states import FULL, IDLE, PAY, SCAN, SHOP, STATES, distinct, everywhere, on

ALWAYS = {"help", "language", "contrast"}
RENDERER = Renderer()


def html(state: State, language: str = "en") -> str:
    return RENDERER.frame(Published(1, on(state, language=language)))


def offered(state: State) -> set[str]:
    return set(re.findall(r'data-wish="([a-z_]+)"', html(state)))


def test_a_frame_made_ahead_is_made_once_and_one_that_fails_stops_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer, made, done = Renderer(), list[int](), threading.Event()

    def render(published: Published) -> str:
        made.append(published.revision)
        if published.revision == 2:
            done.set()
        return {1: ""}[0] if published.revision == 1 else f"frame {published.revision}"

    monkeypatch.setattr(renderer, "_render", render)
    renderer.ahead(Published(1, IDLE))
    renderer.ahead(coming := Published(2, IDLE))
    assert done.wait(5), "the thread ended with the frame that failed"
    assert renderer.frame(coming) == "frame 2"
    assert made == [1, 2]
    assert "revision 1 cannot be rendered" in caplog.text


def test_the_samples_show_every_screen_and_every_prompt() -> None:
    frames = [html(state) for state in STATES.values()]
    screens = {found for frame in frames for found in re.findall(r'data-screen="(\w+)"', frame)}
    prompts = {found for frame in frames for found in re.findall(r'data-prompt="(\w+)"', frame)}
    assert screens == set(get_args(Screen))
    assert len(prompts) == 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_renders_in_every_language(language: str) -> None:
    for name, _, state in everywhere(language):
        frame = html(state, language)
        tag = language.replace("_", "-")
        assert f'lang="{tag}" data-screen' in frame, name
        assert not re.search(r"\{[a-z_]+\}|style=|onclick", frame), name


def test_every_wish_on_the_page_is_one_that_the_lane_knows() -> None:
    known = {one.__struct_config__.tag for one in get_args(AnyWish)}
    assert {wish for state in STATES.values() for wish in offered(state)} <= known


OFFERS: dict[str, set[str]] = {
    "attract": {"start"},
    "out_of_service": set(),
    "scan": {"cancel"},
    "basket": {"pay", "remove", "cancel"},
    "pay": {"card", "back", "cancel"},
    "pay_no_card": {"back", "cancel", "suspend"},
    "suspended": {"finish"},
    "staff_menu": {"day", "pay", "remove", "close_prompt", "leave", "cancel", "suspend"},
    "card_connecting": set(),
    "card_present": {"back"},
    "card_authorising": set(),
    "card_aborting": set(),
    "card_approved": set(),
    "checking": set(),
    "checking_staff": set(),
    "evidence": {"resolve", "menu", "leave"},
    "evidence_giving_back": {"resolve", "menu", "leave"},
    "reversing": set(),
    "prompt_charged": {"resolve", "resolve_confirmed", "close_prompt"},
    "closing": set(),
    "receipt": {"receipt"},
    "printing": set(),
    "print_trouble": {"receipt", "finish"},
    "print_uncertain": {"receipt", "print_again", "finish"},
    "thanks_qr": {"finish"},
}


@pytest.mark.parametrize(("name", "wishes"), OFFERS.items())
def test_what_a_screen_offers(name: str, wishes: set[str]) -> None:
    assert offered(STATES[name]) == wishes | ALWAYS


def test_a_payment_in_doubt_shows_its_evidence_to_staff_alone() -> None:
    shown = html(STATES["evidence"])
    for fact in ("0042", "000733", "A1B2C3", "52500041", "Visa ************1234", "of another amount"):
        assert fact in shown
    assert 'id="fact-' not in html(on(STATES["evidence"], attendant=None))
    assert "Please do not pay again" in html(on(STATES["evidence"], attendant=None))
    assert "15000 (EUR)" in html(STATES["evidence_other_currency"]), "whose decimals nobody here knows"


def test_the_button_says_the_amount_that_will_count() -> None:
    assert "Charged: DKK\u00a0150.00" in html(STATES["evidence"]), "the smaller part that the terminal tells of"
    assert "Charged: DKK\u00a0100.00" in html(STATES["evidence_giving_back"])


def test_who_has_paid_a_part_sees_what_is_paid_and_what_is_left() -> None:
    total = STATES["pay_partly_paid"].sale.total_minor  # type: ignore[union-attr]
    shown = html(STATES["pay_partly_paid"])
    assert "DKK\u00a0100.00 is paid" in shown
    assert "Still to pay" in shown
    assert f"Pay DKK\u00a0{(total - 10000) / 100:.2f} by card" in shown
    assert "goes back to your card" in html(STATES["prompt_cancel_partly_paid"])


def test_what_cannot_be_had_is_not_offered() -> None:
    assert 'data-arg="how=print"' in html(STATES["receipt"])
    assert 'data-arg="how=print"' not in html(STATES["receipt_no_paper"])
    no_url = on(STATES["receipt"], shop=on(SHOP, receipt_url=""))
    assert 'data-arg="how=qr"' not in html(no_url)


def test_what_can_be_paid_with_is_known_before_the_first_scan() -> None:
    assert "You can pay by card here" in html(IDLE)
    trouble = html(STATES["attract_no_card"])
    assert "You can pay by card here" not in trouble
    assert "Card payment is not available at the moment" in trouble


def test_the_stage_is_inert_below_a_prompt() -> None:
    assert not re.search(r"<main[^>]* inert", html(FULL))
    assert re.search(r"<main[^>]* inert", html(STATES["prompt_cancel"]))


def test_nobody_is_sent_to_a_scanner_that_does_not_work() -> None:
    one = STATES["basket_one"]
    assert "Scan your next item" in html(one)
    assert "Scan your next item" not in html(on(one, health=STATES["scan_scanner_gone"].health))


def test_a_cover_that_was_closed_again_is_not_called_open() -> None:
    failed = on(STATES["print_uncertain"], receipt=Receipt("print", "{}", "j1", 0, "failed", "cover_open"))
    assert "cover is open" not in html(failed)
    assert "Your receipt is not printed" in html(failed)


def test_nobody_is_told_that_a_paid_basket_will_be_cleared() -> None:
    cleared = "your basket is cleared"
    assert cleared in html(STATES["prompt_still_there"])
    assert cleared not in html(STATES["prompt_still_there_paid"])
    assert "Your purchase is paid" in html(STATES["prompt_still_there_paid"])


def test_what_was_read_is_text_and_never_markup() -> None:
    hostile = '"><script>alert(1)</script>&{item}'
    shown = html(on(FULL, prompt=ItemNotFound(hostile, "unknown")))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_words_that_nobody_foresaw_still_make_sense() -> None:
    assert "The card terminal ended the payment." in html(on(PAY, prompt=PaymentFailed("new_reason")))
    assert "Staff must approve this" in html(on(FULL, prompt=Refused("restricted", "licence", {"en": "Rat poison"})))
    assert "We do not know this item" in html(on(FULL, prompt=ItemNotFound("x", "new_why")))


def test_a_total_is_shown_whenever_there_is_a_sale() -> None:
    for name, state in STATES.items():
        if state.sale is not None and not name.startswith(("thanks", "out_of_service", "contrast_thanks")):
            assert "DKK\u00a0" in html(state), name
            assert 'class="total"' in html(state), name


def test_one_state_is_rendered_once() -> None:
    published = Published(7, FULL)
    assert RENDERER.frame(published) is RENDERER.frame(published)
    assert RENDERER.frame(Published(7, SCAN)) != RENDERER.frame(published)


def test_a_basket_of_thirty_rows_is_rendered_in_time() -> None:
    state = on(SCAN, sale=distinct(30))
    RENDERER.frame(Published(0, state))
    took_s = []
    for revision in range(1, 41):
        begin_s = time.perf_counter()
        RENDERER.frame(Published(revision, state))
        took_s.append(time.perf_counter() - begin_s)
    assert sorted(took_s)[20] < 0.005  # 1 ms on a quiet machine
