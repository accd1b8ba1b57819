"""Which journal key signs a segment: the epoch's first one, or one that a record of the journal has named since."""

from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from cloud import schema
from kiosk.records.identity import BadIdentity, KeyCertificate, check_certificate
from kiosk.records.journal import BadRecord, check_signature, decode
from kiosk.records.lifecycle import KEY, read_key
from kiosk.records.segment import SignedSegment

_MARK = b'"typ":"' + KEY.encode() + b'"'


@dataclass(frozen=True)
class Change:
    """From record `from_seq` on the epoch is signed by the key of `certificate`."""

    from_seq: int
    certificate: KeyCertificate


def at(connection: sa.Connection, dev: str, ep: int, seq: int, first: KeyCertificate) -> KeyCertificate:
    """The certificate of the key that signs record `seq`. `first`: of the epoch's first key."""
    table = schema.journal_keys
    here = sa.and_(table.c.dev == dev, table.c.ep == ep, table.c.from_seq <= seq)
    text = connection.scalar(sa.select(table.c.certificate).where(here).order_by(table.c.from_seq.desc()).limit(1))
    return first if text is None else msgspec.json.decode(text, type=KeyCertificate)


def keep(connection: sa.Connection, dev: str, ep: int, change: Change) -> None:
    table = schema.journal_keys
    place = {"dev": dev, "ep": ep, "from_seq": change.from_seq}
    held = sa.select(table.c.from_seq).where(*(table.c[name] == value for name, value in place.items()))
    if connection.scalar(held) is None:
        text = msgspec.json.encode(change.certificate).decode()
        connection.execute(table.insert().values(**place, certificate=text))


def named(records: list[bytes], first_seq: int, identity_key: str) -> Change | None:
    """The key change in these records, which must be the last of them: so its own signature by the old key is there.
    Raises BadIdentity."""
    for index, data in enumerate(records):
        if _MARK not in data:
            continue
        try:
            certificate = read_key(decode(data))
        except BadRecord:
            continue
        if certificate is None:
            continue
        if index != len(records) - 1:
            raise BadIdentity("a change of the journal key ends its segment, and this one does not")
        check_certificate(certificate, identity_key)
        return Change(first_seq + index + 1, certificate)
    return None


def after_gap(segment: SignedSegment, identity_key: str, leaf: str, ep: int) -> KeyCertificate | None:
    """The record that named the key may lie in the gap: then the key that signed the gap record is tried."""
    notice = segment.header.gap
    if notice is None or notice.certificate.ep != ep:
        return None
    try:
        check_signature(check_certificate(notice.certificate, identity_key), leaf, segment.signature)
    except (BadIdentity, BadRecord):
        return None
    return notice.certificate
