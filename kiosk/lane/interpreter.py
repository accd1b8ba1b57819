"""The one interpreter: takes what happens, asks the core, journals, publishes, and has the effects performed.

Everything that changes the lane goes through one queue and one thread. The order for a durable event is fixed:
journal first, then the customer's screen, then the effects.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from hal.api.scrub import scrubbed
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import is_recorded, step
from kiosk.core.closing import sealed
from kiosk.core.entry import entry
from kiosk.core.screen import screen
from kiosk.core.state import State
from kiosk.journal.errors import AppendFailed, JournalError
from kiosk.journal.store import Journal
from kiosk.lane.port import AnyWish, Published, Wish
from kiosk.records.journal import Actor

_log = logging.getLogger("kassa.lane")
_CUSTOMER = Actor("customer")
_SYSTEM = Actor("system")
_BY_CUSTOMER = (on.ItemScanned, on.LanguageChosen, on.PayChosen, on.ReceiptChosen, on.CopyChosen, on.SaleCancelled)
_BY_ATTENDANT = (
    on.AttendantIdentified,
    on.AttendantLeft,
    on.RestrictionChecked,
    on.LineVoided,
    on.PaymentResolved,
    on.DayRead,
    on.DayClosed,
)
_BY_ANYONE = (*_BY_CUSTOMER, on.SaleSuspended, on.SaleRecalled)
IDLE_TEND_S = 5.0


class Performer(Protocol):
    def perform(self, effect: do.Any) -> None:
        """Begin an effect. Returns at once; its answer comes back through `Lane.post`."""


class Translator(Protocol):
    def event(self, state: State, happened: object) -> on.Any | None:
        """The event for a wish or a read: looks up the product, puts in ids and times. None: nothing to do."""


class Lane:
    """Runs on its own thread between `start` and `stop`. `snapshot`, `wait` and `post` are for any thread."""

    def __init__(self, state: State, journal: Journal, translator: Translator, barred: str = "") -> None:
        """`barred`: why no sale may be begun, whatever the journal's disk says; `state` says so already."""
        self._barred = barred
        self._owed: on.Restarted | None = None
        """The record of this process's start, while it could not be made: nothing may be recorded before it."""
        self._journal = self.journal = journal
        self._translator = translator
        self._performer: Performer | None = None
        self._queue: queue.SimpleQueue[tuple[object, int] | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._published = Published(1, state)
        self._listeners: list[Callable[[], None]] = []
        self._watchers: list[Callable[[], None]] = []
        self._coming: list[Callable[[Published], None]] = []
        self._at_rest: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="lane")
        self.opens_day: Callable[[], on.DayOpened] | None = None
        """Makes the event that opens a business day, before the first sale of it."""

    def start(self, performer: Performer) -> None:
        self._performer = performer
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand and end the thread. The journal stays open."""
        self._queue.put(None)
        self._thread.join()

    def on_recorded(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each record, on the lane's thread; it must not block."""
        self._listeners.append(listener)

    def on_published(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each new state, on the lane's thread; it must not block."""
        self._watchers.append(listener)

    def on_coming(self, listener: Callable[[Published], None]) -> None:
        self._coming.append(listener)

    def on_rest(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the lane's thread whenever a sale is over."""
        self._at_rest.append(listener)

    def snapshot(self) -> Published:
        return self._published

    def wait(self, after: int, timeout_s: float) -> Published | None:
        with self._changed:
            self._changed.wait_for(lambda: self._published.revision > after, timeout_s)
            return self._published if self._published.revision > after else None

    def post(self, happened: AnyWish | on.Any | object, cause_mono_ns: int = 0) -> None:
        """Hand in a wish, an event, a read, or a function to be called on the lane's thread."""
        self._queue.put((happened, cause_mono_ns))

    def bar(self, why: str) -> None:
        """No sale is begun any more until the process restarts. On the lane's thread, while no sale is open."""
        self._barred = why
        self._apply(self._published.state, on.JournalChanged(why), 0)

    def adjust(self, change: Callable[[State], State]) -> None:
        """Change what no event of a sale changes. On the lane's thread, while no sale is open."""
        self._publish(Published(self._published.revision + 1, change(self._published.state)))

    def tell_recorded(self) -> None:
        """A record was made beside the lane's own. On the lane's thread."""
        for listener in self._listeners:
            listener()

    def _run(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=IDLE_TEND_S)
            except queue.Empty:
                self._tend()
                continue
            if item is None:
                return
            happened, cause_mono_ns = item
            try:
                self._take(happened, cause_mono_ns)
            except Exception:  # noqa: BLE001 - the lane must outlive any one event; what it was stands in the log
                _log.exception("event failed: %s", type(happened).__name__)

    def _take(self, happened: object, cause_mono_ns: int) -> None:
        if callable(happened):
            happened()
            return
        state = self._published.state
        is_event = isinstance(happened, on.Event)
        event = happened if is_event else self._translator.event(state, happened)
        if event is None:
            if isinstance(happened, Wish):
                _log.debug("wish without effect: %s", type(happened).__name__)
            return
        # Before the core sees it: what is in the state comes on the screen, on paper and into the journal.
        self._apply(state, scrubbed(event), cause_mono_ns)  # type: ignore[arg-type]

    def _apply(self, state: State, event: on.Any, cause_mono_ns: int) -> None:
        if isinstance(event, on.Durable) and not isinstance(event, on.Restarted):
            if not self._pays_what_it_owes(state):
                return
            state = self._published.state
        taken = step(state, event)
        if self.opens_day is not None and state.day is None and _begins(state, taken.state):
            self._apply(state, self.opens_day(), 0)
            state = self._published.state
            if state.day is None:  # it could not be recorded, and so could no sale
                return
            taken = step(state, event)
        coming = None
        if taken.state != state:
            coming = Published(self._published.revision + 1, taken.state, cause_mono_ns)
        if is_recorded(state, event, taken):
            if coming is not None:
                for listener in self._coming:
                    listener(coming)
            recorded = self._record(state, event, taken.state, taken.effects)
            if isinstance(event, on.Restarted):
                self._owed = None if recorded else event
            if not recorded:
                return
        if coming is not None:
            self._publish(coming)
        assert self._performer is not None
        for effect in taken.effects:
            self._performer.perform(effect)
        if state.sale is not None and taken.state.sale is None:
            for at_rest in self._at_rest:
                at_rest()

    def _pays_what_it_owes(self, state: State) -> bool:
        """Before anything is taken up: that this process is a new one."""
        if self._owed is not None:
            self._apply(state, self._owed, 0)
        return self._owed is None

    def _record(self, state: State, event: on.Any, after: State, effects: tuple[do.Any, ...]) -> bool:
        """Whether the event is durable now. If not, it did not happen, and the lane says that it is out of service."""
        assert isinstance(event, on.Durable)
        body = entry(event, effects, after, sealed(state, event, after))
        actor = _actor(event, state, after)
        typ = type(event).__struct_config__.tag
        begins = _begins(state, after)
        try:
            if begins and self._barred:
                raise AppendFailed(self._barred)
            if begins and not self._journal.reserve_ok():
                raise AppendFailed("the disk is almost full; no new sale is begun")
            self._journal.append(str(typ), body, actor, finishing=not begins)
        except JournalError as error:
            _log.error("journal: %s", error)
            self._apply(state, on.JournalChanged(str(error)), 0)
            return False
        self.tell_recorded()
        return True

    def _publish(self, coming: Published) -> None:
        before = self._published
        with self._changed:
            self._published = coming
            self._changed.notify_all()
        for watcher in self._watchers:
            watcher()
        if screen(before.state) != screen(coming.state):
            _log.info("screen %s", screen(coming.state))

    def _tend(self) -> None:
        """Nothing has happened for a while: what the journal likes to do while nobody waits."""
        state = self._published.state
        if state.sale is not None and not state.health.journal:
            return
        began = time.monotonic()
        try:
            self._journal.tend()
            failed = (
                self._barred
                if self._barred or self._journal.reserve_ok()
                else "the disk is almost full; no new sale is begun"
            )
        except JournalError as error:
            failed = str(error)
        if not failed and not self._pays_what_it_owes(state):
            return
        state = self._published.state
        if failed != state.health.journal:
            self._apply(state, on.JournalChanged(failed), 0)
        _log.debug("tended the journal in %.1f ms", (time.monotonic() - began) * 1000)


def _actor(event: on.Durable, before: State, after: State) -> Actor:
    """Who did it: what is done at the page while an attendant is there is done in their name."""
    attendant = after.attendant if isinstance(event, on.AttendantIdentified) else before.attendant
    if attendant is not None and isinstance(event, (*_BY_ANYONE, *_BY_ATTENDANT)):
        return Actor("attendant", attendant.attendant_id)
    return _CUSTOMER if isinstance(event, _BY_ANYONE) else _SYSTEM


def _begins(before: State, after: State) -> bool:
    """Whether a new sale is opened; also by a scan over the last customer's thank-you."""
    opened = after.sale.sale_id if after.sale is not None else ""
    return bool(opened) and (before.sale is None or before.sale.sale_id != opened)
