"""A real PostgreSQL of the tests' own: made in a temporary folder, reached over a socket there, gone afterwards.

The server refuses to run as root, so root starts it as `postgres`. It dies with the process that started it.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

_START_S = 30.0
_STEP_S = 0.02
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT")
_FAST = ("fsync=off", "full_page_writes=off")
_QUIET = ("listen_addresses=", "max_connections=200", "log_min_messages=fatal", "autovacuum_naptime=60s")


class NoPostgres(Exception):
    """PostgreSQL is not installed, or does not come up; the text says why."""


class Postgres:
    """`durable`: commits reach the disk, as in production; the tests need none of that."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._bin = _binaries()
        self._numbers = itertools.count(1)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        made = subprocess.run(
            [*_prefix(), self._bin / "initdb", "-D", data, "-U", "kassa", "-A", "trust", "-E", "UTF8", "--locale=C",
             "--no-sync"],
            capture_output=True, text=True, cwd=folder, check=False,
        )  # fmt: skip
        if made.returncode:
            raise NoPostgres(f"initdb: {made.stderr.strip()}")
        settings = [*_QUIET, f"unix_socket_directories={folder}", *(() if durable else _FAST)]
        options = [word for setting in settings for word in ("-c", setting)]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [*_prefix(), self._bin / "postgres", "-D", data, *options], stderr=self._log, stdout=self._log, cwd=folder
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with self.connect("postgres"):
                    return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise NoPostgres(f"postgres: {(self._folder / 'log').read_text() or error}") from None
            time.sleep(_STEP_S)

    def connect(self, name: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=str(self._folder), user="kassa", dbname=name, autocommit=True)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://kassa@/{name}?host={self._folder}"

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"kassa_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return name

    def drop(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)  # a fast shutdown: whoever is still connected is let go
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@contextlib.contextmanager
def running(*, durable: bool = False, folder: Path | None = None) -> Iterator[Postgres]:
    """`folder`: on which disk. Its path is short, since a socket's may have 107 bytes only."""
    with tempfile.TemporaryDirectory(prefix="kassa-pg-", dir=folder) as name:
        server = Postgres(Path(name), durable=durable)
        try:
            yield server
        finally:
            server.close()


def _prefix() -> tuple[str, ...]:
    return _AS_POSTGRES if os.geteuid() == 0 else ()


def _binaries() -> Path:
    """The newest that is installed; Debian puts them beside PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise NoPostgres("PostgreSQL is not installed; `make setup-test` installs it")
    return (found[-1] if found else Path(on_path or "")).parent
