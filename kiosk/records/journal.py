"""The journal record: its header, its hash, its signature, and the rule of the chain.

A record is stored and sent as its exact canonical bytes, and those are what is verified; nothing is re-serialised.
`prev` is the leaf hash of the record before it; the first of an epoch names 64 zeros. Fields that this version does
not know are preserved and verify.
"""

import hashlib
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.records.canonical import NotCanonical, canonical, parse

SCHEMA = 1
VERSION = 1
GENESIS = "0" * 64
MAX_RECORD_BYTES = 1024 * 1024
_SIGNATURE_CONTEXT = b"kassa journal record v1\x00"


class BadRecord(ValueError):
    """A record that does not verify. `kind` is a stable word; the text says why in plain words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Actor(msgspec.Struct, frozen=True):
    """Who caused it. `kind`: customer, attendant, technician, system. `id`: an opaque reference, may be empty."""

    kind: str
    id: str = ""


class Header(msgspec.Struct, frozen=True):
    """Everything of a record but its body; see `domain.md` for the words.

    `mono_us`: microseconds of CLOCK_BOOTTIME within `boot`. (Nanoseconds would leave the canonical integer range
    after 104 days of uptime.) `wall_ms`: UTC milliseconds, `tzo`: offset in minutes, `clk`: what is known of the
    clock: `synced`, `unsynced`, `floor`. Order never depends on wall time.
    """

    v: int
    dev: str
    ep: int
    inc: str
    seq: int
    typ: str
    txn: str
    boot: str
    mono_us: int
    wall_ms: int
    tzo: int
    clk: str
    tenant: str
    shop: str
    reg: str
    mode: str
    actor: Actor
    bday: str
    sw: str
    schema: int
    prev: str


class Record(Header, frozen=True):
    """A decoded record. Unknown fields are not here, but they are in the bytes that were verified."""

    body: dict[str, Any]


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: the last record's number and leaf hash (hex). `seq` 0 and GENESIS: nothing yet."""

    dev: str
    ep: int
    seq: int
    hash: str


def encode(header: Header, body: object) -> bytes:
    """Canonical bytes of a record. Raises NotCanonical; BadRecord when longer than MAX_RECORD_BYTES."""
    fields = msgspec.structs.asdict(header)
    fields["body"] = body
    data = canonical(fields)
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecord("too_long", f"record of {len(data)} bytes; at most {MAX_RECORD_BYTES} are allowed")
    return data


def decode(data: bytes) -> Record:
    """Parse and check one record's bytes, without its place in the chain. Raises BadRecord."""
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecord("too_long", f"record of {len(data)} bytes; at most {MAX_RECORD_BYTES} are allowed")
    try:
        return msgspec.convert(parse(data), Record)
    except NotCanonical as error:
        raise BadRecord("not_canonical", f"the record {error}") from None
    except msgspec.ValidationError as error:
        raise BadRecord("bad_field", f"the record's fields are wrong: {error}") from None


def leaf_hash(data: bytes) -> str:
    """SHA-256(0x00 || bytes) in hex: the leaf hash of RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + data).hexdigest()


def sign(key: Ed25519PrivateKey, leaf: str) -> bytes:
    """64 bytes of Ed25519 (RFC 8032) over a context string and the leaf hash."""
    return key.sign(_SIGNATURE_CONTEXT + bytes.fromhex(leaf))


def check_signature(key: Ed25519PublicKey, leaf: str, signature: bytes) -> None:
    """Raises BadRecord when the signature is not by `key` over `leaf`."""
    try:
        key.verify(signature, _SIGNATURE_CONTEXT + bytes.fromhex(leaf))
    except InvalidSignature:
        raise BadRecord("bad_signature", "the signature is not by the certified journal key") from None


def follow(head: Head, data: bytes) -> tuple[Record, Head]:
    """Check that `data` is the record that comes after `head`; returns it and the new head. Raises BadRecord.

    The signature is checked apart, by `check_signature`.
    """
    record = decode(data)
    if record.dev != head.dev:
        raise BadRecord("foreign", f"the record is of device {record.dev!r}, expected {head.dev!r}")
    if record.ep != head.ep:
        raise BadRecord("epoch", f"the record is of epoch {record.ep}, expected {head.ep}")
    if record.seq != head.seq + 1:
        raise BadRecord("gap", f"the record has number {record.seq}, expected {head.seq + 1}")
    if record.prev != head.hash:
        raise BadRecord("broken_chain", f"record {record.seq} does not follow the hash of record {head.seq}")
    return record, Head(head.dev, head.ep, record.seq, leaf_hash(data))
