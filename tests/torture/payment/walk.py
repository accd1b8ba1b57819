"""One walk: a lane, a daemon and a terminal, a few customers and a member of staff, and what happens to them."""

import random
from collections import Counter, deque
from collections.abc import Callable

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.records.sale import Sale
from tests.torture.payment import checks
from tests.torture.payment.checks import require
from tests.torture.payment.daemon import Daemon, PaymentCall, gone
from tests.torture.payment.faults import Faults
from tests.torture.payment.lane import READY, Lane
from tests.torture.payment.people import People
from tests.torture.payment.terminal import Terminal

STEPS = 600
QUIET_STEPS = 6_000
"""After the last fault everything must come to rest within so many."""
TRIES = 20_000
"""Draws until something that can happen is found; where none is, the walk is stuck."""
SCRIPT = 400


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
        self.faulty = True
        self.connected = True
        self.resumed = True
        people, hard = People(self), Faults(self)
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
            (people.customer, 6),
            (people.staff, 2),
            (self._records_again, 4),
            (self._clock, 2),
        ]
        faults: list[tuple[Callable[[], bool], float]] = [
            (hard.kill_kiosk, 0.8),
            (hard.kill_daemon, 0.5),
            (self._cut, 0.8),
            (hard.drop_socket, 0.5),
            (hard.refuse, 0.3),
            (hard.by_hand, 0.3),
            (hard.ghost, 0.3),
            (self._late_clock, 0.3),
        ]
        often = rng.choice((0.1, 0.5, 2.0))
        self._usual = _table(usual)
        self._every = _table([*usual, *((move, weight * often) for move, weight in faults)])

    def play(self) -> None:
        """Raises Violation."""
        for _ in range(STEPS):
            self._one(*self._every)
        self.faulty = False
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

    def tell(self, what: object) -> None:
        self._told.append(f"  {what}")

    def happen(self, event: on.Any) -> None:
        self.tell(event)
        self.lane.take(event)

    def _sealed(self, sale: Sale) -> None:
        self.met[sale.state] += 1
        self.sales.append(sale)
        checks.sealed(sale, self.terminal)

    # The lane

    def _own(self) -> bool:
        if not self.lane.inbox:
            return False
        self.happen(self.lane.inbox.popleft())
        return True

    def _effect(self) -> bool:
        if not self.lane.todo:
            return False
        self.tell(f"-> {self.lane.todo[0]}")
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
        if self.connected:
            self.daemon.calls.append(effect)
        else:
            self._gone(effect)
        return True

    def _gone(self, effect: PaymentCall) -> None:
        told = gone(effect)
        if told is not None:
            self.daemon.answers.append(told)

    def _answer(self) -> bool:
        answers = self.daemon.answers
        if not answers:
            return False
        event = answers.pop(self.rng.randrange(len(answers)))
        self.happen(self.lane.heard(event))
        return True

    def _event(self) -> bool:
        if not self.connected or not self.daemon.stream:
            return False
        self.happen(self.daemon.stream.popleft())
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
        self.happen(on.TimerElapsed(name))  # type: ignore[arg-type]
        return True

    def _records_again(self) -> bool:
        if not self.lane.journal.refuses:
            return False
        self.lane.journal.refuses = False
        if self.lane.state.health.journal:
            self.happen(on.JournalChanged(""))
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
        self.tell(f"> {word} {number} {tender}")
        self.terminal.take(word, number, tender)
        return True

    def _up(self) -> bool:
        if not self.terminal.up:
            return False
        word, number = self.terminal.up.popleft()
        self.tell(f"< {word} {number}")
        self.daemon.hear(word, number)
        return True

    def _reconnect(self) -> bool:
        daemon = self.daemon
        if not daemon.up:
            daemon.up = True
            return True
        if not self.connected:
            self.connected = True
            self.happen(on.HalChanged(connected=True, resumed=self.resumed))
            return True
        if not daemon.line:
            daemon.line = True
            daemon.stream.append(on.DeviceChanged("terminal", READY))
            return True
        return False

    def _cut(self) -> bool:
        met = self.daemon.cut()
        if met:
            self.tell("line cut")
            self.met["cuts"] += 1
        return met

    def _window(self) -> bool:
        met = self.daemon.window_over()
        if met:
            self.tell("not confirmed in time")
        return met


def _table(moves: list[tuple[Callable[[], bool], float]]) -> tuple[list[Callable[[], bool]], list[float]]:
    total, cumulated = 0.0, []
    for _, weight in moves:
        total += weight
        cumulated.append(total)
    return [move for move, _ in moves], cumulated
