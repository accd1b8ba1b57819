"""Cards that pay only a part, and parts that are given back: the line cut at every message, terminals that refuse."""

import time
from collections.abc import Iterator

import pytest

from kiosk.core import events as on
from kiosk.core.state import State
from kiosk.lane import port
from kiosk.records.sale import Sale
from tests.system.payment.shop import PRICE_MINOR, Shop, numbers_are_whole, until
from tests.system.payment.till import (
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

PART_MINOR = 1000
STAFF = on.AttendantIdentified("a1", ("payments",))
MESSAGES = {"in": 6, "out": 6}
MOMENTS_S = (0.0, 0.004, 0.01, 0.03)
"""After the customer gave up. A whole reversal takes about 20 ms."""


@pytest.fixture(params=["status_final", "print_final"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with Shop(print_final=request.param == "print_final") as shop:
        shop.profile(part_minor=PART_MINOR)
        yield shop


def pays_a_part(shop: Shop, till: Till) -> None:
    shows_basket(till, shop.scan)
    with shop.customers("part"):
        asks_for_card(till)
        moves_on(till, stage_is("choosing"))
    assert shop.amounts()[-1] == PART_MINOR


def gives_up(till: Till) -> State:
    """Cancels, to the end of the sale or to the doubt that is left to staff."""
    moves_on(till, ready)
    till.post(port.Cancel())
    till.post(port.CancelConfirmed())
    return moves_on(till, lambda state: state.sale is None or is_manual(state))


def is_manual(state: State) -> bool:
    return state.payment is not None and state.payment.phase == "manual"


def resolve(till: Till, *, charged: bool) -> None:
    """An attendant is there, sees the evidence, and says how it ended."""
    till.post(STAFF)
    till.post(port.Resolve("yes" if charged else "no"))
    till.post(port.ResolveConfirmed())
    moves_on(till, lambda state: not is_manual(state))


def settle(shop: Shop, till: Till) -> None:
    """From wherever the lane is to the end of the sale that is given up. Staff look at the terminal's ledger."""
    for _ in range(4):
        state = moves_on(till, lambda state: state.sale is None or is_manual(state) or state.stage == "choosing")
        if state.sale is None:
            return
        if not is_manual(state):
            gives_up(till)
            continue
        moves_on(till, ready)
        until(lambda: shop.terminal.display == "Ready", "the terminal is done")
        resolve(till, charged=shop.amounts() != [])
    pytest.fail(f"not given up: {till.state()}")


def last(shop: Shop) -> Sale:
    return shop.sealed()[-1]


def test_the_rest_of_a_part_is_paid_by_another_card(shop: Shop) -> None:
    with HouseTill(shop.lane) as till:
        pays_a_part(shop, till)
        sale = pays(till)
        assert [tender.authorised_minor for tender in sale.tenders] == [PART_MINOR, PRICE_MINOR - PART_MINOR]
        leaves(till)
    assert shop.amounts() == [PART_MINOR, PRICE_MINOR - PART_MINOR]
    shop.verify_journal()


def test_a_part_is_given_back_when_the_sale_is_given_up(shop: Shop) -> None:
    with HouseTill(shop.lane) as till:
        pays_a_part(shop, till)
        assert gives_up(till).sale is None
    assert shop.amounts() == []
    assert (last(shop).state, [tender.state for tender in last(shop).tenders]) == ("cancelled", ["reversed"])
    typs = [record.typ for record in shop.records()]
    assert typs.index("payment.reversal_intent") < typs.index("payment.reversal_ended") < typs.index("sale.cancelled")


def test_a_terminal_that_gives_nothing_back_brings_staff(shop: Shop) -> None:
    shop.profile(reverses=False)
    with HouseTill(shop.lane) as till:
        pays_a_part(shop, till)
        assert is_manual(gives_up(till))
        assert shop.amounts() == [PART_MINOR]
        resolve(till, charged=True)
        sale = pays(till)
        assert sum(shop.amounts()) == sale.total_minor
        leaves(till)
    alarm = next(record for record in shop.records() if record.typ == "payment.manual")
    assert alarm.body["event"]["evidence"]["why"] == "reversal_refused"


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_a_cut_line_gives_back_once_or_brings_staff(shop: Shop, unacknowledged: str) -> None:
    """Where the lane cannot know whether the money went back, a person says what the terminal's ledger shows."""
    shop.profile(unacknowledged=unacknowledged)
    places = [(direction, n) for direction, count in MESSAGES.items() for n in range(1, count + 1)]
    ends = set()
    with HouseTill(shop.lane) as till:
        for direction, message in places:
            pays_a_part(shop, till)
            shop.fault({"direction": direction, "message": message, "manner": "reset"})
            state = gives_up(till)
            shop.fault(None)
            ends.add(is_manual(state))
            settle(shop, till)
            assert shop.amounts() == [], (direction, message)
            assert last(shop).state == "cancelled"
        shows_basket(till, shop.scan)
        assert [pays(till).total_minor] == shop.amounts(), "the lane sells on"
        leaves(till)
    assert ends == {True, False}, "no cut had any effect, or every one"
    shop.verify_journal()
    numbers_are_whole(shop.sealed())


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_the_daemon_killed_while_it_gives_back(shop: Shop, unacknowledged: str) -> None:
    shop.profile(unacknowledged=unacknowledged)
    with HouseTill(shop.lane) as till:
        for moment_s in MOMENTS_S:
            pays_a_part(shop, till)
            moves_on(till, ready)
            till.post(port.CancelConfirmed())
            time.sleep(moment_s)
            shop.kill_hal()
            shop.start_hal()
            settle(shop, till)
            assert shop.amounts() == []
            assert last(shop).state == "cancelled"


@pytest.mark.parametrize("unacknowledged", ["stands", "reverses"])
def test_the_lane_killed_while_it_gives_back(shop: Shop, unacknowledged: str) -> None:
    shop.profile(unacknowledged=unacknowledged)
    till = KillableTill(shop.lane)
    try:
        for moment_s in MOMENTS_S:
            pays_a_part(shop, till)
            moves_on(till, ready)
            till.post(port.CancelConfirmed())
            time.sleep(moment_s)
            till.kill()
            till = KillableTill(shop.lane)
            settle(shop, till)
            assert shop.amounts() == []
            assert last(shop).state == "cancelled"
    finally:
        till.kill()


def test_a_part_whose_result_was_lost_counts_as_what_the_terminal_tells(shop: Shop) -> None:
    """The terminal's record is of another amount than was asked for, which the lane never takes by itself."""
    shop.profile(unacknowledged="stands")
    with HouseTill(shop.lane) as till:
        shows_basket(till, shop.scan)
        with shop.customers("part"):
            shop.fault({"direction": "in", "message": 4, "manner": "reset"})
            asks_for_card(till)
            state = moves_on(till, is_manual, 20)
        shop.fault(None)
        assert state.sale is not None
        evidence = state.sale.tenders[0].evidence
        assert evidence is not None
        assert (evidence.detail, evidence.told_minor) == ("other_amount", PART_MINOR)
        resolve(till, charged=True)
        sale = pays(till)
        assert shop.amounts() == [PART_MINOR, PRICE_MINOR - PART_MINOR]
        assert sum(tender.authorised_minor for tender in sale.tenders) == sale.total_minor
        leaves(till)
