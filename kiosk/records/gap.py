"""The gap record: a lane's signed word that some of its own stored records are damaged, and how the chain goes on.

A gap is one unbroken range of records of one epoch. Nothing in it is deleted or changed; who reads, replays or verifies
steps over exactly this range. It is named by the record before it (`before`), by what the record after it says as its
`prev` (`after_prev`), and by the bytes that are stored there now. Whoever steps over it takes them on the word of the
journal key that signed the gap record, which lies after the range or in a later epoch.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from kiosk.records.identity import BadIdentity, KeyCertificate, check_certificate, unb64
from kiosk.records.journal import GENESIS, BadRecord, Record, check_signature, decode, leaf_hash

GAP = "journal.gap"
MAX_GAP_RECORDS = 100_000
# What of the damaged bytes goes up with a segment.
MAX_DAMAGED_BYTES = 128 * 1024
_HEX = frozenset("0123456789abcdef")


class BadGap(ValueError):
    """A gap record that is not to be believed; the text says why."""


class Gap(msgspec.Struct, frozen=True):
    """The body of a gap record. `before`: leaf hash of record `first` - 1. `after_prev`: the `prev` of record
    `last` + 1. `sha256`: of the stored rows of the range, see `rows_digest`. `kind` and `why`: what was found."""

    ep: int
    first: int
    last: int
    before: str
    after_prev: str
    sha256: str
    kind: str
    why: str


class Damaged(msgspec.Struct, frozen=True):
    """One stored row of the range. `data`, `signature`: base64 of what lies there."""

    seq: int
    data: str
    signature: str


class GapNotice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gap record on its way, with all that verifies it. `record`: its exact text; `signature`: base64, by the key of
    `certificate`. `damaged`: the rows of the range, where they are few enough; what they hold is not verified."""

    record: str
    signature: str
    certificate: KeyCertificate
    damaged: tuple[Damaged, ...] = ()


def read_gap(record: Record) -> Gap:
    """Raises BadGap."""
    try:
        gap = msgspec.convert(record.body, Gap)
    except msgspec.ValidationError as error:
        raise BadGap(f"the gap record's body is wrong: {error}") from None
    if not 1 <= gap.first <= gap.last or gap.last - gap.first >= MAX_GAP_RECORDS:
        allowed = f"1 to {MAX_GAP_RECORDS} records are allowed"
        raise BadGap(f"the gap record names records {gap.first} to {gap.last}; {allowed}")
    if (gap.ep, gap.last) >= (record.ep, record.seq):
        raise BadGap(f"a gap record lies after what it names, not at epoch {record.ep}, record {record.seq}")
    for digest in (gap.before, gap.after_prev, gap.sha256):
        if len(digest) != len(GENESIS) or not set(digest) <= _HEX:
            raise BadGap("the gap record names something that is no SHA-256")
    return gap


def check_notice(notice: GapNotice, dev: str, identity_key: str) -> Gap:
    """What the notice says, signed by a journal key that the device's identity key has certified. Raises BadGap."""
    data = notice.record.encode("utf-8", "surrogatepass")
    try:
        record = decode(data)
        if notice.certificate.dev != dev or (record.dev, record.ep) != (dev, notice.certificate.ep):
            raise BadGap("the gap record, or the certificate of its key, is of another device or epoch")
        if record.typ != GAP:
            raise BadGap(f"a record of type {record.typ!r} is no gap record")
        key = check_certificate(notice.certificate, identity_key)
        check_signature(key, leaf_hash(data), unb64(notice.signature))
    except (BadRecord, BadIdentity) as error:
        raise BadGap(f"the gap record does not verify: {error}") from None
    return read_gap(record)


def rows_digest(rows: Iterable[tuple[int, bytes, bytes]]) -> str:
    """SHA-256 over the stored rows of a range in order, each as its number (8 bytes), and its data and its signature
    with their lengths (4 bytes) before them. A row that is missing is not there, so it changes the digest."""
    digest = hashlib.sha256()
    for seq, data, signature in rows:
        digest.update(seq.to_bytes(8, "big"))
        for part in (data, signature):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()
