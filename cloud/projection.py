"""Closed sales as rows that can be asked about. Made from the records, and made again from them at any time.

What cannot be read as a sale by this version is left as it is and counted; a newer version's rebuild may read it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud import schema
from kiosk.records.journal import Record
from kiosk.records.sale import Line, Sale

SALE_CLOSED = "sale.closed"
RECEIPT_ISSUED = "receipt.issued"
Rows = dict[sa.Table, list[dict[str, Any]]]
_MAX_EPOCH_MS = 253_402_300_799_000


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
    place: dict[str, Any] = {"dev": record.dev, "ep": record.ep, "seq": record.seq}
    closed_ms = sale.closed_wall_ms or record.wall_ms
    head = place | {
        "shop": shop,
        "reg": reg,
        "mode": record.mode,
        "sale_id": sale.sale_id,
        "sale_no": sale.sale_no,
        "kind": sale.kind,
        "receipt_series": sale.receipt_series,
        "receipt_no": sale.receipt_no,
        "currency": sale.currency.code,
        "exponent": min(max(sale.currency.exponent, 0), 9),
        "language": sale.language,
        "total_minor": sale.total_minor,
        "tax_minor": sum(tax.tax_minor for tax in sale.taxes),
        "items": _items(sale),
        "closed_ms": closed_ms,
        "tzo": record.tzo,
        "local_day": local_day(closed_ms, record.tzo),
        "received_ms": received_ms,
    }
    found: Rows = {
        schema.sales: [head],
        schema.sale_lines: [place | {"n": n} | _line(line) for n, line in enumerate(sale.lines)],
        schema.sale_taxes: [
            place | {"n": n} | {name: getattr(tax, name) for name in _TAX} for n, tax in enumerate(sale.taxes)
        ],
        schema.sale_tenders: [
            place
            | {"n": n, "kind": tender.kind, "state": tender.state, "authorised_minor": tender.authorised_minor}
            | {name: getattr(tender.card, name) if tender.card else "" for name in _CARD}
            for n, tender in enumerate(sale.tenders)
        ],
    }
    return {table: [_storable(row) for row in entries] for table, entries in found.items()}


class _Issued(msgspec.Struct):
    sale_id: str
    blocks: list[dict[str, Any]]


def receipt_rows(record: Record) -> Rows:
    """The issued document of a `receipt.issued` record, as it was issued. Raises Unreadable."""
    try:
        document = msgspec.convert(record.body["event"]["document"], str)
        issued = msgspec.json.decode(document, type=_Issued)
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        raise Unreadable(f"{RECEIPT_ISSUED}: {error}") from None
    place = {"dev": record.dev, "ep": record.ep, "seq": record.seq}
    return {schema.receipts: [_storable(place | {"sale_id": issued.sale_id, "document": document})]}


_TAX = ("category", "rate_bp", "base_minor", "tax_minor", "gross_minor")
_CARD = ("masked_pan", "scheme", "terminal_id", "trace_no", "receipt_no", "authorisation_code")


def _items(sale: Sale) -> int:
    """Pieces sold: weighed goods count as one, voids take theirs away again."""
    total = 0
    for line in sale.lines:
        if line.kind == "item":
            pieces = abs(line.quantity.value) if line.quantity.scale == 0 else 1
            total += -pieces if line.quantity.value < 0 else pieces
    return total


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "code": line.code,
        "name": english(line.name),
        "quantity_value": line.quantity.value,
        "quantity_scale": min(max(line.quantity.scale, 0), 9),
        "unit": line.quantity.unit,
        "price_amount": line.price.charged_amount,
        "price_exponent": min(max(line.price.exponent, 0), 9),
        "gross_minor": line.gross_minor,
        "tax_category": line.tax_category,
        "tax_rate_bp": line.tax_rate_bp,
        "voids": line.voids,
    }


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    """PostgreSQL takes no NUL in text."""
    return {key: value.replace("\x00", "\ufffd") if isinstance(value, str) else value for key, value in row.items()}


def insert(connection: sa.Connection, found: Rows) -> None:
    for table, entries in found.items():
        if entries:
            connection.execute(table.insert(), entries)


def clear(connection: sa.Connection) -> None:
    for table in schema.PROJECTIONS:
        connection.execute(table.delete())
