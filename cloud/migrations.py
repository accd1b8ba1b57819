"""The tables' versions: a new database is made as it is now, an older one is brought up step by step.

A step never changes once it was released, and never uses the tables of `cloud.schema`, which go on changing: it says
in SQL what one version added to the one before it. All steps run in one transaction with the new version's number.
"""

from collections.abc import Callable

import sqlalchemy as sa

from cloud import schema

# Any number that no other program on the same database locks; two servers that start at once take turns.
_LOCK_ID = 0x6B61737361
Step = Callable[[sa.Connection], None]


class TooNew(Exception):
    """A newer program made these tables; the text says which versions are known."""


def bring_up(connection: sa.Connection) -> None:
    """Make the tables, or bring them to SCHEMA_VERSION. Raises TooNew."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_ID)))
    found = _found(connection)
    if found is None:
        schema.metadata.create_all(connection)
        connection.execute(schema.about.insert().values(name="schema", value=str(schema.SCHEMA_VERSION)))
        return
    if found > schema.SCHEMA_VERSION:
        raise TooNew(f"its tables are of version {found}; this program knows up to {schema.SCHEMA_VERSION}")
    for version in range(found + 1, schema.SCHEMA_VERSION + 1):
        STEPS[version](connection)
    if found < schema.SCHEMA_VERSION:
        table = schema.about
        connection.execute(table.update().where(table.c.name == "schema").values(value=str(schema.SCHEMA_VERSION)))


def _found(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema.about.name):
        return None
    value = connection.scalar(sa.select(schema.about.c.value).where(schema.about.c.name == "schema"))
    return int(value) if value is not None else None


def _run(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _2(connection: sa.Connection) -> None:
    """Devices are found by their token; damaged ranges and later journal keys have their tables; on PostgreSQL the
    journal is partitioned by kiosk."""
    _run(
        connection,
        "CREATE INDEX kiosks_token ON kiosks (token_hash)",
        "CREATE TABLE gaps (dev TEXT NOT NULL, ep BIGINT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL,"
        " after_prev TEXT NOT NULL, notice TEXT NOT NULL, PRIMARY KEY (dev, ep, first_seq, last_seq))",
        "CREATE TABLE journal_keys (dev TEXT NOT NULL, ep BIGINT NOT NULL, from_seq BIGINT NOT NULL,"
        " certificate TEXT NOT NULL, PRIMARY KEY (dev, ep, from_seq))",
    )
    if connection.dialect.name == "postgresql":
        _run(
            connection,
            "ALTER TABLE records RENAME TO records_1",
            "ALTER INDEX records_pkey RENAME TO records_1_pkey",
            "CREATE TABLE records (dev TEXT NOT NULL, ep BIGINT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,"
            " typ TEXT NOT NULL, received_ms BIGINT NOT NULL, problem TEXT, data BYTEA NOT NULL,"
            " PRIMARY KEY (dev, ep, seq)) PARTITION BY HASH (dev)",
            *schema.partitions("records", 16),
            "INSERT INTO records SELECT * FROM records_1",
            "DROP TABLE records_1",
        )


def _3(connection: sa.Connection) -> None:
    """Signed settings, day reports, and suspended sales that were taken up."""
    place = "dev TEXT NOT NULL, ep BIGINT NOT NULL, seq BIGINT NOT NULL"
    _run(
        connection,
        "CREATE TABLE settings (shop TEXT NOT NULL, sequence BIGINT NOT NULL, signed TEXT NOT NULL,"
        " PRIMARY KEY (shop, sequence))",
        f"CREATE TABLE day_reports ({place}, date TEXT NOT NULL, no BIGINT NOT NULL, mode TEXT NOT NULL,"
        " currency TEXT NOT NULL, gross_minor BIGINT NOT NULL, sales BIGINT NOT NULL, closed_ms BIGINT NOT NULL,"
        " report TEXT NOT NULL, PRIMARY KEY (dev, ep, seq))",
        f"CREATE TABLE recalls ({place}, original TEXT NOT NULL, PRIMARY KEY (dev, ep, seq))",
        "CREATE INDEX recalls_original ON recalls (original)",
    )


STEPS: dict[int, Step] = {2: _2, 3: _3}
