"""A journal file opened by someone else than the lane: read-only, without its lock, and trusting nothing in it.

A file that a lane is writing right now is read beside it, as SQLite allows; any other is read without touching it or
anything next to it, with its write-ahead log if one lies there.
"""

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import apsw
import msgspec

from kiosk.journal import database, wal
from kiosk.journal.entries import Bad, Entry
from kiosk.journal.guard import lock_held
from kiosk.records.identity import Acknowledgement, KeyCertificate
from kiosk.records.journal import MAX_RECORD_BYTES
from kiosk.records.lifecycle import KEY, PREFIX

_T = TypeVar("_T")
_MAX_TEXTS = 10_000
_MAX_TEXT_BYTES = 4096
_COLUMNS = {
    "records": ["place", "data", "signature"],
    "certificates": ["ep", "certificate"],
    "acknowledgements": ["ep", "hwm", "acknowledgement"],
}


class Unreadable(Exception):
    """The file cannot be read as a journal at all; the text says what it is instead."""


class BrokenOff(Exception):
    """Reading broke off: `bad` names where and why."""

    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.why)
        self.bad = bad


class Source:
    """Use as a context manager. Raises Unreadable from the constructor, BrokenOff while records are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_file(path)
        self.live = lock_held(path)
        try:
            self._connection = apsw.Connection(
                _address(path, live=self.live), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
        except apsw.Error as error:
            raise Unreadable(f"{path} cannot be opened: {error}") from None
        try:
            self._prepare()
        except (apsw.Error, ValueError) as error:
            self._connection.close()
            raise Unreadable(f"{path} is not a Kassa journal: {error}") from None
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.set_busy_timeout(2000)
        # Without it, closing takes a log whose first frame is damaged for an empty one, and deletes it.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024)
        if not self.live:
            connection.pragma("locking_mode", "EXCLUSIVE")
        if connection.pragma("application_id") != database.APPLICATION_ID:
            raise Unreadable(f"{self.path} is not a Kassa journal, but another SQLite file")
        for table, columns in _COLUMNS.items():
            kinds = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
            found = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({table})")]
            if kinds != [("table",)] or found[: len(columns)] != columns:
                raise Unreadable(f"{self.path} is not a Kassa journal: its table {table!r} is missing or another one")
        recovered = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        frames = max(int(str(recovered[1])), 0) if recovered is not None else 0
        self.lost = "" if self.live else wal.lost_by_recovery(database.wal_path(self.path), frames)
        # One snapshot of a live file for all that follows: a record is never read without the certificate before it.
        connection.execute("BEGIN")
        self.certificates = self._texts("certificates", "certificate", KeyCertificate)
        self.acknowledgements = self._texts("acknowledgements", "acknowledgement", Acknowledgement)
        self.count = int(str(connection.execute("SELECT count(*) FROM records").get))

    def _texts(self, table: str, column: str, kind: type[_T]) -> dict[int, _T]:
        rows = self._connection.execute(
            f"SELECT ep, CASE WHEN length({column}) <= {_MAX_TEXT_BYTES} THEN CAST({column} AS BLOB) END FROM {table} "
            f"ORDER BY ep LIMIT {_MAX_TEXTS}"
        ).fetchall()
        found: dict[int, _T] = {}
        for ep, text in rows:
            try:
                found[int(str(ep))] = msgspec.json.decode(text if isinstance(text, bytes) else b"", type=kind)
            except (msgspec.MsgspecError, ValueError) as error:
                raise Unreadable(f"{self.path}: the {column} of epoch {ep} is unreadable: {error}") from None
        return found

    def entries(self) -> Iterator[Entry]:
        """All records in file order; at the end BrokenOff where the tables beside them do not hold together."""
        if self.lost:
            raise BrokenOff(Bad(0, 0, "lost_log", self.lost))
        at = (0, 0)
        query = (
            f"SELECT place, CASE WHEN length(data) <= {MAX_RECORD_BYTES} THEN data END, length(data), "
            f"CASE WHEN length(signature) <= {_MAX_TEXT_BYTES} THEN signature END FROM records ORDER BY place"
        )
        try:
            for place, data, size, signature in self._connection.execute(query):
                at = database.split(int(str(place)))
                if not isinstance(data, bytes):
                    why = f"the record has {size} bytes; at most {MAX_RECORD_BYTES} are allowed"
                    raise BrokenOff(Bad(*at, "too_long", why))
                if not isinstance(signature, bytes):
                    raise BrokenOff(Bad(*at, "bad_signature", "the signature is no 64 bytes"))
                yield Entry(*at, data, signature)
        except (apsw.Error, ValueError) as error:
            why = f"the file's pages do not hold together: {error}"
            raise BrokenOff(Bad(at[0], at[1] + 1, "file", why)) from None
        if why := self._torn():
            raise BrokenOff(Bad(0, 0, "file", why))

    def _torn(self) -> str:
        """What is wrong with the pages of the small tables. One flipped bit can make a table read as empty, and no
        record would know of it; the records themselves are chained."""
        for table in _COLUMNS:
            if table == "records":
                continue
            try:
                found = self._connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
            except apsw.Error as error:
                return f"the pages of its table {table!r} do not hold together: {error}"
            if found is None or found[0] != "ok":
                return f"the pages of its table {table!r} do not hold together: {' '.join(str(found).split())[:200]}"
        return ""

    def candidates(self) -> list[Entry]:
        """Records that may be about the journal itself: gaps, key changes, epochs. Walks through the whole file."""
        query = (
            "SELECT place, data, signature FROM records WHERE instr(CAST(data AS TEXT), ?) > 0 "
            "AND length(data) <= ? AND length(signature) = 64 ORDER BY place LIMIT ?"
        )
        found: list[Entry] = []
        try:
            for at, data, signature in self._connection.execute(
                query, (f'"typ":"{PREFIX}', MAX_RECORD_BYTES, _MAX_TEXTS)
            ):
                if isinstance(data, bytes) and isinstance(signature, bytes):
                    found.append(Entry(*database.split(int(str(at))), data, signature))
        except (apsw.Error, ValueError):
            return found  # where the pages do not hold together is said when the records are read
        return found

    def countersignatures(self) -> dict[tuple[int, int], Acknowledgement]:
        """The last of each day and of each epoch, by the record that it is over. Not verified."""
        found: dict[tuple[int, int], Acknowledgement] = {}
        with suppress(apsw.Error):
            rows = self._connection.execute(
                f"SELECT place, CAST(acknowledgement AS BLOB) FROM countersignatures WHERE length(acknowledgement) <= "
                f"{_MAX_TEXT_BYTES} ORDER BY place LIMIT {_MAX_TEXTS}"
            ).fetchall()
            for at, text in rows:
                place, data = database.split(int(str(at))), text if isinstance(text, bytes) else b""
                try:
                    found[place] = msgspec.json.decode(data, type=Acknowledgement)
                except msgspec.MsgspecError as error:
                    raise Unreadable(f"{self.path}: the counter-signature at {place} is unreadable: {error}") from None
        return found | {(ep, ack.hwm): ack for ep, ack in self.acknowledgements.items()}

    def named_keys(self) -> dict[tuple[int, int], KeyCertificate]:
        """Certificates of later keys by the record that names them, for the case that it is damaged. Not verified."""
        found: dict[tuple[int, int], KeyCertificate] = {}
        try:
            rows = self._connection.execute(
                "SELECT place, CAST(certificate AS BLOB) FROM landmarks WHERE typ = ? AND length(certificate) <= ? "
                f"ORDER BY place LIMIT {_MAX_TEXTS}",
                (KEY, _MAX_TEXT_BYTES),
            ).fetchall()
        except apsw.Error:
            return found
        for at, text in rows:
            with suppress(msgspec.MsgspecError, ValueError):
                place, data = database.split(int(str(at))), text if isinstance(text, bytes) else b""
                found[place] = msgspec.json.decode(data, type=KeyCertificate)
        return found

    def newest(self, count: int, typ: str = "") -> list[Entry]:
        """The last `count` records, oldest first; of one type if it is named."""
        found: list[Entry] = []
        query = "SELECT place, data, signature FROM records WHERE length(data) <= ? ORDER BY place DESC"
        try:
            for place, data, signature in self._connection.execute(query, (MAX_RECORD_BYTES,)):
                if len(found) >= count:
                    break
                entry = Entry(*database.split(int(str(place))), bytes(data), bytes(signature))
                if not typ or f'"typ":"{typ}"'.encode() in entry.data:
                    found.append(entry)
        except (apsw.Error, ValueError, TypeError) as error:
            raise Unreadable(f"{self.path}: its pages do not hold together: {error}") from None
        return found[::-1]

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_file(path: Path) -> None:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"{path} is no file")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    if head != b"SQLite format 3\0":
        raise Unreadable(f"{path} is not a Kassa journal: it is no SQLite file")


def _address(path: Path, *, live: bool) -> str:
    """Nobody writes: no locks and the log's index in memory, so that nothing beside the file is made or changed."""
    options = "mode=ro" if live else "mode=ro&vfs=unix-none"
    return f"file:{quote(str(path.absolute()))}?{options}"
