"""What the pages and the operator's API ask. Everything here is read in one consistent view."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.devices import Status, read_status
from cloud.projection import local_day
from cloud.store import Store

ONLINE_MS = 150_000  # two reports of a minute may be lost
RECENT = 40
MOST_SALES = 500
_ALARMS = 20
_DAYS = 14
_PART = 10**6
Row = dict[str, Any]


@dataclass(frozen=True)
class Money:
    """An amount in minor units with its currency; a list of them where a fleet has several."""

    amount_minor: int
    currency: str
    exponent: int


@dataclass(frozen=True)
class Kiosk:
    dev: str
    shop: str
    shop_name: str
    reg: str
    mode: str
    ep: int
    hwm: int
    uninterpreted: int
    state: str
    contact_ms: int | None
    tzo: int
    status: Status
    revoked: bool
    sales: int = 0
    takings: list[Money] = field(default_factory=list)

    @property
    def in_service(self) -> bool:
        return not self.revoked and self.state == "open"

    def online(self, now_ms: int) -> bool:
        return self.contact_ms is not None and now_ms - self.contact_ms < ONLINE_MS


@dataclass(frozen=True)
class Overview:
    kiosks: list[Kiosk]
    sales: list[Row]
    alarms: list[Row]

    @property
    def count(self) -> int:
        return sum(kiosk.sales for kiosk in self.kiosks)

    @property
    def in_service(self) -> int:
        return sum(kiosk.in_service for kiosk in self.kiosks)

    def online(self, now_ms: int) -> int:
        return sum(kiosk.in_service and kiosk.online(now_ms) for kiosk in self.kiosks)

    @property
    def backlog(self) -> int:
        return sum(kiosk.status.backlog for kiosk in self.kiosks if kiosk.in_service)

    @property
    def takings(self) -> list[Money]:
        sums: dict[tuple[str, int], int] = {}
        for money in (money for kiosk in self.kiosks for money in kiosk.takings):
            key = money.currency, money.exponent
            sums[key] = sums.get(key, 0) + money.amount_minor
        return [Money(amount, *key) for key, amount in sorted(sums.items())]


def overview(store: Store, now_ms: int) -> Overview:
    """Every kiosk with today's sales (each in its own shop's day), the newest sales, the newest alarms."""
    with store.read() as connection:
        kiosks = _kiosks(connection, now_ms)
        return Overview(kiosks, _recent(connection), _alarms(connection))


@dataclass(frozen=True)
class Detail:
    kiosk: Kiosk
    epochs: list[Row]
    sales: list[Row]
    alarms: list[Row]
    quarantined: int
    days: list[Row] = field(default_factory=list)


def kiosk(store: Store, dev: str, now_ms: int) -> Detail | None:
    with store.read() as connection:
        found = next((kiosk for kiosk in _kiosks(connection, now_ms, dev)), None)
        if found is None:
            return None
        epochs, kept = schema.epochs, schema.quarantine
        rows = connection.execute(sa.select(epochs).where(epochs.c.dev == dev).order_by(epochs.c.ep.desc()))
        quarantined = connection.scalar(sa.select(sa.func.count()).select_from(kept).where(kept.c.dev == dev))
        return Detail(
            found, [dict(row) for row in rows.mappings()], _recent(connection, dev), _alarms(connection, dev),
            int(quarantined or 0), _days(connection, dev),
        )  # fmt: skip


@dataclass(frozen=True)
class Sale:
    head: Row
    lines: list[Row]
    taxes: list[Row]
    tenders: list[Row]
    record: Row


def sale(store: Store, dev: str, ep: int, seq: int) -> Sale | None:
    """One sale with its place in the chain: its hash and the one it follows."""
    with store.read() as connection:
        head = _at(connection, schema.sales, dev, ep, seq)
        if not head:
            return None
        [record] = _at(connection, schema.records, dev, ep, seq)
        before = _at(connection, schema.records, dev, ep, seq - 1)
        record["prev"] = before[0]["hash"] if before else "0" * 64
        shops = schema.shops
        head[0]["shop_name"] = connection.scalar(sa.select(shops.c.name).where(shops.c.shop == head[0]["shop"]))
        parts = (_at(connection, table, dev, ep, seq) for table in _PARTS)
        lines, taxes, tenders = (sorted(rows, key=lambda row: int(row["n"])) for rows in parts)
        return Sale(head[0], lines, taxes, tenders, record)


_PARTS = (schema.sale_lines, schema.sale_taxes, schema.sale_tenders)


def sales_since(store: Store, received_ms: int, place: tuple[str, int, int] = ("", 0, 0)) -> list[Row]:
    """Sales that came in after (received_ms, dev, ep, seq), oldest first, at most 500. Raises OverflowError."""
    if max(map(abs, (received_ms, *place[1:]))) >= 2**63:
        raise OverflowError("beyond what the database counts to")
    table = schema.sales
    order = (table.c.received_ms, table.c.dev, table.c.ep, table.c.seq)
    later = sa.tuple_(*order) > sa.tuple_(received_ms, *place)
    query = sa.select(table).where(later).order_by(*order).limit(MOST_SALES)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def receipt(store: Store, sale_id: str) -> str | None:
    """The last document that was issued for a sale, as JSON text."""
    table = schema.receipts
    query = sa.select(table.c.document).where(table.c.sale_id == sale_id).order_by(table.c.seq.desc()).limit(1)
    with store.read() as connection:
        found: str | None = connection.execute(query).scalar()
        return found


def _at(connection: sa.Connection, table: sa.Table, dev: str, ep: int, seq: int) -> list[Row]:
    query = sa.select(table).where(table.c.dev == dev, table.c.ep == ep, table.c.seq == seq)
    return [dict(row) for row in connection.execute(query).mappings()]


def _kiosks(connection: sa.Connection, now_ms: int, dev: str | None = None) -> list[Kiosk]:
    kiosks, epochs, shops = schema.kiosks, schema.epochs, schema.shops
    newest = sa.select(epochs.c.dev, sa.func.max(epochs.c.ep).label("ep")).group_by(epochs.c.dev).subquery()
    query = (
        sa.select(kiosks, shops.c.name, epochs.c.ep, epochs.c.hwm, epochs.c.uninterpreted, epochs.c.state)
        .join(shops, shops.c.shop == kiosks.c.shop)
        .join(newest, newest.c.dev == kiosks.c.dev)
        .join(epochs, sa.and_(epochs.c.dev == newest.c.dev, epochs.c.ep == newest.c.ep))
        .order_by(shops.c.name, kiosks.c.reg, kiosks.c.enrolled_ms.desc())
    )
    if dev is not None:
        query = query.where(kiosks.c.dev == dev)
    rows = connection.execute(query).all()
    days = {row.dev: local_day(now_ms, row.tzo) for row in rows}
    today = _today(connection, days)
    return [_kiosk(row, today.get(row.dev, [])) for row in rows]


def _kiosk(row: "sa.Row[Any]", sums: list[Row]) -> Kiosk:
    takings = [
        Money(int(entry["upper"]) * _PART + int(entry["lower"]), entry["currency"], entry["exponent"]) for entry in sums
    ]
    return Kiosk(
        dev=row.dev,
        shop=row.shop,
        shop_name=row.name,
        reg=row.reg,
        mode=row.mode,
        ep=row.ep,
        hwm=row.hwm,
        uninterpreted=row.uninterpreted,
        state=row.state,
        contact_ms=row.contact_ms,
        tzo=row.tzo,
        status=read_status(row.status),
        revoked=row.revoked_ms is not None,
        sales=sum(int(entry["count"]) for entry in sums),
        takings=takings,
    )


def _today(connection: sa.Connection, days: dict[str, str]) -> dict[str, list[Row]]:
    """Live sales of each kiosk's present day, by currency. Training and tests are no turnover."""
    table = schema.sales
    query = (
        sa.select(
            table.c.dev,
            table.c.local_day,
            table.c.currency,
            table.c.exponent,
            sa.func.count().label("count"),
            # In two parts: SQLite's sum() ends the query where hostile totals run over 64 bits.
            sa.func.sum(table.c.total_minor // _PART).label("upper"),
            sa.func.sum(table.c.total_minor % _PART).label("lower"),
        )
        .where(table.c.mode == "live", table.c.local_day.in_(set(days.values())))
        .group_by(table.c.dev, table.c.local_day, table.c.currency, table.c.exponent)
    )
    found: dict[str, list[Row]] = {}
    for row in connection.execute(query).mappings():
        if days.get(row["dev"]) == row["local_day"]:
            found.setdefault(row["dev"], []).append(dict(row))
    return found


def _recent(connection: sa.Connection, dev: str | None = None) -> list[Row]:
    table, shops = schema.sales, schema.shops
    query = sa.select(table, shops.c.name.label("shop_name")).join(shops, shops.c.shop == table.c.shop)
    if dev is not None:
        query = query.where(table.c.dev == dev)
    query = query.order_by(table.c.received_ms.desc(), table.c.dev, table.c.ep.desc(), table.c.seq.desc())
    return [dict(row) for row in connection.execute(query.limit(RECENT)).mappings()]


def _days(connection: sa.Connection, dev: str) -> list[Row]:
    """The newest day reports of a kiosk. `exponent` is that of its sales' currency."""
    table, sales = schema.day_reports, schema.sales
    query = sa.select(table).where(table.c.dev == dev).order_by(table.c.ep.desc(), table.c.seq.desc()).limit(_DAYS)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        of_currency = sa.select(sales.c.exponent).where(sales.c.dev == dev, sales.c.currency == row["currency"])
        row["exponent"] = connection.scalar(of_currency.limit(1)) or 0
        row["told"] = _told(row["report"])
    return rows


class _Told(msgspec.Struct):
    """What is shown of a day report beside its columns."""

    grand_total_minor: int = 0
    voids: int = 0
    suspended: int = 0
    recalled: int = 0


def _told(report: str) -> _Told:
    try:
        return msgspec.json.decode(report, type=_Told)
    except msgspec.MsgspecError:
        return _Told()


def _alarms(connection: sa.Connection, dev: str | None = None) -> list[Row]:
    table = schema.alarms
    query = sa.select(table).order_by(table.c.last_ms.desc()).limit(_ALARMS)
    if dev is not None:
        query = query.where(table.c.dev == dev)
    return [dict(row) for row in connection.execute(query).mappings()]
