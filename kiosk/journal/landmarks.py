"""The records that say how others are to be read, each verified before it is believed: gaps, keys, counter-signing."""

from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal.database import Database
from kiosk.journal.survey import Keys
from kiosk.records.gap import GAP, BadGap, Gap, read_gap, rows_digest
from kiosk.records.identity import BadIdentity, KeyCertificate, changed, check_certificate
from kiosk.records.journal import BadRecord, Record, check_signature, decode, leaf_hash
from kiosk.records.lifecycle import COSIGN, FENCED, KEY, CosignChanged, Fenced, read_epoch, read_key


@dataclass(frozen=True)
class DeclaredGap:
    """A gap, and the record that declares it."""

    gap: Gap
    ep: int
    seq: int
    data: bytes
    signature: bytes


@dataclass
class Landmarks:
    """`keys` by epoch. `cosign`: the backend's key now. `gaps` by epoch and first record. `fenced`: why nothing is sold
    in an epoch any more. `provisional`: the epochs that the lane began by itself."""

    keys: dict[int, Keys]
    cosign: Ed25519PublicKey
    gaps: dict[tuple[int, int], DeclaredGap] = field(default_factory=dict)
    fenced: dict[int, str] = field(default_factory=dict)
    provisional: set[int] = field(default_factory=set)

    def gap_at(self, ep: int, seq: int) -> Gap | None:
        """The gap in which a record lies; the widest, if it was declared again with its neighbours."""
        found = [
            item.gap for item in self.gaps.values() if item.gap.ep == ep and item.gap.first <= seq <= item.gap.last
        ]
        return max(found, key=lambda gap: gap.last - gap.first, default=None)


def read(
    database: Database, certificates: dict[int, KeyCertificate], cosign: Ed25519PublicKey, identity_key: str
) -> Landmarks:
    """What does not verify is passed over: then the records that need it do not verify either, and are found so."""
    found = Landmarks({ep: Keys(certificate) for ep, certificate in certificates.items()}, cosign)
    for ep, seq, typ, text in database.landmarks():
        if ep not in found.keys:
            continue
        row = database.find(ep, seq)
        record = None if row is None else _verified(found, ep, seq, *row)
        if typ == KEY:
            certificate = (read_key(record) if record is not None else None) or _certified(text, identity_key)
            if certificate is not None and (certificate.dev, certificate.ep) == (certificates[ep].dev, ep):
                found.keys[ep].change(seq + 1, certificate)
        elif record is not None and row is not None:
            _take(database, found, record, *row)
    return found


def _take(database: Database, found: Landmarks, record: Record, data: bytes, signature: bytes) -> None:
    try:
        if record.typ == COSIGN:
            found.cosign = changed(found.cosign, msgspec.convert(record.body, CosignChanged).changes)
        elif record.typ == GAP:
            gap = read_gap(record)
            if gap.sha256 == rows_digest(database.range(gap.ep, gap.first, gap.last)):
                found.gaps[gap.ep, gap.first] = DeclaredGap(gap, record.ep, record.seq, data, signature)
        elif record.typ == FENCED:
            found.fenced[record.ep] = msgspec.convert(record.body, Fenced).why
        elif read_epoch(record) is not None:
            found.provisional.add(record.ep)
    except (BadGap, BadIdentity, msgspec.ValidationError):
        return


def _verified(found: Landmarks, ep: int, seq: int, data: bytes, signature: bytes) -> Record | None:
    try:
        record = decode(data)
        check_signature(found.keys[ep].at(seq), leaf_hash(data), signature)
    except BadRecord:
        return None
    return record if (record.ep, record.seq) == (ep, seq) else None


def _certified(text: str, identity_key: str) -> KeyCertificate | None:
    """Where the record of a key change is damaged, its certificate stands by itself."""
    try:
        certificate = msgspec.json.decode(text, type=KeyCertificate)
        check_certificate(certificate, identity_key)
    except (msgspec.MsgspecError, BadIdentity):
        return None
    return certificate
