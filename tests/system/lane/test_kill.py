"""kill -9 of the kiosk and of the hardware daemon at every point of a sale: it goes on, and nobody pays twice."""

import pytest
from playwright.sync_api import Browser

from tests.system.lane.harness import Customer, LaneUnderTest, customer

pytestmark = pytest.mark.system

RYE, SEEDED = "9521000000018", "9521000000025"
TOTAL_MINOR = 2495 + 2795


def scanned(shopper: Customer) -> None:
    shopper.scans(RYE)
    shopper.scans(SEEDED)
    shopper.sees("basket")


def at_pay(shopper: Customer) -> None:
    scanned(shopper)
    shopper.touches("pay")
    shopper.sees("pay")


def at_card(shopper: Customer) -> None:
    at_pay(shopper)
    shopper.touches("card")
    shopper.sees("card")
    shopper.lane.waits_for_card()


def at_receipt(shopper: Customer) -> None:
    at_card(shopper)
    shopper.taps()
    shopper.sees("receipt")


def at_printing(shopper: Customer) -> None:
    at_receipt(shopper)
    shopper.lane.bench("/printer/paper", state="ok", left_mm=30)  # the roll ends inside the receipt
    shopper.touches("receipt", "how=print")
    shopper.sees("print_trouble")


POINTS = {
    "scanned": (scanned, "basket"),
    "choosing": (at_pay, "basket"),
    "card": (at_card, None),
    "receipt": (at_receipt, "receipt"),
    "printing": (at_printing, "print_trouble"),
}


def finish(shopper: Customer, point: str) -> None:
    """From wherever the restart left the customer to thank you, as the screens lead."""
    lane = shopper.lane
    if point in ("scanned", "choosing"):
        if shopper.screen() == "basket":
            shopper.touches("pay")
        shopper.sees("pay")
        shopper.touches("card")
        shopper.sees("card")
        lane.waits_for_card()
        shopper.taps()
        shopper.sees("receipt")
    if point == "card":
        settled = shopper.sees_one_of("pay", "receipt", "card")
        if settled == "card":
            lane.waits_for_card()
            shopper.taps()
        elif settled == "pay":
            shopper.touches("close_prompt")
            shopper.touches("card")
            shopper.sees("card")
            lane.waits_for_card()
            shopper.taps()
        shopper.sees("receipt")
    if point == "printing":
        lane.bench("/printer/paper", state="ok")
        where = shopper.sees_one_of("thanks", "print_trouble")
        if where == "print_trouble":
            shopper.touches("receipt", "how=qr")
    else:
        shopper.touches("receipt", "how=none")
    shopper.sees("thanks")


@pytest.mark.parametrize("victim", ["kiosk", "hal"])
@pytest.mark.parametrize("point", POINTS)
def test_the_sale_goes_on_and_is_charged_once(lane: LaneUnderTest, browser: Browser, point: str, victim: str) -> None:
    charged = len(lane.captured())
    reach, after = POINTS[point]
    with customer(lane, browser) as shopper:
        shopper.at_rest()
        reach(shopper)
        lane.kill_and_wait(victim)
        shopper.comes_back()
        if after is not None and victim == "kiosk":
            shopper.sees(after)
        finish(shopper, point)
    assert [entry["amount_minor"] for entry in lane.captured()[charged:]] == [TOTAL_MINOR]
    lane.journal_verifies()


@pytest.mark.parametrize("victim", ["kiosk", "hal"])
def test_killed_while_the_card_is_read(lane: LaneUnderTest, browser: Browser, victim: str) -> None:
    """The card is tapped and the process dies at the same moment: the race may go either way, the money may not."""
    charged = len(lane.captured())
    with customer(lane, browser) as shopper:
        shopper.at_rest()
        at_card(shopper)
        shopper.taps()
        lane.kill_and_wait(victim)
        shopper.comes_back()
        finish(shopper, "card")
    assert [entry["amount_minor"] for entry in lane.captured()[charged:]] == [TOTAL_MINOR]
    lane.journal_verifies()
