"""What is checked before a journal is appended to.

From the last acknowledged record on, every record's place, chain and signature is verified; what lies before was
verified by the backend, whose counter-signature over it is kept. A lane that was offline for long stays quick to
start: at most CHAIN_LIMIT records are walked and the last SIGNATURE_LIMIT signatures checked (the newest signature
covers the whole chain before it). `kassa-journal verify` checks everything.
"""

from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal.database import Database
from kiosk.journal.errors import Damaged, WrongJournal
from kiosk.records.identity import Acknowledgement, BadIdentity, KeyCertificate, check_acknowledgement, public_key
from kiosk.records.journal import GENESIS, BadRecord, Head, check_signature, leaf_hash

CHAIN_LIMIT = 100_000
SIGNATURE_LIMIT = 5_000


class _Place(msgspec.Struct):
    dev: str
    ep: int
    seq: int
    prev: str


_places = msgspec.json.Decoder(_Place)


@dataclass(frozen=True)
class Opened:
    """What the opened file holds. `heads` and `acknowledged` by epoch; `checked` records were verified."""

    heads: dict[int, Head]
    acknowledged: dict[int, Acknowledgement]
    certificates: dict[int, KeyCertificate]
    checked: int


def inspect(database: Database, dev: str, cosign_key: Ed25519PublicKey, anchor: Head | None) -> Opened:
    """Reads only. Raises Damaged with the first bad record, WrongJournal when it is another device's."""
    certificates = {ep: _certificate(ep, text, dev) for ep, text in database.certificates().items()}
    newest_ep, newest_seq = database.last_place()
    if newest_ep not in certificates and newest_seq:
        raise Damaged("no_certificate", newest_ep, 0, "the certificate of its journal key is missing")
    acknowledged = {}
    for ep, text in database.acknowledgements().items():
        acknowledged[ep] = _acknowledged(database, dev, ep, text, cosign_key)
    heads, checked = {}, 0
    for ep, certificate in certificates.items():
        heads[ep], count = _walk(database, certificate, acknowledged.get(ep))
        checked += count
    if anchor is not None:
        _compare_anchor(database, dev, anchor, heads)
    return Opened(heads, acknowledged, certificates, checked)


def _certificate(ep: int, text: bytes, dev: str) -> KeyCertificate:
    try:
        certificate = msgspec.json.decode(text, type=KeyCertificate)
        public_key(certificate.key)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadIdentity) as error:
        raise Damaged("bad_certificate", ep, 0, f"the certificate of its journal key is unreadable: {error}") from None
    if certificate.dev != dev:
        raise WrongJournal(f"the journal is of device {certificate.dev!r}, this lane is {dev!r}")
    return certificate


def _acknowledged(database: Database, dev: str, ep: int, text: bytes, cosign_key: Ed25519PublicKey) -> Acknowledgement:
    try:
        ack = msgspec.json.decode(text, type=Acknowledgement)
        check_acknowledgement(cosign_key, dev, ep, ack)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadIdentity) as error:
        raise Damaged("bad_acknowledgement", ep, 0, f"its stored acknowledgement does not verify: {error}") from None
    found = database.find(ep, ack.hwm)
    if found is None:
        last = database.last(ep)
        have = 0 if last is None else last[0]
        raise Damaged("cut_tail", ep, have + 1, f"the backend has acknowledged record {ack.hwm}, the file ends before")
    if leaf_hash(found[0]) != ack.hash:
        raise Damaged("not_acknowledged", ep, ack.hwm, "it is not the record that the backend has counter-signed")
    return ack


def _walk(database: Database, certificate: KeyCertificate, ack: Acknowledgement | None) -> tuple[Head, int]:
    """Verify an epoch's records after the acknowledged one; its head and how many were walked."""
    dev, ep = certificate.dev, certificate.ep
    last = database.last(ep)
    start = Head(dev, ep, 0, GENESIS) if ack is None else Head(dev, ep, ack.hwm, ack.hash)
    if last is None:
        return start, 0
    if last[0] - start.seq > CHAIN_LIMIT:
        start = _hashed(database, dev, ep, last[0] - CHAIN_LIMIT)
    key, head, count = public_key(certificate.key), start, 0
    signed_from = last[0] - SIGNATURE_LIMIT
    for seq, data, signature in database.rows(ep, start.seq):
        head = _step(head, seq, data)
        count += 1
        if seq > signed_from:
            try:
                check_signature(key, head.hash, signature)
            except BadRecord as error:
                raise Damaged(error.kind, ep, seq, str(error)) from None
    return head, count


def _hashed(database: Database, dev: str, ep: int, seq: int) -> Head:
    found = database.find(ep, seq)
    if found is None:
        raise Damaged("gap", ep, seq, "the record is missing")
    return Head(dev, ep, seq, leaf_hash(found[0]))


def _step(head: Head, seq: int, data: bytes) -> Head:
    if seq != head.seq + 1:
        raise Damaged("gap", head.ep, head.seq + 1, f"the record is missing; number {seq} comes next")
    try:
        at = _places.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("not_canonical", head.ep, seq, f"the record is unreadable: {error}") from None
    if (at.dev, at.ep, at.seq) != (head.dev, head.ep, seq):
        raise Damaged("misplaced", head.ep, seq, f"the record says it is {at.dev!r}, epoch {at.ep}, number {at.seq}")
    if at.prev != head.hash:
        raise Damaged("broken_chain", head.ep, seq, f"it does not follow the hash of record {head.seq}")
    return Head(head.dev, head.ep, seq, leaf_hash(data))


def _compare_anchor(database: Database, dev: str, anchor: Head, heads: dict[int, Head]) -> None:
    if anchor.dev != dev or anchor.seq == 0:
        return
    head = heads.get(anchor.ep)
    if head is None or head.seq < anchor.seq:
        have = 0 if head is None else head.seq
        raise Damaged(
            "cut_tail",
            anchor.ep,
            have + 1,
            f"the head anchor has seen record {anchor.seq}: the file was cut or put back",
        )
    found = database.find(anchor.ep, anchor.seq)
    if found is None or leaf_hash(found[0]) != anchor.hash:
        raise Damaged("rewritten", anchor.ep, anchor.seq, "it is not the record that the head anchor has seen")
