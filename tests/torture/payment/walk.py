"""One walk: a lane, a daemon and a terminal, a few customers and a member of staff, and what happens to them."""

import random
from collections import Counter, deque
from collections.abc import Callable

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import last_paid, under_way
from kiosk.core.doubt import charged_minor
from kiosk.records.sale import CardReferences, Product, Sale, Tender
from tests.torture.payment import checks
from tests.torture.payment.checks import require
from tests.torture.payment.daemon import CURRENCY, Daemon, gone
from tests.torture.payment.lane import READY, Lane
from tests.torture.payment.terminal import HAND, Terminal

STEPS = 600
QUIET_STEPS = 6_000
"""After the last fault everything must come to rest within so many."""
TRIES = 20_000
SCRIPT = 400
STAFF = on.AttendantIdentified("a1", ("payments",))
NOT_STAFF = on.AttendantIdentified("a2", ("void",))


def product(price_minor: int) -> Product:
    return Product("1", "gtin", {"en": "x"}, price_minor, 2, "each", "S", 2500, "")


class Walk:
    """Everything that can happen has a weight; what cannot happen now is passed over. `met` counts what did."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.terminal = Terminal(rng, rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.2)
        self.daemon = Daemon(rng, self.terminal)
        self.sales: list[Sale] = []
        self.lane = Lane(self._sealed)
        self.steps = 0
        self.met: Counter[str] = Counter()
        self._told: deque[str] = deque(maxlen=SCRIPT)
        self._faults = True
        self._connected = True
        usual: list[tuple[Callable[[], bool], float]] = [
            (self._own, 12),
            (self._effect, 20),
            (self._call, 12),
            (self._answer, 10),
            (self._event, 12),
            (self._send, 8),
            (self._down, 10),
            (self._up, 10),
            (self.terminal.card, 6),
            (self.terminal.decide, 3),
            (self.daemon.settle_waiting, 8),
            (self._window, 0.3),
            (self._reconnect, 6),
            (self._customer, 6),
            (self._staff, 2),
            (self._records_again, 4),
            (self._clock, 2),
        ]
        faults: list[tuple[Callable[[], bool], float]] = [
            (self._kill_kiosk, 0.8),
            (self._kill_daemon, 0.5),
            (self._cut, 0.8),
            (self._drop_socket, 0.5),
            (self._refuse, 0.3),
            (self._by_hand, 0.3),
            (self._ghost, 0.3),
            (self._late_clock, 0.3),
        ]
        often = rng.choice((0.1, 0.5, 2.0))
        self._usual = _table(usual)
        self._every = _table([*usual, *((move, weight * often) for move, weight in faults)])

    def play(self) -> None:
        """Raises Violation."""
        for _ in range(STEPS):
            self._one(*self._every)
        self._faults = False
        for _ in range(QUIET_STEPS):
            if self._at_rest():
                break
            self._one(*self._usual)
        require(self._at_rest(), "wrong", f"stuck: {self.lane.state.stage} {self.lane.state.payment}")
        checks.at_rest(self.terminal, self.sales, self.lane.intents, self.lane.alarms)

    def script(self) -> str:
        profile = f"stands={self.terminal.stands} print_final={self.terminal.print_final}"
        return "\n".join((f"  terminal {profile}", *self._told))

    def _at_rest(self) -> bool:
        lane = self.lane
        idle = lane.state.sale is None and not lane.inbox and not lane.todo
        return idle and self.terminal.quiet and not self.daemon.calls and not self.daemon.stream

    def _one(self, moves: list[Callable[[], bool]], cumulated: list[float]) -> None:
        for _ in range(TRIES):
            move = self.rng.choices(moves, cum_weights=cumulated)[0]
            if move():
                self.steps += 1
                return
        require(False, "wrong", f"nothing can happen any more: {self.lane.state.stage} {self.lane.state.payment}")

    def _tell(self, what: object) -> None:
        self._told.append(f"  {what}")

    def _do(self, event: on.Any) -> None:
        self._tell(event)
        self.lane.take(event)

    def _sealed(self, sale: Sale) -> None:
        self.met[sale.state] += 1
        self.sales.append(sale)
        checks.sealed(sale, self.terminal)

    # The lane

    def _own(self) -> bool:
        if not self.lane.inbox:
            return False
        self._do(self.lane.inbox.popleft())
        return True

    def _effect(self) -> bool:
        if not self.lane.todo:
            return False
        self._tell(f"-> {self.lane.todo[0]}")
        effect = self.lane.perform()
        if effect is None:
            return True
        if isinstance(effect, do.ConfirmPayment):
            recorded = effect.tender_id in self.lane.results
            require(recorded, "wrong", f"{effect.tender_id} is confirmed and not recorded")
        if isinstance(effect, do.Charge):
            self.met["charges"] += 1
            require(effect.tender_id in self.lane.intents, "wrong", "a charge without a durable intent")
        if isinstance(effect, do.Reverse):
            self.met["reversals"] += 1
        if self._connected:
            self.daemon.calls.append(effect)
        else:
            self._gone(effect)
        return True

    def _gone(self, effect: do.Any) -> None:
        told = gone(effect)
        if told is not None:
            self.daemon.answers.append(told)

    def _answer(self) -> bool:
        answers = self.daemon.answers
        if not answers:
            return False
        event = answers.pop(self.rng.randrange(len(answers)))
        self._do(self.lane.heard(event))
        return True

    def _event(self) -> bool:
        if not self._connected or not self.daemon.stream:
            return False
        self._do(self.daemon.stream.popleft())
        return True

    def _clock(self) -> bool:
        """A clock that runs; the customer's patience is no fault."""
        ripe = sorted(self.lane.timers & {"query", "ending", "thanks"})
        return self._elapse(self.rng.choice(ripe)) if ripe else False

    def _late_clock(self) -> bool:
        """The clocks of who has waited long enough: nobody is there, or nothing answers."""
        ripe = sorted(self.lane.timers & {"idle", "answer", "unclear"})
        return self._elapse(self.rng.choice(ripe)) if ripe else False

    def _elapse(self, name: str) -> bool:
        self.lane.timers.discard(name)
        self._do(on.TimerElapsed(name))  # type: ignore[arg-type]
        return True

    # The daemon and the line

    def _call(self) -> bool:
        return self.daemon.take_call()

    def _send(self) -> bool:
        return self.daemon.send()

    def _down(self) -> bool:
        if not self.terminal.down:
            return False
        word, number, tender = self.terminal.down.popleft()
        self._tell(f"> {word} {number} {tender}")
        self.terminal.take(word, number, tender)
        return True

    def _up(self) -> bool:
        if not self.terminal.up:
            return False
        word, number = self.terminal.up.popleft()
        self._tell(f"< {word} {number}")
        self.daemon.hear(word, number)
        return True

    def _reconnect(self) -> bool:
        daemon = self.daemon
        if not daemon.up:
            daemon.up = True
            return True
        if not self._connected:
            self._connected = True
            self._do(on.HalChanged(connected=True, resumed=self._resumed))
            return True
        if not daemon.line:
            daemon.line = True
            daemon.stream.append(on.DeviceChanged("terminal", READY))
            return True
        return False

    def _cut(self) -> bool:
        met = self.daemon.cut()
        if met:
            self._tell("line cut")
            self.met["cuts"] += 1
        return met

    def _window(self) -> bool:
        met = self.daemon.window_over()
        if met:
            self._tell("not confirmed in time")
        return met

    # Faults

    def _disconnect(self, *, resumed: bool) -> None:
        self._resumed = resumed
        self.daemon.answers.extend(self.daemon.break_calls())
        if self._connected:
            self._connected = False
            self._do(on.HalChanged(connected=False, resumed=False))

    def _drop_socket(self) -> bool:
        if not self._connected:
            return False
        self._tell("socket dropped")
        self._disconnect(resumed=self.rng.random() < 0.7)
        if not self._resumed:
            self.daemon.stream.clear()
        return True

    def _kill_daemon(self) -> bool:
        if not self.daemon.up:
            return False
        self._tell("daemon killed")
        self.met["daemon_kills"] += 1
        self.daemon.crash()
        self._disconnect(resumed=False)
        self.daemon.calls.clear()
        return True

    def _kill_kiosk(self) -> bool:
        self._tell("kiosk killed")
        self.met["kiosk_kills"] += 1
        self.daemon.break_calls()
        self.daemon.answers.clear()
        self.daemon.stream.clear()
        refuses, self.lane.journal.refuses = self.lane.journal.refuses, False
        self.lane.restart()
        self.lane.journal.refuses = refuses
        self._connected, self._resumed = False, False
        return True

    def _refuse(self) -> bool:
        journal = self.lane.journal
        if journal.refuses:
            return False
        self._tell("the journal takes no records")
        self.met["refusals"] += 1
        journal.refuses = True
        return True

    def _records_again(self) -> bool:
        if not self.lane.journal.refuses:
            return False
        self.lane.journal.refuses = False
        if self.lane.state.health.journal:
            self._do(on.JournalChanged(""))
        return True

    def _by_hand(self) -> bool:
        """Somebody uses the terminal by hand, and its record tells of that."""
        if not self.terminal.quiet or self.daemon.running is not None:
            return False
        self._tell("the terminal is used by hand")
        self.terminal.commit(HAND, 7)
        self.met["by_hand"] += 1
        return True

    def _ghost(self) -> bool:
        """A driver that says an approval of a payment that ended otherwise; nothing is charged by it."""
        sale = self.lane.state.sale
        ended = [t for t in sale.tenders if t.state in ("declined", "cancelled")] if sale is not None else []
        if not ended or not self._connected:
            return False
        tender = self.rng.choice(ended)
        card = CardReferences("", "", "", "", "", "", "")
        self.daemon.stream.append(on.PaymentApproved(tender.tender_id, 10**6, tender.requested_minor, CURRENCY, card))
        self.met["ghosts"] += 1
        return True

    # People

    def _customer(self) -> bool:
        state, lane = self.lane.state, self.lane
        if state.health.journal:
            return False
        match state.stage:
            case "idle" if self._faults:
                self._scan()
            case "scanning" | "choosing" if state.sale is not None:
                self._decide(state.sale)
            case "paying" if self._faults and self.rng.random() < 0.1:
                self._do(on.BackTouched())
            case "receipt":
                self._do(on.ReceiptChosen("none", "{}", lane.new_id()))
            case "thanks":
                self._do(on.SaleFinished())
            case _:
                return False
        return True

    def _decide(self, sale: Sale) -> None:
        draw = self.rng.random()
        part = last_paid(sale)
        if draw < 0.1 and self._faults:
            self._scan()
        elif draw < 0.2:
            ending = self.rng.choice(("cancelled", "abandoned"))
            if part is None:
                self._do(on.SaleCancelled(1) if ending == "cancelled" else on.SaleAbandoned(1))
            else:
                self.met["parts_given_up"] += 1
                self._do(on.ReversalIntended(part.tender_id, self.lane.new_id(), ending, 1))
        else:
            self._do(on.PayChosen(self.lane.new_id()))

    def _scan(self) -> None:
        new, price = self.lane.new_id, self.rng.choice((1, 1250, 2495))
        self._do(on.ItemScanned(product(price), None, "", new(), new(), new(), "v1", "en", 1))

    def _staff(self) -> bool:
        """They wait until the terminal is idle, look at its ledger, and say what it shows. What was charged otherwise
        than the lane would count it they first take back at the terminal."""
        state = self.lane.state
        tender = under_way(state)
        if tender is None or tender.state != "manual" or tender.evidence is None or state.health.journal:
            return False
        if not self.terminal.quiet or self.daemon.calls or self.daemon.running is not None:
            return False
        if state.attendant is None or not state.attendant.may("payments"):
            self._do(STAFF if self.rng.random() < 0.8 else NOT_STAFF)
            return True
        charged = self._settled_by_hand(tender)
        self.met["resolved"] += 1
        self._do(on.PaymentResolved(tender.tender_id, charged, state.attendant.attendant_id, tender.evidence, 1))
        return True

    def _settled_by_hand(self, tender: Tender) -> bool:
        net = self.terminal.net_minor(tender.tender_id)
        if net and net != charged_minor(tender):
            self.terminal.commit(tender.tender_id, -net)
            return False
        return net > 0


def _table(moves: list[tuple[Callable[[], bool], float]]) -> tuple[list[Callable[[], bool]], list[float]]:
    total, cumulated = 0.0, []
    for _, weight in moves:
        total += weight
        cumulated.append(total)
    return [move for move, _ in moves], cumulated
