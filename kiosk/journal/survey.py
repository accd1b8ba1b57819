"""Which records of an epoch verify and which do not: the smallest ranges that have to be stepped over. Pure.

A record is *genuine* when it stands at the place that it names and its signature is by a key of the epoch. The chain is
taken up again at the first genuine record after a bad one; what lies between cannot be told from forgery, so it is the
range. A genuine record's `prev` is believed, for it is signed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.records.identity import KeyCertificate, public_key
from kiosk.records.journal import BadRecord, Head, check_signature, leaf_hash

Row = tuple[int, bytes, bytes]


class Place(msgspec.Struct):
    dev: str
    ep: int
    seq: int
    prev: str


_places = msgspec.json.Decoder(Place)


@dataclass(frozen=True)
class Range:
    """Records `first` to `last` do not verify. `before`: hash of the one before; `after_prev`: what the one after says
    as its `prev`, empty where there is none. `kind` is a stable word, `why` is for people."""

    first: int
    last: int
    before: str
    after_prev: str
    kind: str
    why: str


class Keys:
    """The certified keys of one epoch, each with the first record that it signs. Raises BadIdentity for no key."""

    def __init__(self, first: KeyCertificate) -> None:
        self._keys = [(1, first, public_key(first.key))]

    def change(self, from_seq: int, certificate: KeyCertificate) -> None:
        self._keys.append((from_seq, certificate, public_key(certificate.key)))

    def at(self, seq: int) -> Ed25519PublicKey:
        return next(key for from_seq, _, key in reversed(self._keys) if from_seq <= seq or from_seq == 1)

    def certificate(self, seq: int) -> KeyCertificate:
        return next(certified for from_seq, certified, _ in reversed(self._keys) if from_seq <= seq or from_seq == 1)

    def next_change(self, seq: int) -> int | None:
        """The first record after `seq` from which on another key signs."""
        return min((from_seq for from_seq, _, _ in tuple(self._keys[1:]) if from_seq > seq), default=None)

    @property
    def newest(self) -> KeyCertificate:
        return self._keys[-1][1]

    def signed(self, seq: int, leaf: str, signature: bytes) -> bool:
        try:
            check_signature(self.at(seq), leaf, signature)
        except BadRecord:
            return False
        return True


def step(head: Head, seq: int, data: bytes) -> Head:
    """Check the record's place in the chain, not its signature. Raises BadRecord."""
    if seq != head.seq + 1:
        raise BadRecord("gap", f"the record is missing; number {seq} comes next")
    at = _place(data)
    if (at.dev, at.ep, at.seq) != (head.dev, head.ep, seq):
        raise BadRecord("misplaced", f"the record says it is {at.dev!r}, epoch {at.ep}, number {at.seq}")
    if at.prev != head.hash:
        raise BadRecord("broken_chain", f"it does not follow the hash of record {head.seq}")
    return Head(head.dev, head.ep, seq, leaf_hash(data))


def _place(data: bytes) -> Place:
    try:
        return _places.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("not_canonical", f"the record is unreadable: {error}") from None


def genuine(head: Head, keys: Keys, row: Row) -> Place | None:
    """The record's own words, if it stands where it says and is signed. `head`: any of the epoch."""
    seq, data, signature = row
    try:
        at = _place(data)
    except BadRecord:
        return None
    if (at.dev, at.ep, at.seq) != (head.dev, head.ep, seq):
        return None
    return at if keys.signed(seq, leaf_hash(data), signature) else None


def survey(rows: Iterable[Row], start: Head, keys: Keys) -> Iterator[Range | Head]:
    """The ranges in order, and last of all the head that the chain ends with (before a range at the tail)."""
    head, bad, last = start, None, start.seq
    for row in rows:
        seq, data, signature = row
        if bad is None:
            try:
                following = step(head, seq, data)
                check_signature(keys.at(seq), following.hash, signature)
                head, last = following, seq
                continue
            except BadRecord as error:
                bad = error
        # Where records are missing, the chain may go on right here; a record that is bad itself is in the range.
        at = genuine(head, keys, row) if seq > head.seq + 1 else None
        if at is not None:
            yield Range(head.seq + 1, seq - 1, head.hash, at.prev, bad.kind, str(bad))
            head, bad = Head(head.dev, head.ep, seq, leaf_hash(data)), None
        last = seq
    if bad is not None:
        yield Range(head.seq + 1, last, head.hash, "", bad.kind, str(bad))
    yield head
