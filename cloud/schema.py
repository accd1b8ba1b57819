"""The tables. Every per-kiosk table is keyed by the kiosk (`dev`) first, so that it can be distributed by it.

Times are UTC milliseconds, money is minor units of the named currency. Documents stay JSON text or the exact bytes
that were received: what is shown is a projection and can be made again from them.

A change here is a new SCHEMA_VERSION and a step in `cloud.migrations`.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()
SCHEMA_VERSION = 3
# PostgreSQL keeps the journal in so many parts, each with the whole log of its kiosks.
RECORD_PARTITIONS = 16


_Kind = type[sa.Text] | type[sa.BigInteger] | type[sa.LargeBinary]


def _col(name: str, kind: _Kind, *, key: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, kind, primary_key=key, nullable=False, autoincrement=False)


def _opt(name: str, kind: _Kind) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=True)


T, N, B = sa.Text, sa.BigInteger, sa.LargeBinary

shops = sa.Table("shops", metadata, _col("shop", T, key=True), _col("name", T), _col("created_ms", N))

# A register outlives the device that stands at it: its epochs and its numbers go on.
registers = sa.Table(
    "registers",
    metadata,
    _col("shop", T, key=True),
    _col("reg", T, key=True),
    _col("last_ep", N),
    _col("last_sale_no", N),
    _col("last_receipt_no", N),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _col("hash", T, key=True),
    _col("shop", T),
    _col("reg", T),
    _col("mode", T),
    _col("created_ms", N),
    _col("expires_ms", N),
    _opt("used_ms", N),
    _opt("identity_key", T),
    _opt("answer", T),
)

kiosks = sa.Table(
    "kiosks",
    metadata,
    _col("dev", T, key=True),
    _col("shop", T),
    _col("reg", T),
    _col("mode", T),
    _col("identity_key", T),
    _col("token_hash", T),
    _col("enrolled_ms", N),
    _opt("revoked_ms", N),
    _opt("contact_ms", N),
    _opt("status", T),
    _col("tzo", N),
    sa.Index("kiosks_identity", "identity_key", unique=True),
    sa.Index("kiosks_token", "token_hash"),
)

# `state`: open, or fenced: a newer epoch took the register over. What an epoch was granted for never changes.
epochs = sa.Table(
    "epochs",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("shop", T),
    _col("reg", T),
    _col("state", T),
    _col("opened_ms", N),
    _col("hwm", N),
    _col("hash", T),
    _opt("certificate", T),
    _col("uninterpreted", N),
)

records = sa.Table(
    "records",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("hash", T),
    _col("typ", T),
    _col("received_ms", N),
    _opt("problem", T),
    _col("data", B),
    postgresql_partition_by="HASH (dev)",
)


def partitions(table: str, count: int) -> Iterator[str]:
    """The statements that make a table's hash partitions on PostgreSQL."""
    for n in range(count):
        values = f"FOR VALUES WITH (MODULUS {count}, REMAINDER {n})"
        yield f"CREATE TABLE {table}_p{n} PARTITION OF {table} {values}"


for _statement in partitions("records", RECORD_PARTITIONS):
    _make = sa.DDL(_statement)  # type: ignore[no-untyped-call]
    sa.event.listen(records, "after_create", _make.execute_if(dialect="postgresql"))

# The device's own signatures, one per segment: with the chain they prove every record before them.
signatures = sa.Table(
    "signatures",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("signature", B),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("hash", T, key=True),
    _col("reason", T),
    _col("received_ms", N),
    _col("signature", B),
    _col("data", B),
)

# Ranges of records that are damaged on the lane: it has said so in a signed record, and the chain goes on after them.
# `after_prev` stands in for the hash of the last of them; `notice`: the gap record with all that verifies it.
gaps = sa.Table(
    "gaps",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("first_seq", N, key=True),
    _col("last_seq", N, key=True),
    _col("after_prev", T),
    _col("notice", T),
)

