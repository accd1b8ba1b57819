"""Closed sales as rows that can be asked about. Made from the records, and made again from them at any time.

What cannot be read as a sale by this version is left as it is and counted; a newer version's rebuild may read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud import bulk, schema
from kiosk.records.journal import Record
from kiosk.records.sale import CardReferences, Line, Sale, Tender

SALE_CLOSED = "sale.closed"
RECEIPT_ISSUED = "receipt.issued"
Rows = dict[sa.Table, list[bulk.Row]]
"""Per table, in the order of its columns."""
_MAX_EPOCH_MS = 253_402_300_799_000
_MAX_INTEGER = 2**63 - 1
# It is looked up by an index, whose entries PostgreSQL bounds at 2.7 kB.
_MAX_SALE_ID_CHARS = 200
_NO_CARD = CardReferences("", "", "", "", "", "", "")


class Unreadable(ValueError):
    """The body is no sale to this version; the text says why."""


@dataclass(frozen=True)
class Numbers:
    """The highest numbers a sale used, for its register."""

    sale_no: int
    receipt_no: int


def read_sale(record: Record) -> Sale:
    """The sale in a `sale.closed` record. Raises Unreadable."""
    try:
        return msgspec.convert(record.body.get("sale"), Sale)
    except msgspec.ValidationError as error:
        raise Unreadable(f"{SALE_CLOSED}: {error}") from None


def local_day(wall_ms: int, tzo: int) -> str:
    """The shop's calendar day, by the record's own offset in minutes."""
    bounded = min(max(wall_ms + tzo * 60_000, 0), _MAX_EPOCH_MS)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=bounded)).date().isoformat()


def english(names: dict[str, str]) -> str:
    return names.get("en") or next(iter(names.values()), "")


def rows(record: Record, sale: Sale, shop: str, reg: str, received_ms: int) -> Rows:
    """All rows of one sale. `shop` and `reg` are what the backend granted, not what the record claims."""
    place = record.dev, record.ep, record.seq
    closed_ms = sale.closed_wall_ms or record.wall_ms
    head = (
        *place,
        shop,
        reg,
        record.mode,
        sale.sale_id,
        sale.sale_no,
        sale.kind,
        sale.receipt_series,
        sale.receipt_no,
        sale.currency.code,
        min(max(sale.currency.exponent, 0), 9),
        sale.language,
        sale.total_minor,
        _bounded(sum(tax.tax_minor for tax in sale.taxes)),
        _bounded(_items(sale)),
        closed_ms,
        record.tzo,
        local_day(closed_ms, record.tzo),
        received_ms,
    )
    return {
        schema.sales: [_storable(head)],
        schema.sale_lines: [_storable((*place, n, *_line(line))) for n, line in enumerate(sale.lines)],
        schema.sale_taxes: [
            _storable((*place, n, tax.category, tax.rate_bp, tax.base_minor, tax.tax_minor, tax.gross_minor))
            for n, tax in enumerate(sale.taxes)
        ],
        schema.sale_tenders: [_storable((*place, n, *_tender(tender))) for n, tender in enumerate(sale.tenders)],
    }


class _Block(msgspec.Struct):
    """What the page walks through; everything else is shown as text."""

    head: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []


class _Issued(msgspec.Struct):
    sale_id: str
    blocks: list[_Block]


def receipt_rows(record: Record) -> Rows:
    """The issued document of a `receipt.issued` record, as it was issued. Raises Unreadable."""
    try:
        document = msgspec.convert(record.body["event"]["document"], str)
        issued = msgspec.json.decode(document, type=_Issued)
    except (KeyError, TypeError, msgspec.MsgspecError, RecursionError) as error:
        raise Unreadable(f"{RECEIPT_ISSUED}: {error}") from None
    if len(issued.sale_id) > _MAX_SALE_ID_CHARS:
        raise Unreadable(f"{RECEIPT_ISSUED}: the sale's id is longer than {_MAX_SALE_ID_CHARS} characters")
    return {schema.receipts: [_storable((record.dev, record.ep, record.seq, issued.sale_id, document))]}


def _items(sale: Sale) -> int:
    """Pieces sold: weighed goods count as one, voids take theirs away again."""
    total = 0
    for line in sale.lines:
        if line.kind == "item":
            pieces = abs(line.quantity.value) if line.quantity.scale == 0 else 1
            total += -pieces if line.quantity.value < 0 else pieces
    return total


def _line(line: Line) -> bulk.Row:
    return (
        line.kind,
        line.code,
        english(line.name),
        line.quantity.value,
        min(max(line.quantity.scale, 0), 9),
        line.quantity.unit,
        line.price.charged_amount,
        min(max(line.price.exponent, 0), 9),
        line.gross_minor,
        line.tax_category,
        line.tax_rate_bp,
        line.voids,
    )


def _tender(tender: Tender) -> bulk.Row:
    card = tender.card or _NO_CARD
    return (
        tender.kind,
        tender.state,
        tender.authorised_minor,
        card.masked_pan,
        card.scheme,
        card.terminal_id,
        card.trace_no,
        card.receipt_no,
        card.authorisation_code,
    )


def _bounded(number: int) -> int:
    """A sum of what a hostile record holds may be beyond what a column takes."""
    return min(max(number, -_MAX_INTEGER), _MAX_INTEGER)


def _storable(row: bulk.Row) -> bulk.Row:
    """PostgreSQL takes no NUL in text."""
    return tuple(value.replace("\x00", "\ufffd") if type(value) is str else value for value in row)


def merged(many: Iterable[Rows]) -> Rows:
    """One table's rows of many records together, in their order."""
    found: Rows = {}
    for rows in many:
        for table, entries in rows.items():
            found.setdefault(table, []).extend(entries)
    return found


def insert(connection: sa.Connection, found: Rows) -> None:
    for table, entries in found.items():
        bulk.insert(connection, table, entries)


def clear(connection: sa.Connection) -> None:
    for table in schema.PROJECTIONS:
        connection.execute(table.delete())
