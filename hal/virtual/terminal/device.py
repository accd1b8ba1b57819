"""The terminal itself: its socket, its display, its customer, its ledger. Lives on one asyncio loop."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from hal.virtual.terminal import tables
from hal.virtual.terminal.conversation import Conversation
from hal.virtual.terminal.ledger import Entry, Ledger
from hal.virtual.terminal.line import Faults, Line
from hal.virtual.terminal.messages import Registration
from hal.virtual.terminal.profile import (
    NUMBERS,
    Outcome,
    Profile,
    Refused,
    changed_profile,
    checked_drop,
    checked_number,
    checked_outcome,
)


class VirtualTerminal:
    """A ZVT terminal on loopback TCP. `port` 0 takes a free one; after `start`, `port` is the real one.

    Call everything on the loop that `start` ran on. One register at a time: a new connection replaces the
    old, since a terminal cannot tell a dead one from an idle one.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        ledger: Path | None = None,
        profile: Profile | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.port = port
        self.profile = profile or Profile()
        self.ledger = Ledger(ledger)
        self.faults = Faults()
        self.display = "Ready"
        self.amount = ""
        self.registered = False
        self.config_byte = 0
        self.currency = 978
        self.takes_blocks = False
        self.auto_reversals = 0
        self.card_shown = asyncio.Event()
        self._card: Outcome | None = None
        self._waiting_since: float | None = None
        self._on_change = on_change
        self._server: asyncio.Server | None = None
        self._line: Line | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Plug and unplug

    async def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
            self._on_change()

    plug = start

    async def stop(self) -> None:
        """Stop listening and reset the register's connection; payments in progress end as on a lost line."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if self._line is not None:
            self._line.cut()
        for task in tuple(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if server is not None:
            await server.wait_closed()
        self._on_change()

    unplug = stop

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if self._line is not None:
            self._line.cut()
        self._line = line = Line(reader, writer, self.faults)
        if task is not None:
            self._tasks.add(task)
        pump = asyncio.ensure_future(line.pump())
        self._on_change()
        try:
            await Conversation(self, line).run()
            if self._line is line and self._server is not None:
                await pump  # a silently dead line is held until it is replaced or closed
        finally:
            line.cut()
            await pump
            if task is not None:
                self._tasks.discard(task)
            if self._line is line:
                self._line = None
            self._on_change()

    # The customer

    def tap(self, outcome: object) -> None:
        """What the customer does: now if the terminal waits, else at the next payment. Raises `Refused`."""
        self._card = checked_outcome(outcome)
        self.card_shown.set()
        self._on_change()

    def take_card(self) -> Outcome | None:
        """The card, when one is there; a customer who never comes stays armed until the time-out."""
        if asyncio.get_running_loop().time() >= self.auto_at():
            self._card = self.profile.auto
        self.card_shown.clear()
        if self._card is None or self._card == "timeout":
            return None
        card, self._card = self._card, None
        return card

    def auto_at(self) -> float:
        """Loop time at which the automatic customer acts."""
        if self._waiting_since is None or self.profile.auto is None or self._card is not None:
            return math.inf
        return self._waiting_since + self.profile.auto_delay_s

    # For the conversation

    def register(self, request: Registration) -> None:
        self.registered = True
        self.config_byte = request.config_byte
        self.currency = request.currency if request.currency is not None else self.currency
        self.takes_blocks = request.blocks
        self._on_change()

    def begin(self, amount_minor: int, currency: int) -> None:
        self.amount = tables.money(amount_minor, currency)
        self._waiting_since = asyncio.get_running_loop().time()
        self._on_change()

    def idle(self, line: Line) -> None:
        if self._line is not line:
            return  # a replaced connection ends late: the terminal is already with the new one
        if self._waiting_since is not None and self._card == "timeout":
            self._card = None
        self._waiting_since = None
        self.show("Ready")

    def show(self, text: str) -> None:
        self.display = text
        if text == "Ready":
            self.amount = ""
        self._on_change()

    def commit(self, entry: Entry) -> None:
        self.ledger.commit(entry)
        self._on_change()

    def unacknowledged(self, entry: Entry) -> None:
        """The register never acknowledged the result: the profile says what becomes of the money."""
        if self.profile.unacknowledged == "stands":
            self.commit(entry)
        else:
            self.auto_reversals += 1

    # For the bench

    def set_faults(self, changes: Mapping[str, object]) -> None:
        """{"drop_at": …}; see `checked_drop`. Raises `Refused`."""
        if set(changes) != {"drop_at"}:
            raise Refused(f"faults are drop_at only, not {', '.join(sorted(map(str, changes))) or 'nothing'}")
        self.faults.drop_at = checked_drop(changes["drop_at"])
        self._on_change()

    def set_profile(self, changes: Mapping[str, object]) -> None:
        """Fields of `Profile`, and trace and receipt, the counters. Raises `Refused`, changing nothing."""
        counters = {k: v for k, v in changes.items() if k in NUMBERS}
        for name, value in counters.items():
            checked_number(name, value, 0, NUMBERS[name], whole=True)
        self.profile = changed_profile(self.profile, {k: v for k, v in changes.items() if k not in NUMBERS})
        for name, value in counters.items():
            setattr(self.ledger, name, value)
        self.card_shown.set()
        self._on_change()

    def state(self) -> dict[str, object]:
        drop = self.faults.drop_at
        last = self.ledger.last
        return {
            "plugged": self._server is not None,
            "port": self.port,
            "connected": self._line is not None and not self._line.lost,
            "registered": self.registered,
            "display": self.display,
            "amount": self.amount,
            "waiting_for_card": self._waiting_since is not None
            and self.display == tables.STATUS_TEXTS[tables.INSERT_CARD],
            "armed": self._card,
            "drop_at": None if drop is None else {k: v for k, v in vars(drop).items() if v is not None},
            "profile": dict(vars(self.profile)),
            "auto_reversals": self.auto_reversals,
            "payments": sum(e.outcome == "captured" for e in self.ledger.entries),
            "last": None if last is None else dict(vars(last)),
        }
