"""The lane that a customer stands at: in this process, or in one that can be killed. And the customer."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol

import pytest

from kiosk.core import doubt, payment
from kiosk.core import events as on
from kiosk.core.barcode import warm
from kiosk.core.state import Stage, State
from kiosk.lane import port
from kiosk.lane.config import KioskConfig
from kiosk.lane.house import House
from kiosk.records.sale import Sale

QUICK_S = {"RETRY_UNREACHABLE_S": 0.1, "RETRY_UNKNOWN_S": 0.3, "ENDING_S": 1}
"""The lane's own patience with the terminal; production waits longer."""


def quicken(set_: Callable[[object, str, object], None]) -> None:
    for name, seconds in QUICK_S.items():
        set_(payment if name == "ENDING_S" else doubt, name, seconds)


class Till(Protocol):
    def state(self) -> State: ...

    def post(self, wish: port.AnyWish | on.Any) -> None: ...

    def wait_for(self, condition: Callable[[State], bool], timeout_s: float) -> State:
        """The first state seen for which it holds; the last one when the time is over."""


class HouseTill:
    """The lane on threads of this process. Use as a context manager."""

    def __init__(self, config: KioskConfig) -> None:
        self.house = House(config)

    def __enter__(self) -> "HouseTill":
        self.house.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.house.stop()

    def state(self) -> State:
        return self.house.lane.snapshot().state

    def post(self, wish: port.AnyWish | on.Any) -> None:
        self.house.lane.post(wish)

    def wait_for(self, condition: Callable[[State], bool], timeout_s: float) -> State:
        deadline = time.monotonic() + timeout_s
        seen = self.house.lane.snapshot()
        while not condition(seen.state) and (left_s := deadline - time.monotonic()) > 0:
            seen = self.house.lane.wait(seen.revision, left_s) or seen
        return seen.state


class Dead(Exception):
    """The lane's process has been killed."""


class KillableTill:
    """The lane in a process of its own. `kill` is kill -9."""

    def __init__(self, config: KioskConfig) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.system.payment.till"])
        self._conn, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(config, far), daemon=True)
        self._process.start()
        far.close()
        self._changed = threading.Condition()
        self._dead = False
        self._state: State = self._conn.recv()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while True:
                state = self._conn.recv()
                with self._changed:
                    self._state = state
                    self._changed.notify_all()
        except (EOFError, OSError):
            with self._changed:
                self._dead = True
                self._changed.notify_all()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._reader.join()
        self._conn.close()
        self._process.close()

    def state(self) -> State:
        return self._state

    def post(self, wish: port.AnyWish | on.Any) -> None:
        """Raises Dead after `kill`, as `wait_for` does."""
        try:
            self._conn.send(wish)
        except OSError:
            raise Dead from None

    def wait_for(self, condition: Callable[[State], bool], timeout_s: float) -> State:
        with self._changed:
            self._changed.wait_for(lambda: self._dead or condition(self._state), timeout_s)
            if self._dead:
                raise Dead
            return self._state


def _serve(config: KioskConfig, conn: Connection) -> None:
    quicken(setattr)
    warm()
    house = House(config)
    house.start()

    def tell() -> None:
        seen = house.lane.snapshot()
        conn.send(seen.state)
        while True:
            again = house.lane.wait(seen.revision, 60)
            if again is not None:
                seen = again
                conn.send(seen.state)

    threading.Thread(target=tell, daemon=True).start()
    while True:
        house.lane.post(conn.recv())


class Undecided(Exception):
    """The terminal's record does not settle it: payment is locked, and staff are called."""


def stage_is(*stages: Stage) -> Callable[[State], bool]:
    return lambda state: state.stage in stages


def ready(state: State) -> bool:
    return state.health.hal and state.health.scanner.usable and state.health.terminal.usable


def _undecided(state: State) -> bool:
    return state.payment is not None and state.payment.phase == "manual"


def moves_on(till: Till, condition: Callable[[State], bool], timeout_s: float = 15.0) -> State:
    state = till.wait_for(condition, timeout_s)
    if not condition(state):
        pytest.fail(f"stuck: {state.stage} {state.payment} {state.prompt} {state.health}")
    return state


def shows_basket(till: Till, scan: Callable[[], None], count: int = 1) -> None:
    """Scan `count` products, each when the one before is in."""
    moves_on(till, ready)
    pulse = till.state().pulse
    while till.state().pulse == pulse:  # a scanner that is not enabled yet says nothing
        scan()
        till.wait_for(lambda state: state.pulse > pulse, 1.0)
    for more in range(pulse + 2, pulse + 1 + count):
        scan()
        moves_on(till, lambda state, more=more: state.pulse >= more)  # type: ignore[misc]


def tenders(state: State) -> int:
    return len(state.sale.tenders) if state.sale is not None else 0


def asks_for_card(till: Till) -> None:
    """From the basket to a payment under way (which may be over by now). A terminal that just went is waited for."""
    tried = tenders(till.state())

    def taken(state: State) -> bool:
        return tenders(state) > tried or state.stage not in ("scanning", "choosing")

    for _ in range(10):
        moves_on(till, lambda state: taken(state) or ready(state))
        till.post(port.GoToPay())
        till.post(port.PayByCard())
        if taken(till.wait_for(taken, 0.5)):
            return
    pytest.fail(f"the card is not asked for: {till.state()}")


def pays(till: Till, *, between: Callable[[], None] = lambda: None, tries: int = 6) -> Sale:
    """Pay, and again as long as the lane says that nothing was charged. The closed sale; raises Undecided."""

    def over(state: State) -> bool:
        return state.stage in ("receipt", "choosing", "scanning") or _undecided(state)

    for _ in range(tries):
        state = moves_on(till, over)
        if state.stage == "receipt":
            assert state.sale is not None
            return state.sale
        if _undecided(state):
            raise Undecided
        between()
        asks_for_card(till)
    pytest.fail(f"not paid after {tries} tries: {till.state()}")


def leaves(till: Till) -> None:
    till.post(port.ChooseReceipt("none"))
    moves_on(till, stage_is("thanks"))
    till.post(port.Finish())
    moves_on(till, stage_is("idle"))
