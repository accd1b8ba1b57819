"""A lane for tests: real keys, real signed records, no journal file. And a backend on a free port."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.clock import now_ms
from cloud.config import Config
from cloud.enrolment import enrol
from cloud.keys import Keys
from cloud.server import Server
from cloud.shops import new_token
from cloud.store import Store
from kiosk.records.identity import (
    Acknowledgement,
    Enrolment,
    EnrolmentRequest,
    KeyCertificate,
    b64,
    certify,
    check_acknowledgement,
    identity_public,
    prove,
    public_key,
)
from kiosk.records.journal import GENESIS, SCHEMA, VERSION, Actor, Header, encode, leaf_hash, sign
from kiosk.records.sale import CardReferences, Currency, Line, Price, Quantity, Sale, TaxTotal, Tender
from kiosk.records.segment import SegmentHeader, SignedSegment, frame

WALL_MS = 1_795_262_400_000  # 2026-11-21T12:00:00Z


def sale(number: int = 1, name: str = "Rugbrød", total_minor: int = 2500, currency: str = "DKK") -> Sale:
    line = Line(
        line_id=f"l{number}",
        kind="item",
        code="05701234567899",
        name={"en": name, "da": name},
        quantity=Quantity(1),
        price=Price("v1", total_minor, total_minor, 2),
        gross_minor=total_minor,
        tax_category="standard",
        tax_rate_bp=2500,
    )
    tax = total_minor // 5
    card = CardReferences("************1234", "Dankort", "T0001", "000123", "000042", "A1B2C3", "2026-11-21T13:00:00")
    return Sale(
        sale_id=f"sale-{number}",
        sale_no=number,
        kind="sale",
        state="closed",
        currency=Currency(currency, 2),
        prices_include_tax=True,
        rounding_rule="per_category_half_up_1",
        catalogue_version="v1",
        language="da",
        opened_wall_ms=WALL_MS - 60_000,
        lines=[line],
        tenders=[Tender("t1", "card", "approved", total_minor, total_minor, card=card)],
        taxes=[TaxTotal("standard", 2500, total_minor - tax, tax, total_minor)],
        total_minor=total_minor,
        receipt_series="A",
        receipt_no=number,
        closed_wall_ms=WALL_MS,
    )


@dataclass
class Device:
    """Signs a chain as the kiosk's journal does."""

    enrolment: Enrolment
    identity: ec.EllipticCurvePrivateKey
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    records: list[bytes] = field(default_factory=list)

    @property
    def certificate(self) -> KeyCertificate:
        return certify(self.identity, self.enrolment.dev, self.enrolment.ep, self.key)

    def hash_at(self, seq: int) -> str:
        return leaf_hash(self.records[seq - 1]) if seq else GENESIS

    def append(self, typ: str = "test.note", body: Any = None, **changes: Any) -> bytes:
        me, seq = self.enrolment, len(self.records) + 1
        fields: dict[str, Any] = dict(
            v=VERSION, dev=me.dev, ep=me.ep, inc="i1", seq=seq, typ=typ, txn=f"x{seq}", boot="b1",
            mono_us=seq * 1000, wall_ms=WALL_MS + seq, tzo=60, clk="synced", tenant=me.tenant, shop=me.shop,
            reg=me.reg, mode="live", actor=Actor("customer"), bday="2026-11-21", sw="0.1.0", schema=SCHEMA,
            prev=self.hash_at(seq - 1),
        )  # fmt: skip
        data = encode(Header(**(fields | changes)), {"n": seq} if body is None else body)
        self.records.append(data)
        return data

    def append_sale(self, number: int, **how: Any) -> bytes:
        body = {"sale": msgspec.to_builtins(sale(number, **how)), "receipt": {}}
        return self.append("sale.closed", body)

    def segment(self, first: int, last: int, *, certificate: bool = True) -> SignedSegment:
        header = self.head(first, self.hash_at(first - 1), self.hash_at(last), certificate=certificate)
        return SignedSegment(header, self.records[first - 1 : last])

    def head(self, first: int, prev: str, last_hash: str, *, certificate: bool = True) -> SegmentHeader:
        signature = b64(sign(self.key, last_hash))
        return SegmentHeader(first, prev, signature, self.certificate if certificate else None)

    def verify(self, ack: Acknowledgement) -> None:
        check_acknowledgement(public_key(self.enrolment.cosign_key), self.enrolment.dev, self.enrolment.ep, ack)
        assert ack.hash == self.hash_at(ack.hwm)


