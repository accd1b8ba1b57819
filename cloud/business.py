"""The shop's business beside its sales: day reports, suspended sales that were taken up, and what is wrong with them.

Made from the records as `cloud.projection` makes sales, and made again from them at any time.
"""

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.alarms import raise_alarm
from cloud.projection import Rows, Unreadable
from kiosk.records.journal import Record

_MOST_TEXT = 64_000


class _Report(msgspec.Struct):
    date: str
    no: int
    mode: str
    currency: str
    gross_minor: int
    sales: int
    closed_ms: int


class _Recalled(msgspec.Struct):
    original: str


def rows(record: Record) -> Rows:
    """Of a record that is about more than one sale; empty for any other. Raises Unreadable."""
    place = (record.dev, record.ep, record.seq)
    try:
        match record.typ:
            case "day.close":
                told = record.body["event"]["report"]
                report = msgspec.convert(told, _Report)
                text = msgspec.json.encode(told).decode()
                if len(text) > _MOST_TEXT or "\\u0000" in text:
                    raise Unreadable(f"{record.typ}: the report is longer than {_MOST_TEXT} characters, or no text")
                return {schema.day_reports: [(*place, *msgspec.structs.astuple(report), text)]}
            case "sale.recalled":
                original = msgspec.convert(record.body["event"], _Recalled).original
                return {schema.recalls: [(*place, original[:64].replace("\x00", "\ufffd"))]}
            case _:
                return {}
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise Unreadable(f"{record.typ}: {error}") from None


def check(connection: sa.Connection, now_ms: int, found: Rows) -> None:
    """Alarm where a suspended sale was taken up by more than one lane, or twice by one. The rows are stored already."""
    table = schema.recalls
    for dev, ep, seq, original in found.get(table, []):
        query = sa.select(table.c.dev, table.c.ep, table.c.seq).where(table.c.original == original)
        others = [place for place in connection.execute(query).all() if tuple(place) != (dev, ep, seq)]
        if others:
            text = f"the suspended sale {original} was taken up here and by {others[0].dev}"
            raise_alarm(connection, now_ms, dev, "recalled_twice", ep, seq, text)
