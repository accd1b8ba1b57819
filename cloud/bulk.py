"""Many rows into one table: by binary COPY on PostgreSQL, by one multi-row INSERT elsewhere.

COPY needs neither parsing nor planning per row; it is what lets an upload with all its checks keep up with a bare
INSERT of the same rows.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import psycopg
import sqlalchemy as sa

_TYPES = {sa.BigInteger: "int8", sa.Text: "text", sa.LargeBinary: "bytea"}
Row = tuple[Any, ...]


def insert(connection: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Rows (at least one) have a value for each of the table's columns, in its order; they are taken one by one, so
    that PostgreSQL already stores the first while the later ones are made. Raises psycopg.Error and SQLAlchemy's."""
    if connection.dialect.name != "postgresql":
        names = [column.name for column in table.columns]
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    copy(driver, table, rows)


def copy(driver: "psycopg.Connection[Any]", table: sa.Table, rows: Iterable[Row]) -> None:
    """Binary COPY. Raises psycopg.Error."""
    statement, types = _statement(table)
    with driver.cursor() as cursor, cursor.copy(statement) as stream:
        stream.set_types(types)
        for row in rows:
            stream.write_row(row)


@cache
def _statement(table: sa.Table) -> tuple[bytes, list[str]]:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    types = [_TYPES[type(column.type)] for column in table.columns]
    return f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)'.encode(), types