# Journal keys that followed the first one within an epoch.
journal_keys = sa.Table(
    "journal_keys",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("from_seq", N, key=True),
    _col("certificate", T),
)

alarms = sa.Table(
    "alarms",
    metadata,
    _col("dev", T, key=True),
    _col("kind", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("text", T),
    _col("first_ms", N),
    _col("last_ms", N),
    _col("count", N),
)

catalogues = sa.Table(
    "catalogues",
    metadata,
    _col("shop", T, key=True),
    _col("sequence", N, key=True),
    _col("version", T),
    _col("manifest", T),
    sa.Index("catalogues_version", "shop", "version", unique=True),
)

# Versions of a shop's signed settings, each the exact document with its signature.
settings = sa.Table("settings", metadata, _col("shop", T, key=True), _col("sequence", N, key=True), _col("signed", T))

sales = sa.Table(
    "sales",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("shop", T),
    _col("reg", T),
    _col("mode", T),
    _col("sale_id", T),
    _col("sale_no", N),
    _col("kind", T),
    _col("receipt_series", T),
    _col("receipt_no", N),
    _col("currency", T),
    _col("exponent", N),
    _col("language", T),
    _col("total_minor", N),
    _col("tax_minor", N),
    _col("items", N),
    _col("closed_ms", N),
    _col("tzo", N),
    _col("local_day", T),
    _col("received_ms", N),
    sa.Index("sales_received", "received_ms", "dev", "ep", "seq"),
    sa.Index("sales_day", "dev", "local_day"),
)

_PLACE: tuple[tuple[str, _Kind], ...] = ("dev", T), ("ep", N), ("seq", N), ("n", N)


def _part(name: str, *columns: "sa.Column[Any]") -> sa.Table:
    return sa.Table(name, metadata, *(_col(column, kind, key=True) for column, kind in _PLACE), *columns)


sale_lines = _part(
    "sale_lines",
    _col("kind", T),
    _col("code", T),
    _col("name", T),
    _col("quantity_value", N),
    _col("quantity_scale", N),
    _col("unit", T),
    _col("price_amount", N),
    _col("price_exponent", N),
    _col("gross_minor", N),
    _col("tax_category", T),
    _col("tax_rate_bp", N),
    _col("voids", T),
)

sale_taxes = _part(
    "sale_taxes",
    _col("category", T),
    _col("rate_bp", N),
    _col("base_minor", N),
    _col("tax_minor", N),
    _col("gross_minor", N),
)

sale_tenders = _part(
    "sale_tenders",
    _col("kind", T),
    _col("state", T),
    _col("authorised_minor", N),
    _col("masked_pan", T),
    _col("scheme", T),
    _col("terminal_id", T),
    _col("trace_no", T),
    _col("receipt_no", T),
    _col("authorisation_code", T),
)

# The issued document itself, in the customer's language; whoever has the sale's random id may read it.
receipts = sa.Table(
    "receipts",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("sale_id", T),
    _col("document", T),
    sa.Index("receipts_sale", "sale_id"),
)

# What a lane's business days came to; `report` is the sealed one as JSON text.
day_reports = sa.Table(
    "day_reports",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("date", T),
    _col("no", N),
    _col("mode", T),
    _col("currency", T),
    _col("gross_minor", N),
    _col("sales", N),
    _col("closed_ms", N),
    _col("report", T),
)

# Suspended sales that a lane took up: each should be here once in a shop.
recalls = sa.Table(
    "recalls",
    metadata,
    _col("dev", T, key=True),
    _col("ep", N, key=True),
    _col("seq", N, key=True),
    _col("original", T),
    sa.Index("recalls_original", "original"),
)

PROJECTIONS = (day_reports, recalls, sale_tenders, sale_taxes, sale_lines, sales, receipts)

about = sa.Table("about", metadata, _col("name", T, key=True), _col("value", T))
