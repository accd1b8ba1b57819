"""The database behind the backend: its versions, its locks, and what it says when it cannot."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud import schema
from cloud.store import BadDatabase, Busy, Store

FIRST = (Path(__file__).parent / "schema_1.sql").read_text()
RECORD = {"dev": "d1", "ep": 1, "seq": 1, "hash": "h", "typ": "t", "received_ms": 5, "problem": None, "data": b"\x00{}"}


def shape(store: Store) -> dict[str, object]:
    """All tables with their columns, keys and indexes."""
    with store.read() as connection:
        look = sa.inspect(connection)
        return {
            name: (
                sorted((column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns(name)),
                look.get_pk_constraint(name)["constrained_columns"],
                sorted((index["name"], tuple(index["column_names"])) for index in look.get_indexes(name)),
            )
            for name in look.get_table_names()
        }


def put_record(store: Store, **changes: object) -> None:
    with store.write() as connection:
        connection.execute(schema.records.insert().values(**RECORD | changes))


def records(store: Store) -> list[dict[str, object]]:
    with store.read() as connection:
        return [dict(row) for row in connection.execute(schema.records.select()).mappings()]


def test_a_sqlite_database_of_the_first_version_is_brought_up(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with sqlite3.connect(tmp_path / "old" / "cloud.db") as old:
        old.executescript(FIRST)
        old.execute("INSERT INTO records VALUES ('d1', 1, 1, 'h', 't', 5, NULL, x'007b7d')")
    old.close()
    for _ in range(2):
        store, new = Store(tmp_path / "old"), Store(tmp_path / "new")
        assert shape(store) == shape(new)
        assert records(store) == [RECORD]
        store.close()
        new.close()


def test_a_postgresql_database_of_the_first_version_is_brought_up(tmp_path: Path, empty: Callable[[], str]) -> None:
    url = empty()
    engine = sa.create_engine(url)
    with engine.begin() as old:
        old.exec_driver_sql(FIRST.replace("BLOB", "BYTEA"))
        old.execute(schema.records.insert().values(**RECORD))
    engine.dispose()
    for _ in range(2):
        store, new = Store(tmp_path, url), Store(tmp_path, empty())
        assert shape(store) == shape(new)
        assert records(store) == [RECORD]
        store.close()
        new.close()


def test_the_journal_is_partitioned_by_kiosk(tmp_path: Path, empty: Callable[[], str]) -> None:
    store = Store(tmp_path, empty())
    for n in range(40):
        for seq in (1, 2):
            put_record(store, dev=f"d{n}", seq=seq)
    with store.read() as connection:
        rows = connection.execute(sa.text("SELECT DISTINCT dev, tableoid::regclass::text FROM records")).all()
    store.close()
    assert len(rows) == 40, "all of a kiosk is in one part"
    assert len({part for _, part in rows}) > schema.RECORD_PARTITIONS // 2


def test_the_tables_of_a_newer_program_are_left_alone(tmp_path: Path, database: str) -> None:
    store = Store(tmp_path, database)
    try:
        set_version(store, schema.SCHEMA_VERSION + 1)
        with pytest.raises(BadDatabase, match=rf"version {schema.SCHEMA_VERSION + 1}; this program knows up to"):
            Store(tmp_path, database)
    finally:
        set_version(store, schema.SCHEMA_VERSION)
        store.close()


def set_version(store: Store, version: int) -> None:
    with store.write() as connection:
        connection.execute(schema.about.update().values(value=str(version)))


def test_servers_that_start_at_once_make_the_tables_once(tmp_path: Path, empty: Callable[[], str]) -> None:
    url = empty()
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(Store(tmp_path, url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    for store in stores:
        store.close()


def test_two_that_make_the_same_row_at_once_both_find_it(tmp_path: Path, database: str) -> None:
    """The loser of the race is run again, and then finds what the other one made."""
    store = Store(tmp_path, database)
    both_looked = threading.Barrier(2 if database else 1, timeout=10)
    attempts: list[bool] = []

    def make(connection: sa.Connection) -> None:
        table = schema.shops
        found = connection.scalar(sa.select(table.c.shop).where(table.c.shop == "s")) is not None
        attempts.append(found)
        if not found:
            both_looked.wait()
            connection.execute(table.insert().values(shop="s", name="s", created_ms=1))

    threads = [threading.Thread(target=store.run, args=(make,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert sorted(attempts) == ([False, False, True] if database else [False, True])


def test_of_two_that_wait_for_each_other_one_is_run_again(tmp_path: Path, empty: Callable[[], str]) -> None:
    store = Store(tmp_path, empty())
    for seq in (1, 2):
        put_record(store, seq=seq)
    both_hold = threading.Barrier(2, timeout=10)
    attempts: list[int] = []

    def lock(first: int, then: int) -> Callable[[sa.Connection], None]:
        def work(connection: sa.Connection) -> None:
            attempts.append(first)
            table = schema.records
            connection.execute(table.update().where(table.c.seq == first).values(typ="held"))
            if len(attempts) <= 2:
                both_hold.wait()
            connection.execute(table.update().where(table.c.seq == then).values(typ="held"))

        return work

    threads = [threading.Thread(target=store.run, args=(lock(*order),)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert len(attempts) == 3


def test_only_what_need_not_last_is_not_awaited_on_the_disk(tmp_path: Path, empty: Callable[[], str]) -> None:
    store = Store(tmp_path, empty())
    asked = sa.text("SELECT setting, reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
    for lasting in (False, True):
        with store.write(lasting=lasting) as connection:
            now, usual = connection.execute(asked).one()
        assert now == (usual if lasting else "off")
    store.close()


def test_what_always_collides_is_busy_in_the_end(tmp_path: Path, database: str) -> None:
    store = Store(tmp_path, database)
    put_record(store)
    attempts: list[int] = []

    def collide(connection: sa.Connection) -> None:
        attempts.append(1)
        connection.execute(schema.records.insert().values(**RECORD))

    with pytest.raises(Busy if database else sa.exc.IntegrityError):
        store.run(collide)
    assert len(attempts) == (4 if database else 1)
    assert records(store) == [RECORD]
    store.close()


def test_a_database_that_went_away_is_busy_and_comes_back(tmp_path: Path, database: str) -> None:
    if not database:
        return
    store = Store(tmp_path, database)
    put_record(store)
    other = Store(tmp_path, database)
    with other.write() as connection:
        mine = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}"))
    other.close()
    assert records(store) == [RECORD], "a connection is tried before it is used"
    with pytest.raises(Busy, match=r"terminating connection|closed"), store.write() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    put_record(store, seq=2)
    store.close()


SECRET = "hunter2"
UNUSABLE = {
    "no such server": (f"postgresql://kassa:{SECRET}@127.0.0.1:9/kassa?connect_timeout=2", Busy, "refuse"),
    "no such folder": (f"postgresql://kassa:{SECRET}@/kassa?host=/nowhere", Busy, "/nowhere"),
    "an option that is none": (f"postgresql://kassa:{SECRET}@127.0.0.1:9/kassa?nonsense=1", BadDatabase, "nonsense"),
    "another database": (f"oracle://kassa:{SECRET}@127.0.0.1/kassa", BadDatabase, "allowed: "),
    "no URL": (f"{SECRET}", BadDatabase, "allowed: "),
    "a port that is none": (f"postgresql://kassa:{SECRET}@127.0.0.1:port/kassa", BadDatabase, "allowed: "),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_database_that_cannot_be_used_says_so_without_the_password(tmp_path: Path, case: str) -> None:
    url, kind, message = UNUSABLE[case]
    with pytest.raises(kind, match=message) as caught:
        Store(tmp_path, url)
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "cloud.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(BadDatabase, match=r"cloud\.db: file is not a database"):
        Store(tmp_path)
    shutil.rmtree(tmp_path)
