"""What the journal needs beside records, between sales: a new epoch when the backend proves that it was copied, the
end of service when its epoch was given away. Everything here runs on the lane's thread."""

import logging

from kiosk.journal.errors import JournalError
from kiosk.journal.store import Journal
from kiosk.lane.interpreter import Lane
from kiosk.lane.restore import skipped
from kiosk.records.identity import Acknowledgement

_log = logging.getLogger("kassa.lane.upkeep")
STALE = "stale_epoch"
_DAMAGE = ("broken_chain", "bad_signature", "bad_sequence", "foreign")


class Upkeep:
    """`upload`: why the backend takes no records, for the lane's status; empty while it does."""

    def __init__(self, lane: Lane, journal: Journal) -> None:
        self._lane = lane
        self._journal = journal
        self._fork: tuple[int, Acknowledgement] | None = None
        self._fence = ""
        self.upload = ""
        lane.on_rest(self.at_rest)

    def forked(self, ep: int, ack: Acknowledgement) -> None:
        """At once if no sale is open, else when it is over. Raises JournalError."""
        if self._lane.snapshot().state.sale is not None:
            self._fork = ep, ack
            return
        skip = self._journal.forked(ep, ack)
        self._lane.adjust(lambda state: skipped(state, skip))
        self._lane.tell_recorded()
        _log.error(
            "epoch %d begun: the backend holds another record %d of epoch %d", self._journal.head().ep, ack.hwm, ep
        )

    def told(self, ep: int, halt: str, message: str) -> None:
        if halt in _DAMAGE and ep in self._journal.epochs:
            self._mend(ep)
        if ep != self._journal.head().ep:
            return
        self.upload = f"{halt}: {message}" if halt else ""
        if halt == STALE:
            self._fence = f"this register was given to another device ({message}); enrol the lane again"
            if self._lane.snapshot().state.sale is None:
                self.at_rest()

    def _mend(self, ep: int) -> None:
        """Records that were acknowledged long ago are not verified at each start. A backend that was set back asks for
        them again, and finds what has become of them."""
        try:
            if self._journal.mend(ep):
                self._lane.tell_recorded()
        except JournalError as error:
            _log.error("journal: %s", error)

    def at_rest(self) -> None:
        """Nothing is open: what had to wait for that."""
        fork, self._fork = self._fork, None
        try:
            if fork is not None:
                self.forked(*fork)
            if self._fence:
                why, self._fence = self._fence, ""
                self._journal.fence(why)
                self._lane.bar(why)
                self._lane.tell_recorded()
        except JournalError as error:
            _log.error("journal: %s", error)
