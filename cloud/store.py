"""The database behind one door: SQLite with one writer at a time, or PostgreSQL with as many as there are kiosks.

On SQLite every writing connection is opened, used and closed under one file lock that all processes on the same data
share (`cloud.engines` says why). On PostgreSQL the rows' own locks order the writers, and what loses against another
transaction is run again.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from cloud import engines, migrations
from cloud.engines import BadDatabase

__all__ = ["BadDatabase", "Busy", "Store"]
_LOCK_STEP_S = 0.005
_ATTEMPTS = 4
T = TypeVar("T")


class Busy(Exception):
    """The database cannot take a write now; the same request may succeed later."""


class Store:
    """`url`: of a PostgreSQL database; empty means SQLite in `folder`. To be closed. Raises BadDatabase, Busy."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sqlite = not url
        self._mutex = threading.Lock()
        self._lock_file: int | None = None
        if self._sqlite:
            self._lock_file = os.open(folder / "write.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            path = (folder / "cloud.db").resolve()
            self._writer, self._reader = engines.sqlite(path, read_only=False), engines.sqlite(path, read_only=True)
        else:
            self._writer, self._reader = engines.postgresql(url)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        if self._sqlite:
            (folder / "cloud.db").chmod(0o600)

    def _open(self) -> None:
        name = str(self.folder / "cloud.db") if self._sqlite else "database"
        try:
            with self.write() as connection:
                migrations.bring_up(connection)
        except DatabaseError as error:
            raise BadDatabase(f"{name}: {error.orig}") from None
        except migrations.TooNew as error:
            raise BadDatabase(f"{name}: {error}") from None

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """`work` in one transaction; again from its start when it lost against another one. Raises Busy.

        It may run several times, so it touches nothing but the connection.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except Conflict:
                continue
        with self.write() as connection:
            return work(connection)

    @contextlib.contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[sa.Connection]:
        """One transaction, committed at the end; blocks up to 10 s for a lock before. Raises Busy; Conflict, which is
        Busy too, where running it again at once may do. Not `lasting`: a power cut may undo it in its first second."""
        with self._exclusive(), _translated("write"), self._writer.begin() as connection:
            if not lasting and not self._sqlite:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view. Raises Busy."""
        with _translated("read"), self._reader.begin() as connection:
            yield connection

    def line(self) -> "psycopg.Connection[Any] | None":
        """A connection of its own, for LISTEN and NOTIFY; None on SQLite. Who asks closes it. Raises Busy."""
        if self._sqlite:
            return None
        engine = self._writer
        given, named = engine.dialect.create_connect_args(engine.url)
        with _translated("connection"):
            return psycopg.connect(*given, **named, autocommit=True)

    def close(self) -> None:
        self._reader.dispose()
        with contextlib.suppress(Busy), self._exclusive():
            self._writer.dispose()  # the last connection to close writes the WAL back: that is a write too
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self._sqlite:
            yield
            return
        if not self._mutex.acquire(timeout=engines.LOCK_TIMEOUT_S):
            raise Busy("the database is busy with another write")
        try:
            self._lock_across_processes()
            yield
        finally:
            if self._lock_file is not None:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
            self._mutex.release()

    def _lock_across_processes(self) -> None:
        """flock has no timeout, and a signal is no way out in a thread: hence the short steps."""
        assert self._lock_file is not None
        deadline = time.monotonic() + engines.LOCK_TIMEOUT_S
        while True:
            try:
                return fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy("the database is busy with another process's write") from None
            time.sleep(_LOCK_STEP_S)


class Conflict(Busy):
    """The transaction lost against another one, and left nothing."""


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except PoolExhausted:
        raise Busy(f"the database refuses the {what}: every connection is in use") from None
    except engines.DRIVER_ERRORS as error:
        if engines.is_conflict(error):
            raise Conflict("the database let another transaction go first") from error
        if engines.is_refusal(error):
            raise Busy(f"the database refuses the {what}: {engines.cause(error)}") from error
        raise
