"""Journal up: what may be appended to a device's log, and what is answered.

A segment is checked by itself first (its inner chain, its head signature by the certified key), without a lock; then
its place is decided in one transaction that holds the epoch. Per (dev, ep, seq) there is one record, for ever.

| the segment                                  | answer                                                    |
|----------------------------------------------|-----------------------------------------------------------|
| follows the head, or overlaps it with equals | 200, the new head counter-signed                          |
| begins after the head                        | 409 gap, the head                                         |
| another record at a known place              | 409 fork, the head; kept in quarantine, alarm             |
| new, of an epoch that was replaced           | 410 stale_epoch, the head; kept in quarantine, alarm      |
| follows a damaged range, with its gap record | 200; the range is kept apart, alarm (`cloud.gaps`)        |
| the first of an epoch that the lane began    | see `cloud.provisional`                                   |
| chain or signature does not hold             | 422, nothing kept                                         |
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from cloud import bulk, business, gaps, journal_keys, projection, provisional, schema
from cloud.alarms import raise_alarm
from cloud.clock import Clock
from cloud.devices import Device
from cloud.enrolment import identity_key
from cloud.keys import Keys
from cloud.store import Store
from kiosk.records.gap import BadGap, Gap
from kiosk.records.identity import Acknowledgement, BadIdentity, KeyCertificate, check_certificate
from kiosk.records.journal import GENESIS, VERSION, BadRecord, Head, check_signature, decode, leaf_hash
from kiosk.records.lifecycle import MAX_EPOCH
from kiosk.records.segment import SignedSegment

_MAX_NUMBER = 2**52


class Rejected(Exception):
    """Not appended. `kind`: a stable word; `head`: what the backend holds, where the device needs to know it."""

    def __init__(self, status: int, kind: str, message: str, head: Acknowledgement | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.head = head


class Entry(msgspec.Struct, frozen=True):
    seq: int
    hash: str
    data: bytes


class Reading(msgspec.Struct, frozen=True):
    """What this version understands of a record. `problem`: why it does not, else None."""

    typ: str = ""
    problem: str | None = None
    rows: projection.Rows = {}
    tzo: int | None = None
    sale_no: int = 0
    receipt_no: int = 0


class _Link(msgspec.Struct):
    """The four fields that tie a record into its chain; the rest may be of a later version."""

    dev: str
    ep: int
    seq: int
    prev: str


_decode_link = msgspec.json.Decoder(_Link).decode


def chain(dev: str, ep: int, segment: SignedSegment) -> list[Entry]:
    """The segment's records with their hashes. Raises Rejected when they are no chain of this device and epoch.

    A record that does not even parse is bound by the next one's `prev`, or by the head signature: it is kept raw.
    """
    entries: list[Entry] = []
    previous = segment.header.prev
    for seq, data in enumerate(segment.records, start=segment.header.first_seq):
        try:
            link = _decode_link(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            link = _Link(dev, ep, seq, previous)
        if (link.dev, link.ep) != (dev, ep):
            raise Rejected(422, "foreign", f"record {seq} is of device {link.dev!r}, epoch {link.ep}")
        if link.seq != seq:
            raise Rejected(422, "bad_sequence", f"record {link.seq} stands where {seq} is expected")
        if link.prev != previous:
            raise Rejected(422, "broken_chain", f"record {seq} does not follow the hash of the one before it")
        previous = leaf_hash(data)
        entries.append(Entry(seq, previous, data))
    return entries


def interpret(data: bytes, shop: str, reg: str, received_ms: int) -> Reading:
    """Never raises: what cannot be understood is stored raw, and says so."""
    try:
        record = decode(data)
    except BadRecord as error:
        return Reading(problem=_text(f"{error.kind}: {error}"))
    typ = _text(record.typ[:80])
    if record.v != VERSION:
        return Reading(typ, f"version: the record is of version {record.v}, this backend reads {VERSION}")
    try:
        if record.typ == projection.RECEIPT_ISSUED:
            return Reading(typ, None, projection.receipt_rows(record), record.tzo)
        if record.typ != projection.SALE_CLOSED:
            return Reading(typ, None, business.rows(record), record.tzo)
        sale = projection.read_sale(record)
    except projection.Unreadable as error:
        return Reading(typ, _text(f"unreadable: {error}"), tzo=record.tzo)
    rows = projection.rows(record, sale, shop, reg, received_ms)
    counts = record.mode == "live"
    return Reading(typ, None, rows, record.tzo, sale.sale_no if counts else 0, sale.receipt_no if counts else 0)


def _text(said: str) -> str:
    """PostgreSQL takes no NUL in text."""
    return said[:500].replace("\x00", "\ufffd")


def ingest(store: Store, keys: Keys, clock: Clock, device: Device, ep: int, segment: SignedSegment) -> Acknowledgement:
    """Append what is new and answer the head. Blocks on the database. Raises Rejected, Busy."""
    entries = chain(device.dev, ep, segment)
    certificate = _certificate(store, keys, device, ep, segment)
    identity = identity_key(device.identity_key)
    try:
        gap = gaps.checked(device, identity, ep, segment)
        changes = _signed(store, device, ep, segment, entries[-1], certificate)
    except BadIdentity as error:
        raise Rejected(422, "bad_certificate", str(error)) from None
    except BadGap as error:
        raise Rejected(422, "bad_gap", str(error)) from None
    except BadRecord as error:
        raise Rejected(422, error.kind, str(error)) from None
    outcome = store.run(
        lambda connection: _Upload(connection, keys, clock(), device, ep, segment, entries, gap, changes).place(
            certificate
        )
    )
    if isinstance(outcome, Rejected):  # raised only now, so that the quarantine is committed
        raise outcome
    return outcome


def _signed(
    store: Store, device: Device, ep: int, segment: SignedSegment, last: Entry, first: KeyCertificate
) -> list[journal_keys.Change]:
    """Check the head signature by the key of that place. Returns the key changes that the segment brings. Raises
    BadIdentity, BadRecord."""
    identity, changes = identity_key(device.identity_key), list[journal_keys.Change]()
    check_certificate(first, identity)
    with store.read() as connection:
        certificate = journal_keys.at(connection, device.dev, ep, last.seq, first)
    try:
        check_signature(check_certificate(certificate, identity), last.hash, segment.signature)
    except BadRecord:
        following = journal_keys.after_gap(segment, identity, last.hash, ep)
        if following is None:
            raise
        changes.append(journal_keys.Change(segment.header.first_seq, following))
    named = journal_keys.named(segment.records, segment.header.first_seq, identity)
    return changes if named is None else [*changes, named]


def _certificate(store: Store, keys: Keys, device: Device, ep: int, segment: SignedSegment) -> KeyCertificate:
    """The first certificate of an epoch is kept; a different key for the same epoch is refused."""
    table, sent = schema.epochs, segment.header.certificate
    with store.read() as connection:
        row = connection.execute(
            sa.select(table.c.certificate).where(table.c.dev == device.dev, table.c.ep == ep)
        ).one_or_none()
    if row is None and ep <= MAX_EPOCH and segment.header.first_seq > 1 and provisional.begun(ep, segment) is None:
        # Maybe an epoch that the lane began by itself, and a backend that was put back to before it.
        head = keys.acknowledge(Head(device.dev, ep, 0, GENESIS))
        raise Rejected(409, "gap", f"nothing is held of epoch {ep}; record 1 is next", head)
    if row is None and (sent is None or provisional.begun(ep, segment) is None):
        raise Rejected(404, "unknown_epoch", f"epoch {ep} was never granted to this device")
    if sent is not None and (sent.dev, sent.ep) != (device.dev, ep):
        raise Rejected(422, "bad_certificate", "the certificate is of another device or epoch")
    if row is None or row.certificate is None:
        if sent is None:
            raise Rejected(422, "certificate_needed", "the first segment of an epoch brings the key's certificate")
        return sent
    if sent is not None and sent.key != _key(row.certificate):
        raise Rejected(422, "bad_certificate", "another journal key is certified for this epoch already")
    return msgspec.json.decode(row.certificate, type=KeyCertificate)


def _key(certificate_json: str) -> str:
    return msgspec.json.decode(certificate_json, type=KeyCertificate).key


@dataclass
class _Upload:
    """One segment inside its transaction."""

    connection: sa.Connection
    keys: Keys
    now_ms: int
    device: Device
    ep: int
    segment: SignedSegment
    entries: list[Entry]
    gap: Gap | None
    changes: list[journal_keys.Change]

    def place(self, certificate: KeyCertificate) -> Acknowledgement | Rejected:
        dev, table = self.device.dev, schema.epochs
        here = sa.and_(table.c.dev == dev, table.c.ep == self.ep)
        row = self.connection.execute(sa.select(table).where(here).with_for_update()).one_or_none()
        if row is None:
            told = provisional.begun(self.ep, self.segment)
            assert told is not None
            try:
                provisional.admit(self.connection, self.now_ms, self.device, self.ep, told)
            except provisional.NotAdmitted as error:
                self._quarantine(self.entries, error.kind, str(error))
                return Rejected(410, error.kind, str(error))
            row = self.connection.execute(sa.select(table).where(here).with_for_update()).one()
        head = self.keys.acknowledge(Head(dev, self.ep, row.hwm, row.hash))
        first, last = self.segment.header.first_seq, self.segment.last_seq
        if row.certificate is not None and _key(row.certificate) != certificate.key:
            return Rejected(422, "bad_certificate", "another journal key is certified for this epoch already")
        if row.state != "open" and (last > row.hwm or self._first_difference(row.hwm) is not None):
            late = [entry for entry in self.entries if entry.seq > row.hwm]
            self._quarantine(late, "stale_epoch", f"epoch {self.ep} was replaced, and still sends records")
            if late and provisional.second_copy(self.connection, dev, self.ep, last):
                text = f"another copy of the device still sends records of epoch {self.ep}"
                raise_alarm(self.connection, self.now_ms, dev, "cloned", self.ep, late[0].seq, text)
            return Rejected(410, "stale_epoch", f"epoch {self.ep} was replaced by a newer one", head)
        if first > row.hwm + 1 and not (self.gap is not None and self.gap.first <= row.hwm + 1):
            return Rejected(409, "gap", f"the segment begins at {first}; record {row.hwm + 1} is next", head)
        differing = self._first_difference(row.hwm)
        if differing is not None:
            branch = [entry for entry in self.entries if entry.seq >= differing]
            self._quarantine(branch, "fork", f"another history was sent from record {differing} on")
            return Rejected(409, "fork", f"record {differing} is another one than the one held here", head)
        if self.gap is not None and self.segment.header.gap is not None:
            gaps.keep(self.connection, self.now_ms, dev, self.gap, self.segment.header.gap, row.hwm)
        if last <= row.hwm:
            return head
        for change in self.changes:
            journal_keys.keep(self.connection, dev, self.ep, change)
        new = [entry for entry in self.entries if entry.seq > row.hwm]
        self._append(new, row.shop, row.reg, row.uninterpreted, certificate)
        gaps.tell(self.connection, self.now_ms, dev, [entry.data for entry in new])
        business.tell(self.connection, self.now_ms, dev, self.ep, [(entry.seq, entry.data) for entry in new])
        return self.keys.acknowledge(Head(dev, self.ep, last, new[-1].hash))

    def _first_difference(self, hwm: int) -> int | None:
        """The first place where the segment disagrees with what is held. The record before it is held to `prev`."""
        first, begin = self.segment.header.first_seq, self.segment.header.first_seq - 1
        claimed = {e.seq: e.hash for e in self.entries if e.seq <= hwm}
        if self.gap is None:
            claimed[begin] = self.segment.header.prev
        else:
            begin = self.gap.first - 1
        table = schema.records
        rows = self.connection.execute(
            sa.select(table.c.seq, table.c.hash).where(
                table.c.dev == self.device.dev,
                table.c.ep == self.ep,
                table.c.seq.between(begin, min(hwm, self.segment.last_seq)),
            )
        )
        held = {0: "0" * 64} | gaps.ends(self.connection, self.device.dev, self.ep)
        held |= {row.seq: row.hash for row in rows}
        if self.gap is not None and gaps.contradiction(self.gap, held, hwm):
            return first
        different = [seq for seq, digest in claimed.items() if held.get(seq) != digest]
        return max(min(different), first) if different else None

    def _append(self, new: list[Entry], shop: str, reg: str, unknown: int, certificate: KeyCertificate) -> None:
        dev, connection = self.device.dev, self.connection
        readings: list[Reading] = []
        bulk.insert(connection, schema.records, self._rows(new, shop, reg, readings))
        rows = projection.merged(reading.rows for reading in readings)
        projection.insert(connection, rows)
        business.check(connection, self.now_ms, rows)
        connection.execute(
            schema.signatures.insert().values(dev=dev, ep=self.ep, seq=new[-1].seq, signature=self.segment.signature)
        )
        self._advance(new[-1], unknown + sum(reading.problem is not None for reading in readings), certificate)
        self._numbers(readings, shop, reg)

    def _rows(self, new: list[Entry], shop: str, reg: str, readings: list[Reading]) -> Iterator[bulk.Row]:
        """The journal's rows; what was read of each is left in `readings`."""
        dev, ep, now_ms = self.device.dev, self.ep, self.now_ms
        for entry in new:
            reading = interpret(entry.data, shop, reg, now_ms)
            readings.append(reading)
            yield dev, ep, entry.seq, entry.hash, reading.typ, now_ms, reading.problem, entry.data

    def _advance(self, last: Entry, unknown: int, certificate: KeyCertificate) -> None:
        table = schema.epochs
        self.connection.execute(
            table.update()
            .where(table.c.dev == self.device.dev, table.c.ep == self.ep)
            .values(
                hwm=last.seq,
                hash=last.hash,
                uninterpreted=unknown,
                certificate=msgspec.json.encode(certificate).decode(),
            )
        )

    def _numbers(self, readings: list[Reading], shop: str, reg: str) -> None:
        """The register's series, so that a replacement device goes on with them."""
        table = schema.registers
        sale_no = max(reading.sale_no for reading in readings)
        receipt_no = max(reading.receipt_no for reading in readings)
        for column, value in ((table.c.last_sale_no, sale_no), (table.c.last_receipt_no, receipt_no)):
            if 0 < value <= _MAX_NUMBER:  # beyond it the register's next device could not number a sale
                self.connection.execute(
                    table.update()
                    .where(table.c.shop == shop, table.c.reg == reg, column < value)
                    .values({column: value})
                )
        offsets = [reading.tzo for reading in readings if reading.tzo is not None]
        if offsets:
            kiosks = schema.kiosks
            self.connection.execute(
                kiosks.update().where(kiosks.c.dev == self.device.dev).values(tzo=min(max(offsets[-1], -1440), 1440))
            )

    def _quarantine(self, entries: list[Entry], reason: str, text: str) -> None:
        """Verified records that have no place in the log are kept beside it, each once."""
        table = schema.quarantine
        for entry in entries:
            values = {"dev": self.device.dev, "ep": self.ep, "seq": entry.seq, "hash": entry.hash}
            held = sa.select(table.c.seq).where(*(table.c[name] == value for name, value in values.items()))
            if self.connection.scalar(held) is None:
                self.connection.execute(
                    table.insert().values(
                        **values,
                        reason=reason,
                        received_ms=self.now_ms,
                        signature=self.segment.signature,
                        data=entry.data,
                    )
                )
        if entries:
            first = entries[0].seq
            raise_alarm(self.connection, self.now_ms, self.device.dev, reason, self.ep, first, text)
