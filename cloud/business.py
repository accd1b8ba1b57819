"""The shop's business beside its sales: day reports, suspended sales that were taken up, and what is wrong with them.

Made from the records as `cloud.projection` makes sales, and made again from them at any time.
"""

from typing import Any

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.alarms import raise_alarm
from cloud.projection import Rows, Unreadable
from kiosk.records.journal import BadRecord, Record, decode

_MOST_TEXT = 64_000
_MOST_NAMED = 5
_MARKS = (b'"day.reconciled"', b'"payment.manual"', b'"sale.lost"')


class _Report(msgspec.Struct):
    date: str
    no: int
    mode: str
    currency: str
    gross_minor: int
    sales: int
    closed_ms: int


class _Totals(msgspec.Struct):
    outcome: str
    amount_minor: int = 0
    count: int = 0


class _Comparison(msgspec.Struct):
    ours_minor: int
    ours_count: int
    difference_minor: int = 0
    explained: list[dict[str, Any]] = []


class _Reconciled(msgspec.Struct):
    no: int
    totals: _Totals
    comparison: _Comparison


class _Recalled(msgspec.Struct):
    original: str


class _Evidence(msgspec.Struct):
    why: str
    requested_minor: int
    currency: str
    said: str = ""
    detail: str = ""


class _LeftToStaff(msgspec.Struct):
    tender_id: str
    evidence: _Evidence


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


def difference(record: Record) -> str:
    """What an operator must know of an acquirer's end of day that says otherwise; empty when all is well."""
    if record.typ != "day.reconciled":
        return ""
    try:
        told = msgspec.convert(record.body["event"], _Reconciled)
    except (KeyError, TypeError, msgspec.ValidationError):
        return ""
    theirs, ours = told.totals, told.comparison
    if theirs.outcome != "closed" or (not ours.difference_minor and theirs.count == ours.ours_count):
        return ""
    places = {"ours": "not at the terminal", "terminal": "only at the terminal", "doubt": "in doubt"}
    named = [
        f"{places.get(str(one.get('where')), '?')}: receipt {one.get('receipt_no') or '-'}, sale {one.get('sale_no')}"
        for one in ours.explained[:_MOST_NAMED]
    ]
    text = (
        f"day {told.no}: the terminal has {theirs.count} payments of {theirs.amount_minor}, "
        f"the lane {ours.ours_count} of {ours.ours_minor}"
    )
    return "; ".join([text, *named]).replace("\x00", "\ufffd")[:500]


def in_doubt(record: Record) -> str:
    """What an operator must know of a payment that neither lane nor terminal can settle; empty for anything else."""
    if record.typ != "payment.manual":
        return ""
    try:
        told = msgspec.convert(record.body["event"], _LeftToStaff)
    except (KeyError, TypeError, msgspec.ValidationError):
        return ""
    seen = told.evidence
    said = f"the terminal said {seen.said or 'nothing'}" + (f" ({seen.detail})" if seen.detail else "")
    asked = f"{seen.requested_minor} {seen.currency} (minor units)"
    text = f"payment {told.tender_id} of {asked} is left to staff: {seen.why}; {said}"
    return text.replace("\x00", "\ufffd")[:500]


def lost(record: Record) -> str:
    """What an operator must know of a sale whose records are damaged; empty for anything else."""
    if record.typ != "sale.lost":
        return ""
    sale = record.body.get("sale")
    known = ""
    if isinstance(sale, dict):
        tenders = sale.get("tenders")
        listed = tenders if isinstance(tenders, list) else []
        states = [str(one.get("state")) for one in listed if isinstance(one, dict)]
        known = f"; sale {sale.get('sale_no')} of {sale.get('total_minor')}, payments: {', '.join(states) or 'none'}"
    text = f"a sale was ended of which records are damaged: it may have been paid{known}"
    return text.replace("\x00", "\ufffd")[:500]


def tell(connection: sa.Connection, now_ms: int, dev: str, ep: int, records: list[tuple[int, bytes]]) -> None:
    """Alarm where a record among these, by their number, asks for a person: an acquirer's end of day that says
    otherwise than the lane, a payment that only staff can settle, a sale of which records are damaged."""
    for seq, data in records:
        if not any(mark in data for mark in _MARKS):
            continue
        try:
            record = decode(data)
        except BadRecord:
            continue
        found = (
            ("day_difference", difference(record)),
            ("payment_manual", in_doubt(record)),
            ("sale_lost", lost(record)),
        )
        for kind, text in found:
            if text:
                raise_alarm(connection, now_ms, dev, kind, ep, seq, text)


def check(connection: sa.Connection, now_ms: int, found: Rows) -> None:
    """Alarm where a suspended sale was taken up by more than one lane, or twice by one. The rows are stored already."""
    table = schema.recalls
    for dev, ep, seq, original in found.get(table, []):
        query = sa.select(table.c.dev, table.c.ep, table.c.seq).where(table.c.original == original)
        others = [place for place in connection.execute(query).all() if tuple(place) != (dev, ep, seq)]
        if others:
            text = f"the suspended sale {original} was taken up here and by {others[0].dev}"
            raise_alarm(connection, now_ms, dev, "recalled_twice", ep, seq, text)
