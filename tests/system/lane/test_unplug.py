"""Every device unplugged and plugged in again at every moment of a sale: what the customer sees, and that the sale
ends well, paid once."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser

from tests.system.lane.harness import Customer, LaneUnderTest, customer

pytestmark = pytest.mark.system

RYE, SEEDED, TOAST = "9521000000018", "9521000000025", "9521000000032"
TOTAL_MINOR = 2495 + 2795
NOTICES = tuple(f"#notice-{device}" for device in ("scanner", "printer", "terminal"))
OFFER_CARD = '#dock [data-wish="card"]'
OFFER_COPY = '[data-wish="print_again"]'
OFFER_PRINT, OFFER_PHONE = "#receipt-print", '[data-arg="how=qr"]'


@pytest.fixture(scope="module")
def person(lane: LaneUnderTest, browser: Browser) -> Iterator[Customer]:
    with customer(lane, browser) as one:
        yield one
    lane.journal_verifies()


@pytest.fixture
def shopper(lane: LaneUnderTest, person: Customer) -> Iterator[Customer]:
    """At the attract screen of a lane in order. What they paid is checked when they have gone."""
    charged = len(lane.captured())
    lane.mend()
    person.leaves()
    person.lacks(*NOTICES)
    yield person
    person.at_rest()
    assert [entry["amount_minor"] for entry in lane.captured()[charged:]] == [TOTAL_MINOR]


# The moments of a sale. Each begins where the one before it ended.


def idle(shopper: Customer) -> None:
    shopper.sees("attract", "")


def scanning(shopper: Customer) -> None:
    shopper.scans(RYE)
    shopper.scans(SEEDED)
    shopper.sees("basket", "")


def choosing(shopper: Customer) -> None:
    shopper.touches("pay")
    shopper.sees("pay", "")


def paying(shopper: Customer) -> None:
    shopper.touches("card")
    shopper.sees("card")
    shopper.lane.waits_for_card()


def receipt(shopper: Customer) -> None:
    shopper.taps()
    shopper.sees("receipt")


def printing(shopper: Customer) -> None:
    """In the middle of the receipt: the roll ends inside it, so that it stays there."""
    shopper.lane.bench("/printer/paper", state="ok", left_mm=30)
    shopper.touches("receipt", "how=print")
    shopper.sees("print_trouble")


MOMENTS = (idle, scanning, choosing, paying, receipt, printing)


def reach(shopper: Customer, moment: str) -> None:
    for step in MOMENTS:
        step(shopper)
        if step.__name__ == moment:
            return


def finish(shopper: Customer, moment: str, device: str = "") -> None:
    """From a moment, or from where an unclear payment was settled, to thank you."""
    if moment == "printing":
        shopper.lane.bench("/printer/paper", state="ok")
        if device == "printer":  # whether the receipt came out is not known, so the customer decides
            shopper.touches("print_again")
        shopper.sees("thanks")
        return
    following = [step for step in MOMENTS if step not in (idle, printing)]
    if moment != "idle":
        following = following[[step.__name__ for step in following].index(moment) + 1 :]
    for step in following:
        step(shopper)
    shopper.touches("receipt", "how=print" if device == "printer" else "how=none")
    shopper.sees("thanks")


class Look(NamedTuple):
    """What the page must show: the screen, the prompt over it, and what must and must not be there."""

    screen: str
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    words: str = ""
    prompt: str = ""

    def seen_by(self, shopper: Customer) -> None:
        shopper.sees(self.screen, self.prompt)
        shopper.has(*self.has)
        shopper.lacks(*self.lacks)
        if self.words:
            shopper.reads(self.words)


PAPER_OUT = Look("print_trouble", (OFFER_PHONE,), (OFFER_COPY,), "Printeren er løbet tør for papir")
CHARGE_FAILED = Look("pay", prompt="payment_failed")

# device, moment: what is seen while it is unplugged, and what after it was plugged in again.
TABLE: dict[tuple[str, str], tuple[Look, Look]] = {
    ("scanner", "idle"): (Look("out_of_service"), Look("attract")),
    ("scanner", "scanning"): (Look("basket", ("#notice-scanner",), (".hint",)), Look("basket", (".hint",), NOTICES)),
    ("scanner", "choosing"): (Look("pay", (OFFER_CARD,)), Look("pay", (OFFER_CARD,))),
    ("scanner", "paying"): (Look("card"), Look("card")),
    ("scanner", "receipt"): (Look("receipt", (OFFER_PRINT,)), Look("receipt", (OFFER_PRINT,))),
    ("scanner", "printing"): (PAPER_OUT, PAPER_OUT),
    ("printer", "idle"): (Look("attract", ("#notice-printer",)), Look("attract", lacks=NOTICES)),
    ("printer", "scanning"): (Look("basket", ("#notice-printer",)), Look("basket", lacks=NOTICES)),
    ("printer", "choosing"): (Look("pay", (OFFER_CARD,)), Look("pay", (OFFER_CARD,))),
    ("printer", "paying"): (Look("card"), Look("card")),
    ("printer", "receipt"): (Look("receipt", (OFFER_PHONE, ".hint"), (OFFER_PRINT,)), Look("receipt", (OFFER_PRINT,))),
    ("printer", "printing"): (
        Look("print_trouble", (OFFER_PHONE,), (OFFER_COPY,), "Vi kan ikke se, om din kvittering blev udskrevet"),
        Look("print_trouble", (OFFER_PHONE,), words="Printeren er løbet tør for papir"),
    ),
    ("terminal", "idle"): (Look("attract", ("#notice-terminal",), (".means",)), Look("attract", (".means",), NOTICES)),
    ("terminal", "scanning"): (Look("basket", ("#notice-terminal",)), Look("basket", lacks=NOTICES)),
    ("terminal", "choosing"): (
        Look("pay", ("#notice-terminal", "#primary-help"), (OFFER_CARD,)),
        Look("pay", (OFFER_CARD,), NOTICES),
    ),
    ("terminal", "paying"): (Look("checking", words="Betal ikke igen"), CHARGE_FAILED),
    ("terminal", "receipt"): (Look("receipt", (OFFER_PRINT,)), Look("receipt", (OFFER_PRINT,))),
    ("terminal", "printing"): (PAPER_OUT, PAPER_OUT),
}


@pytest.mark.parametrize(("device", "moment"), TABLE, ids=["-".join(row) for row in TABLE])
def test_unplugged_and_plugged_in_again(shopper: Customer, device: str, moment: str) -> None:
    unplugged, again = TABLE[device, moment]
    reach(shopper, moment)
    shopper.lane.unplug(device)
    shopper.lane.until(lambda: not shopper.lane.bench_get("/state")[device]["plugged"])
    unplugged.seen_by(shopper)
    shopper.lane.plug(device)
    again.seen_by(shopper)
    if again is CHARGE_FAILED:
        shopper.touches("close_prompt")
        paying(shopper)
    finish(shopper, moment, device)


# The printer in the middle of a receipt


@pytest.mark.parametrize("how", ["waits", "phone"])
def test_a_new_roll_in_the_middle_of_a_receipt(shopper: Customer, how: str) -> None:
    """The customer waits for the paper or takes the receipt on the phone; it is paid, and said to be, either way."""
    lane = shopper.lane
    before = lane.bench_get("/state")["printer"]["receipts"]
    reach(shopper, "printing")
    PAPER_OUT.seen_by(shopper)
    shopper.reads("Dit køb er betalt")
    lane.bench("/printer/cover", state="open")
    Look("print_trouble", (OFFER_PHONE,), (OFFER_COPY,), "Printerens låg er åbent").seen_by(shopper)
    if how == "phone":
        shopper.touches("receipt", "how=qr")
        shopper.has(".qr svg")
    lane.bench("/printer/paper", state="ok")
    lane.bench("/printer/cover", state="closed")
    shopper.sees("thanks")
    lane.until(lambda: lane.bench_get("/state")["printer"]["receipts"] == before + 1)


# The terminal


def test_a_terminal_that_is_not_there_is_said_before_the_first_scan(shopper: Customer) -> None:
    """And at the pay button; the basket waits for the terminal."""
    shopper.lane.unplug("terminal")
    Look("attract", ("#notice-terminal",), (".means",), "Du kan betale ved den betjente kasse").seen_by(shopper)
    scanning(shopper)
    shopper.has("#notice-terminal")
    choosing(shopper)
    Look("pay", ("#notice-terminal", "#primary-help"), (OFFER_CARD,), "Du kan ikke betale her").seen_by(shopper)
    shopper.lane.plug("terminal")
    shopper.lacks("#notice-terminal")
    finish(shopper, "choosing")


class Cut(NamedTuple):
    """Where in the payment the line is cut, as the terminal sees it, and what is true then."""

    direction: str
    message: int
    what: str
    manner: str = "reset"
    unacknowledged: str = "reverses"


CUTS = (
    Cut("in", 1, "the authorisation does not arrive"),
    Cut("out", 1, "its acknowledgement never comes", "silent"),
    Cut("out", 2, "the request for a card is lost", "close"),
    Cut("in", 2, "our acknowledgement of it is lost"),
    Cut("out", 4, "the approval is lost and taken back"),
    Cut("out", 4, "the approval is lost and stands", unacknowledged="stands"),
    Cut("in", 4, "our acknowledgement of the approval is lost: taken back"),
    Cut("in", 4, "our acknowledgement of the approval is lost: it stands", "close", "stands"),
    Cut("out", 5, "the card receipt is lost"),
    Cut("in", 5, "our acknowledgement of the card receipt is lost", "close"),
    Cut("out", 6, "the completion is lost"),
)


@pytest.mark.parametrize(
    "cut", CUTS, ids=[f"{cut.direction}{cut.message}-{cut.manner}-{cut.unacknowledged}" for cut in CUTS]
)
def test_the_line_is_cut_in_the_middle_of_a_payment(shopper: Customer, cut: Cut) -> None:
    """The customer is asked for the card again only when nothing was charged."""
    lane = shopper.lane
    charged = len(lane.captured())
    lane.bench("/terminal/profile", unacknowledged=cut.unacknowledged)
    lane.bench("/terminal/faults", drop_at={"direction": cut.direction, "message": cut.message, "manner": cut.manner})
    reach(shopper, "choosing")
    shopper.taps()  # the card is there before the terminal asks
    shopper.touches("card")
    where = shopper.ends_paying()
    assert lane.bench_get("/state")["terminal"]["drop_at"] is None, "the line was not cut"
    assert (where == "receipt") == (len(lane.captured()) > charged), cut.what
    if where == "pay":
        shopper.sees("pay", "payment_failed")
        shopper.touches("close_prompt")
        shopper.taps()
        shopper.touches("card")
        shopper.sees("receipt")
    shopper.touches("receipt", "how=none")
    shopper.sees("thanks")
