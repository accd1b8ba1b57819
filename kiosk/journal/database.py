"""The SQLite file under the journal: schema, connections, and the few statements that there are.

One table row is one record; its key says epoch and number (`place`), so that one append touches one page. SQLite
errors leave this module as they are (apsw.Error); `store` decides what they mean.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import apsw

from kiosk.journal import wal
from kiosk.journal.errors import Damaged, NoJournal, WrongJournal

APPLICATION_ID = 0x4B41534A  # "KASJ"
SCHEMA_VERSION = 1
_EPOCH_STEP = 2**40
MAX_SEQ = _EPOCH_STEP - 1
# One append writes one page to the log; a small one costs less, and most records fit.
_PAGE_BYTES = 1024

# REPLACE would delete without firing the DELETE trigger, so an insert may only go to the end of its epoch.
# A newer version may add tables; it never changes these.
_SCHEMA = f"""
CREATE TABLE records (place INTEGER PRIMARY KEY, data BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE certificates (ep INTEGER PRIMARY KEY, certificate TEXT NOT NULL) STRICT;
CREATE TABLE acknowledgements (ep INTEGER PRIMARY KEY, hwm INTEGER NOT NULL, acknowledgement TEXT NOT NULL) STRICT;
CREATE TRIGGER records_no_update BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER records_no_delete BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER records_at_end BEFORE INSERT ON records
  WHEN NEW.place <= (SELECT max(place) FROM records)
  BEGIN SELECT RAISE(ABORT, 'records are only appended'); END;
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
  BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
  BEGIN SELECT RAISE(ABORT, 'certificates are never deleted'); END;
CREATE TRIGGER certificates_once BEFORE INSERT ON certificates
  WHEN EXISTS (SELECT 1 FROM certificates WHERE ep = NEW.ep)
  BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
CREATE TRIGGER acknowledgements_advance BEFORE UPDATE ON acknowledgements
  WHEN NEW.ep <> OLD.ep OR NEW.hwm <= OLD.hwm
  BEGIN SELECT RAISE(ABORT, 'acknowledgements only advance'); END;
CREATE TRIGGER acknowledgements_no_delete BEFORE DELETE ON acknowledgements
  BEGIN SELECT RAISE(ABORT, 'acknowledgements are never deleted'); END;
CREATE TRIGGER acknowledgements_once BEFORE INSERT ON acknowledgements
  WHEN EXISTS (SELECT 1 FROM acknowledgements WHERE ep = NEW.ep)
  BEGIN SELECT RAISE(ABORT, 'acknowledgements only advance'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

# Where the records lie that say how others are to be read: gaps, key changes, epochs. An index only: what counts is the
# record itself. Made with the first of them, so that a file which is only looked at stays as it is.
_LANDMARKS = """
CREATE TABLE IF NOT EXISTS landmarks (place INTEGER PRIMARY KEY, typ TEXT NOT NULL, certificate TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS landmarks_no_update BEFORE UPDATE ON landmarks
  BEGIN SELECT RAISE(ABORT, 'landmarks are never changed'); END;
CREATE TRIGGER IF NOT EXISTS landmarks_no_delete BEFORE DELETE ON landmarks
  BEGIN SELECT RAISE(ABORT, 'landmarks are never deleted'); END;
CREATE TRIGGER IF NOT EXISTS landmarks_once BEFORE INSERT ON landmarks
  WHEN EXISTS (SELECT 1 FROM landmarks WHERE place = NEW.place)
  BEGIN SELECT RAISE(ABORT, 'landmarks are never changed'); END;
"""

# The last counter-signature of each day, so that a day can be proved without the days after it.
_COUNTERSIGNATURES = """
CREATE TABLE IF NOT EXISTS countersignatures (place INTEGER PRIMARY KEY, acknowledgement TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS countersignatures_no_update BEFORE UPDATE ON countersignatures
  BEGIN SELECT RAISE(ABORT, 'counter-signatures are never changed'); END;
CREATE TRIGGER IF NOT EXISTS countersignatures_no_delete BEFORE DELETE ON countersignatures
  BEGIN SELECT RAISE(ABORT, 'counter-signatures are never deleted'); END;
"""

Row = tuple[int, bytes, bytes]
"""seq, exact bytes, signature"""


def place(ep: int, seq: int) -> int:
    """The key of a record. Epochs lie one after the other."""
    return ep * _EPOCH_STEP + seq


def split(key: int) -> tuple[int, int]:
    """Epoch and number of a key."""
    return divmod(key, _EPOCH_STEP)


def wal_path(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def check_kind(connection: apsw.Connection, path: Path) -> None:
    """Raises WrongJournal when the open file is something else. A newer schema version is welcome: it only adds."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise NoJournal(f"{path} is not a Kassa journal")


class Database:
    """The writer's connection. Not thread-safe but for what SQLite itself serialises.

    `vfs`: name of a registered SQLite VFS, empty for the system's own.
    """

    def __init__(self, path: Path, vfs: str = "") -> None:
        self.path = path
        self.wal_frames = 0
        self._vfs = vfs
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        self._connection = self._connect()
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path.absolute()), apsw.SQLITE_OPEN_READWRITE, self._vfs or None)
        connection.set_busy_timeout(2000)
        # A refused journal is left exactly as it was found, and a closed one keeps its preallocated log.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        keep = ctypes.c_int(1)
        connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep))
        return connection

    def _prepare(self) -> None:
        connection = self._connection
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
        if empty and connection.pragma("application_id") == 0:
            connection.pragma("page_size", _PAGE_BYTES)
        else:
            check_kind(connection, self.path)
        if connection.pragma("journal_mode", "wal") != "wal":
            raise WrongJournal(f"{self.path}: this file system cannot hold a write-ahead log")
        connection.pragma("synchronous", "FULL")
        connection.pragma("trusted_schema", 0)
        self._refuse_lost_log()
        if empty:
            connection.execute(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT")
            self._sync_folder()
        connection.set_wal_hook(self._on_commit)
        if not self._vfs:
            # On a full disk the log merely stays short: slower, and no reason to refuse.
            with suppress(OSError):
                wal.preallocate(wal_path(self.path))

    def _refuse_lost_log(self) -> None:
        recovered = self._connection.execute("PRAGMA wal_checkpoint(NOOP)").get
        frames = max(int(recovered[1]), 0)
        self.wal_frames = frames
        if why := wal.lost_by_recovery(wal_path(self.path), frames):
            raise Damaged("lost_log", 0, 0, why)

    def _sync_folder(self) -> None:
        fd = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _on_commit(self, _connection: apsw.Connection, _name: str, frames: int) -> int:
        self.wal_frames = frames
        return apsw.SQLITE_OK

    def insert(self, ep: int, seq: int, data: bytes, signature: bytes) -> None:
        """One record, one transaction, durable on return. A lone INSERT is its own immediate transaction: there is
        nothing read before it that could go stale."""
        self._connection.execute(
            "INSERT INTO records (place, data, signature) VALUES (?, ?, ?)", (place(ep, seq), data, signature)
        )

    def insert_landmark(
        self, ep: int, seq: int, data: bytes, signature: bytes, typ: str, certificate: str, *, begins: bool
    ) -> None:
        """A record and its landmark in one transaction, durable on return. `begins`: the certificate is of a new
        epoch."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            execute(_LANDMARKS)
            if begins:
                self.add_certificate(ep, certificate)
            execute(
                "INSERT INTO landmarks (place, typ, certificate) VALUES (?, ?, ?)", (place(ep, seq), typ, certificate)
            )
            self.insert(ep, seq, data, signature)
            execute("COMMIT")
        except apsw.Error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def landmarks(self) -> list[tuple[int, int, str, str]]:
        """Epoch, number, type, and the certificate of a key change; in order. Raises Damaged."""
        if not self._connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'landmarks'").get:
            return []
        query = "SELECT place, typ, certificate FROM landmarks ORDER BY place"
        try:
            return [(*split(int(at)), str(typ), str(text)) for at, typ, text in self._connection.execute(query)]
        except (ValueError, TypeError) as error:
            raise Damaged("file", 0, 0, f"its table of landmarks is unreadable: {error}") from None

    def find(self, ep: int, seq: int) -> tuple[bytes, bytes] | None:
        row = self._connection.execute(
            "SELECT data, signature FROM records WHERE place = ?", (place(ep, seq),)
        ).fetchone()
        return None if row is None else (_bytes(row[0]), _bytes(row[1]))

    def last(self, ep: int) -> Row | None:
        row = self._connection.execute(
            "SELECT place, data, signature FROM records WHERE place > ? AND place < ? ORDER BY place DESC LIMIT 1",
            (place(ep, 0), place(ep + 1, 0)),
        ).fetchone()
        return None if row is None else (row[0] - place(ep, 0), _bytes(row[1]), _bytes(row[2]))

    def rows(self, ep: int, after_seq: int) -> Iterator[Row]:
        return rows(self._connection, ep, after_seq)

    def range(self, ep: int, first: int, last: int) -> Iterator[Row]:
        """What is stored from `first` to `last`; records that are missing are passed over."""
        return takewhile(lambda row: row[0] <= last, self.rows(ep, first - 1))

    def last_place(self) -> tuple[int, int]:
        """Epoch and number of the very last record; (0, 0) when there is none."""
        newest = self._connection.execute("SELECT max(place) FROM records").get
        return (0, 0) if newest is None else split(newest)

    def certificates(self) -> dict[int, bytes]:
        return self._texts("SELECT ep, CAST(certificate AS BLOB) FROM certificates ORDER BY ep")

    def add_certificate(self, ep: int, certificate: str) -> None:
        self._connection.execute("INSERT INTO certificates (ep, certificate) VALUES (?, ?)", (ep, certificate))

    def acknowledgements(self) -> dict[int, bytes]:
        return self._texts("SELECT ep, CAST(acknowledgement AS BLOB) FROM acknowledgements ORDER BY ep")

    def _texts(self, query: str) -> dict[int, bytes]:
        return {int(ep): _bytes(text) for ep, text in self._connection.execute(query)}

    def put_acknowledgement(self, ep: int, hwm: int, text: str, of_last_day: tuple[int, str] | None = None) -> None:
        """Durable on return. The trigger refuses to go back. `of_last_day`: the one before, to be kept for good."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            if of_last_day is not None:
                execute(_COUNTERSIGNATURES)
                kept = "INSERT OR IGNORE INTO countersignatures (place, acknowledgement) VALUES (?, ?)"
                execute(kept, (place(ep, of_last_day[0]), of_last_day[1]))
            execute("UPDATE acknowledgements SET hwm = ?, acknowledgement = ? WHERE ep = ?", (hwm, text, ep))
            if self._connection.changes() == 0:
                execute("INSERT INTO acknowledgements (ep, hwm, acknowledgement) VALUES (?, ?, ?)", (ep, hwm, text))
            execute("COMMIT")
        except apsw.Error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        """Carry the log over into the file, as far as readers allow; the next append then begins the log anew."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        self._connection.close()


def _bytes(value: object) -> bytes:
    """What a column holds; nothing, where rot has made it another type than its table allows: that never verifies."""
    return value if isinstance(value, bytes) else b""


def rows(connection: apsw.Connection, ep: int, after_seq: int) -> Iterator[Row]:
    """Records of an epoch in order, with what their key says their number is."""
    base = place(ep, 0)
    cursor = connection.execute(
        "SELECT place, data, signature FROM records WHERE place > ? AND place < ? ORDER BY place",
        (base + max(after_seq, 0), place(ep + 1, 0)),
    )
    seq = after_seq
    try:
        for at, data, signature in cursor:
            seq = at - base
            yield seq, _bytes(data), _bytes(signature)
    except apsw.CorruptError as error:
        raise Damaged("file", ep, seq + 1, f"the file's pages do not hold together: {error}") from None
