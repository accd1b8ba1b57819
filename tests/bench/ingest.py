"""Uploads over HTTP against the same rows put into the same tables by bare hands.

The server is the real one, its PostgreSQL is durable, the records are those of recorded sales, signed and chained. In
turn, in the same run: an upload of a segment; the very rows that it leaves, journal and projection, by plain multi-row
INSERT; and by binary COPY; each in one transaction. Only the ratios say something of ingest. Goals, of records per
second at the median: at least 1.0 of INSERT, 0.1 of COPY.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from cloud import bulk, projection, schema
from cloud.ingest import chain, interpret
from cloud.store import Store
from kiosk.records.segment import MAX_RECORDS, SignedSegment, frame
from tests.bench import cloud
from tests.bench.sales import Backlog
from tests.core.cloud.lane import Device

GOALS = {"insert": 1.0, "copy": 0.10}
_MOST_PARAMETERS = 65_535
_WARM = 2
Rows = dict[sa.Table, list[bulk.Row]]


def run(rounds: int = 25, records: int = MAX_RECORDS, folder: Path | None = None) -> dict[str, Any]:
    """Records per second at the median of each way, and how ingest compares. `folder`: on the disk in question."""
    with (
        cloud.running(folder) as backend,
        _tables(backend) as inserting,
        _tables(backend) as copying,
        contextlib.closing(cloud.Uploader(backend.address)) as uploader,
    ):
        device = backend.device("1")
        backlog = Backlog(device)
        times: dict[str, list[float]] = {"ingest": [], "insert": [], "copy": []}
        for _ in range(rounds + _WARM):
            segment = backlog.segment(records)
            body, rows = frame(segment), _rows(device, segment)
            times["ingest"].append(_timed(partial(uploader.upload, device.enrolment, body)))
            times["insert"].append(_timed(partial(_insert, inserting, rows)))
            times["copy"].append(_timed(partial(_copy, copying, rows)))
        with backend.store.read() as connection:
            held = connection.scalar(sa.select(sa.func.count()).select_from(schema.records))
    assert held == len(times["ingest"]) * records, held
    rates = {name: records / statistics.median(values[_WARM:]) for name, values in times.items()}
    ratios = {name: round(rates["ingest"] / rates[name], 2) for name in GOALS}
    return {
        "rounds": rounds,
        "records": records,
        "record_bytes": round(sum(map(len, segment.records)) / records),
        "rows": sum(map(len, rows.values())),
        "per_s": {name: round(rate) for name, rate in rates.items()},
        "ratio": ratios,
        "met": {name: ratios[name] >= goal for name, goal in GOALS.items()},
    }


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _tables(backend: cloud.Cloud) -> "psycopg.Connection[tuple[object, ...]]":
    """The same tables in a database of their own."""
    name = backend.postgres.database()
    Store(backend.folder, backend.postgres.url(name)).close()
    return backend.postgres.connect(name)


def _rows(device: Device, segment: SignedSegment) -> Rows:
    me, now_ms = device.enrolment, 1
    entries = chain(me.dev, me.ep, segment)
    readings = [interpret(entry.data, me.shop, me.reg, now_ms) for entry in entries]
    journal: list[bulk.Row] = [
        (me.dev, me.ep, entry.seq, entry.hash, reading.typ, now_ms, reading.problem, entry.data)
        for entry, reading in zip(entries, readings, strict=True)
    ]
    signed: bulk.Row = (me.dev, me.ep, segment.last_seq, segment.signature)
    rows = {schema.records: journal, schema.signatures: [signed]}
    return rows | projection.merged(reading.rows for reading in readings)


def _insert(connection: "psycopg.Connection[tuple[object, ...]]", rows: Rows) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for table, entries in rows.items():
            width = len(table.columns)
            most = _MOST_PARAMETERS // width
            for begin in range(0, len(entries), most):
                part = entries[begin : begin + most]
                places = ", ".join([f"({', '.join(['%s'] * width)})"] * len(part))
                cursor.execute(f"INSERT INTO {table.name} VALUES {places}".encode(), [v for row in part for v in row])


def _copy(connection: "psycopg.Connection[tuple[object, ...]]", rows: Rows) -> None:
    with connection.transaction():
        for table, entries in rows.items():
            bulk.copy(connection, table, entries)


def main(rounds: int = 25) -> int:
    """Print the figures; 0 when the goals are met, else 1."""
    result = run(rounds)
    out = sys.stdout.write
    out(
        f"ingest: {result['rounds']} segments of {result['records']} records of {result['record_bytes']} bytes "
        f"({result['rows']} rows), in turn\n"
    )
    for name, rate in result["per_s"].items():
        out(f"  {name:8} {rate:8,} records/s at the median\n")
    for name, goal in GOALS.items():
        verdict = "met" if result["met"][name] else "MISSED"
        out(f"  ingest / {name} {result['ratio'][name]:.2f}, goal >= {goal}: {verdict}\n")
    return 0 if all(result["met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 25))
