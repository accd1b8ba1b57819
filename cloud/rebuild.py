"""Make the projection again from the stored records, for a version that can read more than the one before it."""

import sqlalchemy as sa

from cloud import projection, schema
from cloud.ingest import interpret
from cloud.store import Store


def rebuild(store: Store) -> tuple[int, int]:
    """Returns (sales, records not understood). One transaction: pages see the old rows until it is done."""
    with store.write() as connection:
        projection.clear(connection)
        connection.execute(schema.epochs.update().values(uninterpreted=0))
        table, epochs = schema.records, schema.epochs
        joined = sa.and_(epochs.c.dev == table.c.dev, epochs.c.ep == table.c.ep)
        query = sa.select(table, epochs.c.shop, epochs.c.reg).join(epochs, joined)
        sales = unknown = 0
        for row in connection.execute(query.order_by(table.c.dev, table.c.ep, table.c.seq)).yield_per(500):
            reading = interpret(row.data, row.shop, row.reg, row.received_ms)
            projection.insert(connection, reading.rows)
            sales += schema.sales in reading.rows
            unknown += reading.problem is not None
            if reading.problem != row.problem:
                _note(connection, row, reading.problem)
            if reading.problem is not None:
                here = sa.and_(epochs.c.dev == row.dev, epochs.c.ep == row.ep)
                connection.execute(epochs.update().where(here).values(uninterpreted=epochs.c.uninterpreted + 1))
    return sales, unknown


def _note(connection: sa.Connection, row: "sa.Row[tuple[object, ...]]", problem: str | None) -> None:
    table = schema.records
    here = sa.and_(table.c.dev == row.dev, table.c.ep == row.ep, table.c.seq == row.seq)
    connection.execute(table.update().where(here).values(problem=problem))
