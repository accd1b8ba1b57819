"""Every test of the backend runs on both of its databases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud import schema
from cloud.store import Store
from tests import postgres
from tests.core.cloud.lane import Backend, running


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Postgres]:
    with postgres.running() as found:
        yield found


@pytest.fixture(scope="session")
def tables(server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the tables made, for one test after the other: making one takes longer than most tests."""
    name = server.database()
    Store(tmp_path_factory.mktemp("tables"), server.url(name)).close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """What stands in `cloud.toml`: a PostgreSQL database whose tables are empty, or nothing, which is SQLite."""
    if request.param == "sqlite":
        return ""
    server: postgres.Postgres = request.getfixturevalue("server")
    name: str = request.getfixturevalue("tables")
    with server.connect(name) as connection:
        for table in schema.metadata.tables.values():
            if table is not schema.about:
                connection.execute(f"DELETE FROM {table.name}".encode())
    return server.url(name)


@pytest.fixture
def backend(tmp_path: Path, database: str) -> Iterator[Backend]:
    with running(tmp_path / "cloud", database=database) as found:
        yield found


@pytest.fixture
def empty(server: postgres.Postgres) -> Iterator[Callable[[], str]]:
    """Makes PostgreSQL databases that hold nothing; each call gives the URL of another one."""
    names: list[str] = []

    def make() -> str:
        names.append(server.database())
        return server.url(names[-1])

    yield make
    for name in names:
        server.drop(name)