def enrolled(store: Store, keys: Keys, address: str, reg: str, shop: str = "Nørrebro") -> Device:
    """A new device of a register, enrolled past HTTP. `address`: where it is to find the backend."""
    identity = ec.generate_private_key(ec.SECP256R1())
    token = new_token(store, now_ms, shop, reg)
    request = EnrolmentRequest(token, identity_public(identity), prove(identity, token))
    return Device(enrol(store, keys, now_ms, "main", address, request), identity)


@dataclass
class Answer:
    status: int
    headers: "urllib3.HTTPHeaderDict"
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ack(self) -> Acknowledgement:
        return msgspec.json.decode(self.body, type=Acknowledgement)


class Backend:
    """The real server on a free port of loopback, and the HTTP calls of a device."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.config = Config(data=str(folder), port=0, threads=8, live_streams=2, **config)
        self.now_ms: int | None = None
        self.http = urllib3.PoolManager(retries=False, timeout=20.0)
        self.start()

    def _clock(self) -> int:
        return WALL_MS if self.now_ms is None else self.now_ms

    def start(self) -> None:
        self.server = Server(self.config, self._clock)
        self.server.start()
        self.url = f"http://127.0.0.1:{self.server.port}"

    def stop(self) -> None:
        self.http.clear()
        self.server.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def store(self) -> Any:
        return self.server.service.store

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        found = self.http.request(method, self.url + path, body=body, headers=named, redirect=False)
        return Answer(found.status, found.headers, found.data)

    def token(self, shop: str = "Nørrebro", reg: str = "1", **how: Any) -> str:
        return new_token(self.store, self._clock, shop, reg, **how)

    def ask(self, token: str, identity: ec.EllipticCurvePrivateKey) -> Answer:
        request = EnrolmentRequest(token, identity_public(identity), prove(identity, token))
        return self.call("POST", "/v1/enrol", msgspec.json.encode(request), Content_Type="application/json")

    def device(self, shop: str = "Nørrebro", reg: str = "1", identity: Any = None) -> Device:
        identity = identity or ec.generate_private_key(ec.SECP256R1())
        answer = self.ask(self.token(shop, reg), identity)
        assert answer.status == 200, answer.body
        return Device(msgspec.json.decode(answer.body, type=Enrolment), identity)

    def upload(self, device: Device, segment: SignedSegment | bytes, **headers: str) -> Answer:
        me = device.enrolment
        body = segment if isinstance(segment, bytes) else frame(segment)
        defaults = {"Content_Type": "application/x-ndjson", "Authorization": f"Bearer {me.device_token}"}
        return self.call("POST", f"/v1/journal/{me.dev}/{me.ep}", body, **(defaults | headers))

    def get(self, device: Device, path: str, **headers: str) -> Answer:
        defaults = {"Authorization": f"Bearer {device.enrolment.device_token}"}
        return self.call("GET", path, None, **(defaults | headers))

    def held(self, device: Device) -> list[bytes]:
        """The server's log of the device's epoch."""
        from cloud import schema

        table = schema.records
        query = table.select().where(table.c.dev == device.enrolment.dev, table.c.ep == device.enrolment.ep)
        with self.store.read() as connection:
            rows = connection.execute(query.order_by(table.c.seq)).all()
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        return [row.data for row in rows]

    def rows(self, table: Any) -> list[dict[str, Any]]:
        with self.store.read() as connection:
            rows = connection.execute(table.select().order_by(*table.primary_key)).mappings()
            return [dict(row) for row in rows]


@contextlib.contextmanager
def running(folder: Path, **config: Any) -> Iterator[Backend]:
    backend = Backend(folder, **config)
    try:
        yield backend
    finally:
        backend.stop()
