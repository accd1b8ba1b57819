"""Who stands at the lane: a customer who pays, stops and gives up, and staff who look before they answer."""

from typing import TYPE_CHECKING

from kiosk.core import events as on
from kiosk.core.attempt import last_paid, under_way
from kiosk.core.doubt import charged_minor
from kiosk.core.state import Ending
from kiosk.records.sale import Product, Sale, Tender

if TYPE_CHECKING:
    from tests.torture.payment.walk import Walk

STAFF = on.AttendantIdentified("a1", ("payments",))
NOT_STAFF = on.AttendantIdentified("a2", ("void",))


def product(price_minor: int) -> Product:
    return Product("1", "gtin", {"en": "x"}, price_minor, 2, "each", "S", 2500, "")


class People:
    """Each returns whether there was anything to do."""

    def __init__(self, walk: "Walk") -> None:
        self.walk = walk

    def customer(self) -> bool:
        state, lane = self.walk.lane.state, self.walk.lane
        if state.health.journal:
            return False
        match state.stage:
            case "idle" if self.walk.faulty:
                self._scan()
            case "scanning" | "choosing" if state.sale is not None:
                self._decide(state.sale)
            case "paying" if self.walk.faulty and self.walk.rng.random() < 0.1:
                touched = (on.BackTouched(), on.SaleCancelled(1), on.SaleAbandoned(1), on.PayChosen(lane.new_id()))
                self.walk.happen(self.walk.rng.choice(touched))
            case "receipt":
                self.walk.happen(on.ReceiptChosen("none", "{}", lane.new_id()))
            case "thanks":
                self.walk.happen(on.SaleFinished())
            case _:
                return False
        return True

    def _decide(self, sale: Sale) -> None:
        draw = self.walk.rng.random()
        part = last_paid(sale)
        if draw < 0.1 and self.walk.faulty:
            self._scan()
        elif draw < (0.15 if part is None else 0.5):
            endings: tuple[Ending, ...] = ("cancelled", "abandoned")
            ending = self.walk.rng.choice(endings)
            if part is None:
                self.walk.happen(on.SaleCancelled(1) if ending == "cancelled" else on.SaleAbandoned(1))
            else:
                self.walk.met["parts_given_up"] += 1
                self.walk.happen(on.ReversalIntended(part.tender_id, self.walk.lane.new_id(), ending, 1))
        else:
            self.walk.happen(on.PayChosen(self.walk.lane.new_id()))

    def _scan(self) -> None:
        new, price = self.walk.lane.new_id, self.walk.rng.choice((1, 1250, 2495))
        self.walk.happen(on.ItemScanned(product(price), None, "", new(), new(), new(), "v1", "en", 1))

    def staff(self) -> bool:
        """They wait until the terminal is idle, look at its ledger, and say what it shows. What was charged otherwise
        than the lane would count it they first take back at the terminal."""
        state = self.walk.lane.state
        tender = under_way(state)
        if tender is None or tender.state != "manual" or tender.evidence is None or state.health.journal:
            return False
        if not self.walk.terminal.quiet or self.walk.daemon.calls or self.walk.daemon.running is not None:
            return False
        if state.attendant is None or not state.attendant.may("payments"):
            self.walk.happen(STAFF if self.walk.rng.random() < 0.8 else NOT_STAFF)
            return True
        charged = self._settled_by_hand(tender)
        self.walk.met["resolved"] += 1
        self.walk.happen(
            on.PaymentResolved(tender.tender_id, charged, state.attendant.attendant_id, tender.evidence, 1)
        )
        return True

    def _settled_by_hand(self, tender: Tender) -> bool:
        net = self.walk.terminal.net_minor(tender.tender_id)
        if net and net != charged_minor(tender):
            self.walk.terminal.commit(tender.tender_id, -net)
            return False
        return net > 0
