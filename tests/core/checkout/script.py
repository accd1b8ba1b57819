"""A lane's script: events in, and what must come of them. Reads like the story that it tests."""

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import is_recorded, step
from kiosk.core.state import Catalogue, DeviceHealth, Health, Shop, State
from kiosk.records.sale import CardReferences, Currency, Fiscal, Product

DKK = Currency("DKK", 2)
SHOP = Shop(
    name="Havnens Købmand",
    address=("Havnegade 1", "1058 København"),
    tax_number="DK12345674",
    currency=DKK,
    prices_include_tax=True,
    rounding_rule="category-half-up/1",
    languages=("en", "da", "bg", "zh-Hans", "zh-Hant"),
    default_language="da",
    register="1",
    receipt_url="https://kvittering.example/r/{sale_id}",
)
READY = DeviceHealth("ready", "")
CARD = CardReferences("************1234", "Visa", "52500041", "000123", "0017", "A1B2C3", "11-21 12:00:00")


def product(
    code: str = "05712345678906",
    price: int = 1250,
    *,
    restriction: str = "",
    code_kind: str = "gtin",
    unit: str = "each",
) -> Product:
    return Product(
        code=code,
        code_kind=code_kind,  # type: ignore[arg-type]
        name={"en": f"Thing {code[-3:]}", "da": f"Ting {code[-3:]}"},
        price_amount=price,
        price_exponent=2,
        unit=unit,
        tax_category="S",
        tax_rate_bp=2500,
        category="pantry",
        restriction=restriction,
    )


PANT = Product("PANT-A", "plu", {"en": "Deposit A"}, 100, 2, "each", "O", 0, "deposit", kind="deposit")


def ready_state(**changes: object) -> State:
    health = Health(hal=True, scanner=READY, printer=READY, terminal=READY)
    return State(
        shop=SHOP,
        language="da",
        health=health,
        catalogue=Catalogue("v1", 220),
        **changes,  # type: ignore[arg-type]
    )


class Script:
    """Plays events against `step`, keeps the journal, and can replay it. `effects`, `timers`: of the last event."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state if state is not None else ready_state()
        self.journal: list[on.Any] = []
        self.effects: list[do.Any] = []
        self.timers: list[do.Any] = []
        self._line = 0

    def play(self, *events: on.Any) -> list[do.Any]:
        """Play events; returns the effects of the last one, timers left out."""
        for event in events:
            taken = step(self.state, event)
            if is_recorded(self.state, event, taken):
                self.journal.append(event)
            self.state = taken.state
            self.effects = [e for e in taken.effects if not isinstance(e, do.StartTimer | do.StopTimer)]
            self.timers = [e for e in taken.effects if isinstance(e, do.StartTimer | do.StopTimer)]
        return self.effects

    def answer_effects(self) -> list[do.Any]:
        """What the lane itself answers to the last effects, with ids and times put in."""
        for effect in self.effects:
            match effect:
                case do.LeaveToStaff(tender_id, evidence):
                    return self.play(on.PaymentLeftToStaff(tender_id, evidence, 5_000))
                case do.IntendReversal(tender_id, ending):
                    return self.play(on.ReversalIntended(tender_id, f"r-{tender_id}", ending, 5_000))
                case do.GiveUp(cancelled):
                    return self.play(on.SaleCancelled(5_000) if cancelled else on.SaleAbandoned(5_000))
                case _:
                    pass
        return []

    def scan(self, item: Product | None = None, deposit: Product | None = None) -> list[do.Any]:
        self._line += 1
        n = self._line
        event = on.ItemScanned(
            item or product(), deposit, "]E0", f"l{n}", f"d{n}", f"s{n}", "v1", self.state.language, 1_000 + n
        )
        return self.play(event)

    def to_charge(self, tender_id: str = "t1") -> list[do.Any]:
        return self.play(on.PayTouched(), on.PayChosen(tender_id), on.TerminalPrepared(tender_id, "witness"))

    def approve(self, tender_id: str = "t1", minor: int = 0, seq: int = 7) -> list[do.Any]:
        assert self.state.sale is not None
        return self.play(
            on.PaymentApproved(tender_id, seq, minor or self.state.sale.total_minor, "DKK", CARD),
        )

    def to_receipt(self) -> None:
        self.to_charge()
        self.play(on.ChargeSent("t1"))
        self.approve()
        self.play(on.PaymentEnded("t1", "stands", ["KORT"]), on.Fiscalised(Fiscal("none")), on.SaleClosed(2_000))

    def replayed(self) -> State:
        """What a restart makes of the journal alone, with nothing known of the devices."""
        state = State(shop=SHOP, language="da")
        for event in self.journal:
            state = step(state, event).state
        return state

    def restart(self) -> list[do.Any]:
        """kill -9 and up again: the state from the journal, the devices as they are, then `Restarted`."""
        state = self.replayed()
        self.state = State(
            **{f: getattr(state, f) for f in state.__struct_fields__ if f not in ("health", "catalogue")},
            health=self.state.health,
            catalogue=self.state.catalogue,
        )
        return self.play(on.Restarted("test"))
