"""What goes wrong: processes killed, lines and sockets cut, a journal that refuses, a terminal used by hand."""

from typing import TYPE_CHECKING

from kiosk.core import events as on
from kiosk.records.sale import CardReferences
from tests.torture.payment.daemon import CURRENCY
from tests.torture.payment.terminal import HAND

if TYPE_CHECKING:
    from tests.torture.payment.walk import Walk


class Faults:
    """Each returns whether it could happen."""

    def __init__(self, walk: "Walk") -> None:
        self.walk = walk

    def _disconnect(self, *, resumed: bool) -> None:
        self.walk.resumed = resumed
        self.walk.daemon.answers.extend(self.walk.daemon.break_calls())
        if self.walk.connected:
            self.walk.connected = False
            self.walk.happen(on.HalChanged(connected=False, resumed=False))

    def drop_socket(self) -> bool:
        if not self.walk.connected:
            return False
        self.walk.tell("socket dropped")
        self._disconnect(resumed=self.walk.rng.random() < 0.7)
        if not self.walk.resumed:
            self.walk.daemon.stream.clear()
        return True

    def kill_daemon(self) -> bool:
        if not self.walk.daemon.up:
            return False
        self.walk.tell("daemon killed")
        self.walk.met["daemon_kills"] += 1
        self.walk.daemon.crash()
        self._disconnect(resumed=False)
        self.walk.daemon.calls.clear()
        return True

    def kill_kiosk(self) -> bool:
        self.walk.tell("kiosk killed")
        self.walk.met["kiosk_kills"] += 1
        self.walk.daemon.break_calls()
        self.walk.daemon.answers.clear()
        self.walk.daemon.stream.clear()
        refuses, self.walk.lane.journal.refuses = self.walk.lane.journal.refuses, False
        self.walk.lane.restart()
        self.walk.lane.journal.refuses = refuses
        self.walk.connected, self.walk.resumed = False, False
        return True

    def refuse(self) -> bool:
        journal = self.walk.lane.journal
        if journal.refuses:
            return False
        self.walk.tell("the journal takes no records")
        self.walk.met["refusals"] += 1
        journal.refuses = True
        return True

    def by_hand(self) -> bool:
        """Somebody uses the terminal by hand, and its record tells of that."""
        if not self.walk.terminal.quiet or self.walk.daemon.running is not None:
            return False
        self.walk.tell("the terminal is used by hand")
        self.walk.terminal.commit(HAND, 7)
        self.walk.met["by_hand"] += 1
        return True

    def ghost(self) -> bool:
        """A driver that says an approval of a payment that ended otherwise; nothing is charged by it."""
        sale = self.walk.lane.state.sale
        ended = [t for t in sale.tenders if t.state in ("declined", "cancelled")] if sale is not None else []
        if not ended or not self.walk.connected:
            return False
        tender = self.walk.rng.choice(ended)
        card = CardReferences("", "", "", "", "", "", "")
        self.walk.daemon.stream.append(
            on.PaymentApproved(tender.tender_id, 10**6, tender.requested_minor, CURRENCY, card)
        )
        self.walk.met["ghosts"] += 1
        return True
