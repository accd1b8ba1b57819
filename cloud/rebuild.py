"""Make the projection again from the stored records, for a version that can read more than the one before it."""

from collections import Counter

import sqlalchemy as sa

from cloud import projection, schema
from cloud.ingest import Reading, interpret
from cloud.store import Store

_PAGE = 500


def rebuild(store: Store) -> tuple[int, int]:
    """Returns (sales, records not understood). One transaction: pages see the old rows until it is done, and uploads
    are asked for patience."""
    return store.run(_rebuild)


def _rebuild(connection: sa.Connection) -> tuple[int, int]:
    _keep_uploads_out(connection)
    projection.clear(connection)
    table, epochs = schema.records, schema.epochs
    joined = sa.and_(epochs.c.dev == table.c.dev, epochs.c.ep == table.c.ep)
    query = sa.select(table, epochs.c.shop, epochs.c.reg).join(epochs, joined)
    sales = 0
    unknown: Counter[tuple[str, int]] = Counter()
    rows = connection.execute(query.order_by(table.c.dev, table.c.ep, table.c.seq)).yield_per(_PAGE)
    for page in rows.partitions():
        readings = [interpret(row.data, row.shop, row.reg, row.received_ms) for row in page]
        projection.insert(connection, projection.merged(reading.rows for reading in readings))
        for row, reading in zip(page, readings, strict=True):
            sales += schema.sales in reading.rows
            unknown[row.dev, row.ep] += reading.problem is not None
            _note(connection, row, reading)
    for (dev, ep), count in unknown.items():
        here = sa.and_(epochs.c.dev == dev, epochs.c.ep == ep)
        connection.execute(epochs.update().where(here).values(uninterpreted=count))
    return sales, unknown.total()


def _keep_uploads_out(connection: sa.Connection) -> None:
    """A record that came in between would be projected twice. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE epochs IN EXCLUSIVE MODE")


def _note(connection: sa.Connection, row: "sa.Row[tuple[object, ...]]", reading: Reading) -> None:
    if reading.problem == row.problem:
        return
    table = schema.records
    here = sa.and_(table.c.dev == row.dev, table.c.ep == row.ep, table.c.seq == row.seq)
    connection.execute(table.update().where(here).values(problem=reading.problem))
