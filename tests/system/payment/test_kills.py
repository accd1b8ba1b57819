"""kill -9 of the hardware daemon or of the lane at random moments of a sale: found again, asked, charged once.

`KASSA_KILLS` sets how often each is killed, `KASSA_SEED` where the moments begin; the tests' own are few and fixed.
"""

import contextlib
import os
import random
import threading
import time

import pytest

from kiosk.core.state import State
from tests.system.payment.shop import PRICE_MINOR, Shop, numbers_are_whole
from tests.system.payment.till import (
    Dead,
    HouseTill,
    KillableTill,
    Till,
    asks_for_card,
    leaves,
    moves_on,
    pays,
    ready,
    shows_basket,
    stage_is,
)

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("KASSA_KILLS", "10"))
SEED = int(os.environ.get("KASSA_SEED", "1"))
PAYMENT_S = 0.06
"""A whole payment takes about this long; the moments are spread over a little more."""


def finishes(till: Till, shop: Shop, charged: int) -> None:
    """From wherever the kill left the customer to thank you; the ledger agrees."""
    state = moves_on(till, ready)
    if state.stage == "idle":  # nothing was recorded yet: the customer scans again
        shows_basket(till, shop.scan)
    state = moves_on(till, settled)
    if state.stage in ("scanning", "choosing"):
        pays(till)
    sale = moves_on(till, stage_is("receipt", "thanks")).sale
    assert sale is not None
    assert shop.amounts()[charged:] == [sale.total_minor] == [PRICE_MINOR], sale.tenders
    if till.state().stage == "receipt":
        leaves(till)


def settled(state: State) -> bool:
    return state.stage not in ("paying", "closing") or (state.payment is not None and state.payment.staff)


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_the_hardware_daemon_killed(unacknowledged: str) -> None:
    moments = random.Random(SEED)
    with Shop() as shop:
        shop.profile(unacknowledged=unacknowledged)
        with HouseTill(shop.lane) as till:
            for _ in range(KILLS):
                charged = len(shop.captured())
                shows_basket(till, shop.scan)
                asks_for_card(till)
                time.sleep(moments.uniform(0, PAYMENT_S))
                shop.kill_hal()
                shop.start_hal()
                finishes(till, shop, charged)
        check(shop)


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_the_lane_killed(unacknowledged: str) -> None:
    moments = random.Random(SEED)
    with Shop() as shop:
        shop.profile(unacknowledged=unacknowledged)
        till = KillableTill(shop.lane)
        try:
            for _ in range(KILLS):
                charged = len(shop.captured())
                moves_on(till, stage_is("idle"))
                shows_basket(till, shop.scan)
                moment = threading.Timer(moments.uniform(0, PAYMENT_S), till.kill)
                moment.start()
                with contextlib.suppress(Dead):  # a customer who goes on while the lane is being killed
                    asks_for_card(till)
                    till.wait_for(lambda _: False, 10)
                moment.join()
                till = KillableTill(shop.lane)
                finishes(till, shop, charged)
        finally:
            till.kill()
        check(shop)


def check(shop: Shop) -> None:
    shop.verify_journal()
    sales = shop.sealed()
    assert [sale.state for sale in sales] == ["closed"] * len(sales)
    numbers_are_whole(sales)
    assert sum(shop.amounts()) == sum(sale.total_minor for sale in sales)
    assert all(amount == PRICE_MINOR for amount in shop.amounts())
