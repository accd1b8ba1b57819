"""The write end: one durable append at a time, and what is done when the disk does not want to.

A COMMIT that failed may have happened: only what a reopened file says counts. After an input/output error nothing is
tried again, for pages whose fsync failed may be marked clean.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import apsw

from kiosk.journal.anchor import Anchor
from kiosk.journal.database import Database
from kiosk.journal.errors import AppendFailed, Damaged, DiskFull, OutOfService, WrongJournal
from kiosk.journal.reserve import Reserve
from kiosk.records.journal import Head

# Above this the log is carried over inside an append, so that it cannot grow without end on a lane that is never idle.
_WAL_LIMIT_FRAMES = 3900
_WAL_IDLE_FRAMES = 256


@dataclass(frozen=True)
class Landmark:
    """`certificate`: canonical text, empty where the record brings none. `begins`: it is of a new epoch."""

    typ: str
    certificate: str = ""
    begins: bool = False


class Writer:
    """Belongs to one thread. `reopened` is called after the file was closed and opened again."""

    def __init__(
        self, database: Database, anchor: Anchor, reserve: Reserve, vfs: str, reopened: Callable[[], None]
    ) -> None:
        self.database = database
        self.failure = ""
        self._anchor = anchor
        self._reserve = reserve
        self._vfs = vfs
        self._reopened = reopened
        self._carry_over_at = _WAL_LIMIT_FRAMES

    def write(self, head: Head, data: bytes, signature: bytes, landmark: Landmark | None, *, finishing: bool) -> None:
        """The record `head` is durable on return. Raises AppendFailed, DiskFull, OutOfService."""
        try:
            self._insert(head, data, signature, landmark)
        except apsw.Error as error:
            self._settle(error, head, data, signature, landmark, finishing=finishing)
        self._anchor.write(head)
        if self.database.wal_frames >= self._carry_over_at:
            self._carry_over()

    def _insert(self, head: Head, data: bytes, signature: bytes, landmark: Landmark | None) -> None:
        if landmark is None:
            return self.database.insert(head.ep, head.seq, data, signature)
        self.database.insert_landmark(
            head.ep, head.seq, data, signature, landmark.typ, landmark.certificate, begins=landmark.begins
        )

    def _settle(
        self,
        error: apsw.Error,
        head: Head,
        data: bytes,
        signature: bytes,
        landmark: Landmark | None,
        *,
        finishing: bool,
    ) -> None:
        """A failed append: returns if the record is durable after all, else raises."""
        if not isinstance(error, apsw.FullError | apsw.BusyError | apsw.NoMemError | apsw.CantOpenError):
            raise self.fail(error) from None
        if self._is_there(head, data):
            return
        full = isinstance(error, apsw.FullError)
        if full and finishing and self._reserve.release():
            try:
                return self._insert(head, data, signature, landmark)
            except apsw.Error as again:
                return self._settle(again, head, data, signature, landmark, finishing=False)
        if full:
            raise DiskFull(f"the disk is full; record {head.seq} was not written") from None
        raise AppendFailed(f"record {head.seq} was not written: {error}") from None

    def _is_there(self, head: Head, data: bytes) -> bool:
        """Close, reopen and look; what is found is made durable before it is believed."""
        try:
            self.database.close()
            self.database = Database(self.database.path, self._vfs)
            self._reopened()
            found = self.database.find(head.ep, head.seq)
            if found is None:
                return False
            if found[0] != data:
                raise self.fail(f"another record {head.seq} appeared")
            self.database.checkpoint()
        except (apsw.Error, OSError, Damaged, WrongJournal) as error:
            raise self.fail(error) from None
        return True

    def fail(self, error: object) -> OutOfService:
        self.failure = f"the journal's disk failed: {error}"
        return OutOfService(self.failure)

    def in_service(self) -> None:
        if self.failure:
            raise OutOfService(self.failure)

    def tend(self) -> None:
        """Raises OutOfService."""
        self.in_service()
        self._anchor.sync()
        self._reserve.restore()
        if self.database.wal_frames >= _WAL_IDLE_FRAMES:
            self._carry_over()
            self.in_service()

    def _carry_over(self) -> None:
        """A full disk only leaves the log to grow; the records in it are durable either way. After an error of the
        disk the record just appended still stands, and the next call raises."""
        self._carry_over_at = _WAL_LIMIT_FRAMES
        try:
            self.database.checkpoint()
            self.database.wal_frames = 0
        except (apsw.FullError, apsw.BusyError):
            self._carry_over_at = self.database.wal_frames + _WAL_LIMIT_FRAMES
        except apsw.Error as error:
            self.fail(error)

    def reserve_ok(self) -> bool:
        return not self.failure and self._reserve.ok()

    def close(self) -> None:
        if not self.failure:
            with suppress(apsw.Error):
                self.database.checkpoint()
        with suppress(apsw.Error):
            self.database.close()
        self._anchor.close()
        self.failure = self.failure or "the journal is closed"
