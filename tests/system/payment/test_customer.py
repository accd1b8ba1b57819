"""What customers do to a payment: give up at any moment, tap twice, scan on, change the language."""

import itertools
import random
import time
from collections.abc import Iterator

import pytest

from kiosk.lane import port
from tests.system.payment.shop import FREE, PRICE_MINOR, Shop, numbers_are_whole, until
from tests.system.payment.till import HouseTill, asks_for_card, leaves, moves_on, pays, shows_basket, stage_is

pytestmark = pytest.mark.system

WISHES: list[port.AnyWish] = [
    port.Start(),
    port.Touch(),
    *(port.ChooseLanguage(language) for language in ("da", "en", "bg", "xx")),
    port.GoToPay(),
    port.PayByCard(),
    port.Back(),
    port.Help(),
    port.Cancel(),
    port.CancelConfirmed(),
    port.Remove("nothing"),
    port.ClosePrompt(),
    port.ChooseReceipt("print"),
    port.ChooseReceipt("qr"),
    port.PrintAgain(),
    port.Finish(),
]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running
        running.verify_journal()
        sales = running.sealed()
        numbers_are_whole(sales)
        assert sum(running.amounts()) == sum(sale.total_minor for sale in sales if sale.state == "closed")


@pytest.fixture
def till(shop: Shop) -> Iterator[HouseTill]:
    with HouseTill(shop.lane) as running:
        yield running


def asked_for_card(shop: Shop, till: HouseTill) -> None:
    asks_for_card(till)
    until(lambda: bool(shop.devices.state()["terminal"]["waiting_for_card"]), "the terminal waits for a card")


@pytest.mark.parametrize(
    ("outcome", "reason"), [("decline", "card_declined"), ("timeout", "customer_cancelled"), ("cancelled", None)]
)
def test_refused_then_paid(shop: Shop, till: HouseTill, outcome: str, reason: str | None) -> None:
    charged = len(shop.captured())
    shows_basket(till, shop.scan)
    with shop.customers(outcome, card_timeout_s=0.1):
        asks_for_card(till)
        state = moves_on(till, lambda state: state.sale is not None and bool(state.sale.tenders) and not state.payment)
    assert state.prompt is not None
    assert reason in (None, getattr(state.prompt, "reason", None))
    assert len(shop.captured()) == charged
    sale = pays(till)
    assert shop.amounts()[charged:] == [PRICE_MINOR]
    assert [tender.state for tender in sale.tenders][1:] == ["approved"]
    leaves(till)


def test_stopped_at_any_moment(shop: Shop, till: HouseTill) -> None:
    """Back is tapped again and again from a random moment on; the card is tapped at another one."""
    moments = random.Random(2)
    for _ in range(25):
        charged = len(shop.captured())
        shows_basket(till, shop.scan)
        with shop.customers("approve", auto_delay_s=moments.choice([0, 0.005, 0.02])):
            asks_for_card(till)
            time.sleep(moments.uniform(0, 0.06))
            while till.state().payment is not None:
                till.post(port.Back())
                till.wait_for(lambda state: state.payment is None, 0.02)
        state = moves_on(till, stage_is("choosing", "scanning", "receipt"))
        assert state.sale is not None
        if state.stage == "receipt":
            assert shop.amounts()[charged:] == [PRICE_MINOR]
            leaves(till)
            continue
        assert len(shop.captured()) == charged
        till.post(port.CancelConfirmed())
        moves_on(till, stage_is("idle"))
        assert len(shop.captured()) == charged


def test_stopped_before_the_terminal_was_asked(shop: Shop, till: HouseTill) -> None:
    """One tap on Back, right after the one on the card, is enough."""
    charged = len(shop.captured())
    shows_basket(till, shop.scan)
    with shop.customers(None):
        asks_for_card(till)
        till.post(port.Back())
        state = moves_on(till, lambda state: bool(state.sale and state.sale.tenders) and state.payment is None, 5)
    assert state.prompt is None
    till.post(port.CancelConfirmed())
    moves_on(till, stage_is("idle"))
    assert len(shop.captured()) == charged


def test_every_button_pressed_twice_in_every_state(shop: Shop, till: HouseTill) -> None:
    """Random pairs of taps, scans pouring in, and a customer whose card is always ready."""
    taps = random.Random(3)
    closed = 0
    for _ in range(300):
        wish = taps.choice([*WISHES, port.GoToPay(), port.PayByCard(), port.PayByCard()])
        if till.state().stage in ("idle", "scanning", "paying"):
            shop.scan()
        till.post(wish)
        till.post(wish)
        seen = till.wait_for(stage_is("receipt"), 0.01)
        closed += seen.stage == "receipt" and seen.sale is not None
    state = moves_on(till, lambda state: state.payment is None and state.stage != "closing")
    if state.sale is not None and state.sale.state != "closed":
        till.post(port.CancelConfirmed())
    else:
        till.post(port.ChooseReceipt("none"))
        till.post(port.Finish())
    moves_on(till, stage_is("idle", "scanning"))
    assert closed > 5, "hardly anything was bought"


def test_busy_hands_while_paying(shop: Shop, till: HouseTill) -> None:
    """Scans, languages, a second card payment and giving up, all while the terminal waits: the amount stays."""
    charged = len(shop.captured())
    shows_basket(till, shop.scan, 2)
    with shop.customers(None):
        asked_for_card(shop, till)
        for language in itertools.islice(itertools.cycle(("en", "bg", "da")), 30):
            shop.scan()
            for wish in (port.ChooseLanguage(language), port.PayByCard(), port.CancelConfirmed(), port.Finish()):
                till.post(wish)
        shop.devices.call(lambda: shop.terminal.tap("approve"))
        sale = moves_on(till, stage_is("receipt")).sale
    assert sale is not None
    assert (len(sale.lines), len(sale.tenders), sale.total_minor) == (2, 1, 2 * PRICE_MINOR)
    assert shop.amounts()[charged:] == [2 * PRICE_MINOR]
    leaves(till)


def test_a_terminal_that_counts_anew(shop: Shop, till: HouseTill) -> None:
    """An end of day between payments restarts its numbers; the line is cut where only its record can tell."""
    for message in (3, 4, 5):
        charged = len(shop.captured())
        shop.devices.call(lambda: shop.terminal.ledger.end_day(restart_numbers=True))
        shows_basket(till, shop.scan)
        shop.fault({"direction": "in", "message": message, "manner": "reset"})
        asks_for_card(till)
        moves_on(till, lambda state: state.payment is not None)
        sale = pays(till, between=lambda: shop.fault(None))
        shop.fault(None)
        assert shop.amounts()[charged:] == [sale.total_minor]
        leaves(till)


def test_nothing_to_pay_is_not_asked_for(shop: Shop, till: HouseTill) -> None:
    charged = len(shop.captured())
    shows_basket(till, lambda: shop.scan(FREE))
    asks_for_card(till)
    sale = moves_on(till, stage_is("receipt")).sale
    assert sale is not None
    assert (sale.total_minor, sale.tenders) == (0, [])
    assert len(shop.captured()) == charged
    leaves(till)


def test_the_largest_basket(shop: Shop, till: HouseTill) -> None:
    charged = len(shop.captured())
    shows_basket(till, shop.scan, 499)
    shop.scan()
    sale = pays(till)
    assert len(sale.lines) >= 499
    assert shop.amounts()[charged:] == [sale.total_minor] == [len(sale.lines) * PRICE_MINOR]
    leaves(till)
