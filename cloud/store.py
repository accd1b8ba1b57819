"""The database: one writer at a time, any number of readers.

SQLite releases before 3.51.3 can corrupt a WAL when two connections write or checkpoint at the same moment, and the
interpreter brings its own, older one. So every writing connection is opened, used and closed under one file lock that
all processes on the same data share, and the readers are opened read-only: they can never checkpoint.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from cloud import schema

_LOCK_TIMEOUT_S = 10.0
_LOCK_STEP_S = 0.005


class Busy(Exception):
    """The database cannot take a write now; the same request may succeed later."""


class BadDatabase(Exception):
    """The database cannot be used as it is configured, or is none; the text says why and never holds a password."""


class Store:
    """`url`: an SQLAlchemy URL; empty means SQLite in `folder`. Close it at the end. Raises BadDatabase, Busy."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sqlite = not url
        self._mutex = threading.Lock()
        self._lock_file: int | None = None
        if self._sqlite:
            self._lock_file = os.open(folder / "write.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            path = (folder / "cloud.db").resolve()
            self._writer = _sqlite_engine(path, read_only=False)
            self._reader = _sqlite_engine(path, read_only=True)
        else:
            self._writer = self._reader = _engine(url)
        try:
            with self.write() as connection:
                schema.metadata.create_all(connection)
                _stamp(connection)
        except DatabaseError as error:
            raise BadDatabase(f"{folder / 'cloud.db' if self._sqlite else 'database'}: {error.orig}") from None
        if self._sqlite:
            (folder / "cloud.db").chmod(0o600)

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction, committed at the end; blocks up to 10 s for the writer before. Raises Busy."""
        with self._exclusive():
            try:
                with self._writer.begin() as connection:
                    yield connection
            except OperationalError as error:
                raise Busy(f"the database refuses the write: {error.orig}") from error

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view. Raises Busy."""
        try:
            with self._reader.begin() as connection:
                yield connection
        except OperationalError as error:
            raise Busy(f"the database refuses the read: {error.orig}") from error

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
        if not self._mutex.acquire(timeout=_LOCK_TIMEOUT_S):
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
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                return fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy("the database is busy with another process's write") from None
            time.sleep(_LOCK_STEP_S)


def _stamp(connection: sa.Connection) -> None:
    found = connection.scalar(sa.select(schema.about.c.value).where(schema.about.c.name == "schema"))
    if found is None:
        connection.execute(schema.about.insert().values(name="schema", value=str(schema.SCHEMA_VERSION)))


def _engine(url: str) -> sa.Engine:
    try:
        return sa.create_engine(url, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        # Its text may hold the URL, and so the password.
        known = "nothing (SQLite in `data`), or an SQLAlchemy URL such as postgresql+psycopg://user@host/name"
        raise BadDatabase(f"database: no driver for this URL ({type(error).__name__}); allowed: {known}") from None


def _sqlite_engine(path: Path, *, read_only: bool) -> sa.Engine:
    query = "mode=ro&uri=true" if read_only else "uri=true"
    pool: dict[str, Any] = {} if read_only else {"pool_size": 1, "max_overflow": 0}
    engine = sa.create_engine(f"sqlite:///file:{path}?{query}", **pool, connect_args={"timeout": 10.0})

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver starts no transactions of its own
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
