"""The lane: the core's own step, the interpreter's order (record, show, perform), and a journal that can be lost to."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part, is_recorded, step
from kiosk.core.closing import sealed
from kiosk.core.entry import entry
from kiosk.core.state import Catalogue, DeviceHealth, Health, Shop, State
from kiosk.lane.restore import restored
from kiosk.records.sale import Currency, Fiscal, Sale
from tests.torture.payment import checks
from tests.torture.payment.daemon import PaymentCall

READY = DeviceHealth("ready", "")
SHOP = Shop(
    name="S",
    address=(),
    tax_number="",
    currency=Currency("DKK", 2),
    prices_include_tax=True,
    rounding_rule="category-half-up/1",
    languages=("en",),
    default_language="en",
    register="1",
)


class Written(msgspec.Struct, frozen=True):
    """What a restart reads of a record."""

    typ: str
    body: dict[str, Any]
    seq: int
    ep: int = 1


@dataclass
class Journal:
    """Only what was durable. `refuses`: no record can be made now."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    refuses: bool = False

    def backward(self) -> Iterator[Any]:
        for seq in range(len(self.records), 0, -1):
            typ, data = self.records[seq - 1]
            yield Written(typ, msgspec.json.decode(data), seq)


@dataclass
class Lane:
    """`inbox` are the lane's own answers; `todo` effects whose turn comes. Both are lost when it is killed."""

    on_sealed: Callable[[Sale], None]
    journal: Journal = field(default_factory=Journal)
    state: State = field(init=False)
    inbox: deque[on.Any] = field(default_factory=deque)
    todo: deque[do.Any] = field(default_factory=deque)
    timers: set[str] = field(default_factory=set)
    intents: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    alarms: set[str] = field(default_factory=set)
    reversal: tuple[str, on.ReversalEnded | None] | None = None
    ids: int = 0

    def __post_init__(self) -> None:
        self.state = self._from_journal()

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:x}"

    def take(self, event: on.Any) -> None:
        """As the interpreter: nothing is shown or done of a durable event that is not in the journal."""
        before = self.state
        taken = step(before, event)
        if is_recorded(before, event, taken):
            if self.journal.refuses:
                if not before.health.journal:
                    self.take(on.JournalChanged("full"))
                return
            self._record(before, event, taken.state, taken.effects)
        self.state = taken.state
        self.todo.extend(taken.effects)
        checks.standing(self.state)

    def _record(self, before: State, event: on.Any, after: State, effects: tuple[do.Any, ...]) -> None:
        assert isinstance(event, on.Durable)
        whole = sealed(before, event, after)
        body = entry(event, effects, after, whole)
        typ = str(type(event).__struct_config__.tag)
        checks.require(typ not in on.AT_REST or after.sale is None, "lost", f"{typ} while a sale is open")
        self.journal.records.append((typ, msgspec.json.encode(body)))
        match event:
            case on.TerminalPrepared(tender_id=tender_id):
                self.intents.add(tender_id)
            case on.PaymentApproved(tender_id=tender_id) | on.PaymentQueried(tender_id=tender_id):
                self.results.add(tender_id)
            case on.PaymentDeclined(tender_id=tender_id):
                self.results.add(tender_id)
            case on.PaymentLeftToStaff(tender_id=tender_id):
                self.alarms.add(tender_id)
            case _:
                pass
        if whole is not None:
            self.on_sealed(whole)

    def perform(self) -> PaymentCall | None:
        """Begin the next effect; what is not for this process is given back."""
        effect = self.todo.popleft()
        match effect:
            case do.StartTimer(name=name):
                self.timers.add(name)
            case do.StopTimer(name=name):
                self.timers.discard(name)
            case do.LeaveToStaff(tender_id, evidence):
                self.inbox.append(on.PaymentLeftToStaff(tender_id, evidence, 1))
            case do.IntendReversal(tender_id, ending):
                self.inbox.append(on.ReversalIntended(tender_id, self.new_id(), ending, 1))
            case do.Fiscalise():
                self.inbox.append(on.Fiscalised(Fiscal("none")))
            case do.CloseSale():
                self.inbox.append(on.SaleClosed(1))
            case do.GiveUp(cancelled):
                self.inbox.append(on.SaleCancelled(1) if cancelled else on.SaleAbandoned(1))
            case do.Finish():
                self.inbox.append(on.SaleFinished())
            case do.Leave(attendant_id):
                self.inbox.append(on.AttendantLeft(attendant_id))
            case do.CallStaff():
                pass
            case do.Reverse():
                return self._reverse(effect)
            case do.PrepareTerminal() | do.Charge() | do.ConfirmPayment() | do.AbortPayment() | do.QueryPayment():
                return effect
            case _:
                raise NotImplementedError(f"the model performs no {type(effect).__name__}")
        return None

    def _reverse(self, effect: do.Reverse) -> do.Reverse | None:
        """Asked once by a process, as `kiosk.lane.hardware` does."""
        if self.reversal is None or self.reversal[0] != effect.reversal_id:
            self.reversal = (effect.reversal_id, None)
            return effect
        if self.reversal[1] is not None:
            self.inbox.append(self.reversal[1])
        return None

    def heard(self, event: on.Any) -> on.Any:
        """An answer from the daemon; a reversal's is remembered."""
        if isinstance(event, on.ReversalEnded):
            self.reversal = (event.reversal_id, event)
        return event

    def restart(self) -> None:
        """kill -9, and up again: the journal is all there is."""
        self.inbox.clear()
        self.todo.clear()
        self.timers.clear()
        self.reversal = None
        known, self.state = self.state, self._from_journal()
        same = durable_part(known) == durable_part(self.state)
        checks.require(same, "lost", f"a restart knows {durable_part(self.state)}, and it was {durable_part(known)}")
        self.take(on.Restarted("model", SHOP))

    def _from_journal(self) -> State:
        state = restored(self.journal, SHOP, 1, 1)
        health = Health(hal=True, scanner=READY, printer=READY, terminal=READY)
        return replace(state, health=health, catalogue=Catalogue("v1", 1))
