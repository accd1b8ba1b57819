"""How each database is connected to, and what its errors mean.

SQLite releases before 3.51.3 can corrupt a WAL when two connections write or checkpoint at the same moment, and the
interpreter brings its own, older one. So there is one writing connection at a time (`cloud.store` sees to that), and
the readers are opened read-only: they can never checkpoint.

PostgreSQL writes at READ COMMITTED under row locks, which see the newest committed row once they are granted; it reads
at REPEATABLE READ, so that a page is one consistent view.
"""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

LOCK_TIMEOUT_S = 10.0
# A client that dies without a word (power, cable) must not keep a kiosk's lock.
_IDLE_IN_TRANSACTION_S = 60
_POOL, _OVERFLOW = 8, 24
_SERIALISATION, _DEADLOCK, _UNIQUE, _READ_ONLY = "40001", "40P01", "23505", "25006"


class BadDatabase(Exception):
    """The database cannot be used as it is configured, or is none; the text says why and never holds a password."""


DRIVER_ERRORS = (DBAPIError, psycopg.Error)
"""SQLAlchemy's, and the driver's own from where a COPY goes past it."""


def cause(error: Exception) -> BaseException:
    """What the driver said."""
    return error.orig or error if isinstance(error, DBAPIError) else error


def is_conflict(error: Exception) -> bool:
    """The transaction lost against another one, and may win when it is run again."""
    return getattr(cause(error), "sqlstate", None) in (_SERIALISATION, _DEADLOCK, _UNIQUE)


def is_refusal(error: Exception) -> bool:
    """The database cannot do it now: locked, gone, full, or for the moment a standby that takes no writes."""
    found = cause(error)
    gone = isinstance(found, sqlite3.OperationalError | psycopg.OperationalError | psycopg.InterfaceError)
    return gone or getattr(found, "sqlstate", None) == _READ_ONLY


def sqlite(path: Path, *, read_only: bool) -> sa.Engine:
    query = "mode=ro&uri=true" if read_only else "uri=true"
    pool: dict[str, Any] = {} if read_only else {"pool_size": 1, "max_overflow": 0}
    engine = sa.create_engine(f"sqlite:///file:{path}?{query}", **pool, connect_args={"timeout": LOCK_TIMEOUT_S})

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


def postgresql(url: str) -> tuple[sa.Engine, sa.Engine]:
    """A writing and a reading engine over one pool. Connects to nothing yet. Raises BadDatabase."""
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername != "postgresql+psycopg":
            raise ArgumentError
        engine = sa.create_engine(parsed, pool_pre_ping=True, pool_size=_POOL, max_overflow=_OVERFLOW)
    except (ArgumentError, ImportError, ValueError) as error:
        # Its text may hold the URL, and so the password.
        known = "nothing (SQLite in `data`), or a URL such as postgresql://user@host/name"
        raise BadDatabase(f"database: no driver for this URL ({type(error).__name__}); allowed: {known}") from None

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {int(LOCK_TIMEOUT_S * 1000)}")
        connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_IN_TRANSACTION_S * 1000}")
        connection.commit()

    return engine, engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
