"""A segment of a journal on its way to the backend: consecutive records and the signature of the last.

Framing: NDJSON (`application/x-ndjson`). The first line is a `SegmentHeader`, each further line is one record's exact
bytes; canonical JSON holds no line feed, so nothing is escaped and nothing is re-serialised.
"""

import msgspec

from kiosk.records.gap import GapNotice
from kiosk.records.identity import BadIdentity, KeyCertificate, unb64
from kiosk.records.journal import GENESIS, MAX_RECORD_BYTES

CONTENT_TYPE = "application/x-ndjson"
MAX_RECORDS = 1_000
MAX_SEGMENT_BYTES = 4 * 1024 * 1024
_MAX_HEADER_BYTES = 512 * 1024


class BadSegment(ValueError):
    """The bytes are no segment; the text says what is wrong and what is allowed."""


class SegmentHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """`prev`: the leaf hash before the first record. `signature`: base64, over the last record's leaf hash.

    `certificate` of the journal key comes with the first segment of an epoch, or when the backend asks for it.
    `ep`: of all its records; 0: what carries the segment says it. `gap`: the records just before `first_seq`
    are damaged on the lane; this says which.
    """

    first_seq: int
    prev: str
    signature: str
    certificate: KeyCertificate | None = None
    ep: int = 0
    gap: GapNotice | None = None


class SignedSegment(msgspec.Struct, frozen=True):
    """A segment taken apart; nothing of it is verified yet but its size and form."""

    header: SegmentHeader
    records: list[bytes]

    @property
    def last_seq(self) -> int:
        return self.header.first_seq + len(self.records) - 1

    @property
    def signature(self) -> bytes:
        return unb64(self.header.signature)


def frame(segment: SignedSegment) -> bytes:
    """The bytes to send."""
    return b"\n".join([msgspec.json.encode(segment.header), *segment.records]) + b"\n"


def unframe(data: bytes) -> SignedSegment:
    """Take a received segment apart. Raises BadSegment."""
    if len(data) > MAX_SEGMENT_BYTES:
        raise BadSegment(f"segment of {len(data)} bytes; at most {MAX_SEGMENT_BYTES} are allowed")
    if not data.endswith(b"\n"):
        raise BadSegment("the segment does not end with a line feed: it is cut off")
    first, *records = data[:-1].split(b"\n", MAX_RECORDS + 1)
    header = _header(first)
    if not 1 <= len(records) <= MAX_RECORDS:
        raise BadSegment(f"a segment holds 1 to {MAX_RECORDS} records, not {len(records)} (or more)")
    for number, record in enumerate(records, start=1):
        if not 1 <= len(record) <= MAX_RECORD_BYTES:
            raise BadSegment(f"record {number} has {len(record)} bytes; 1 to {MAX_RECORD_BYTES} are allowed")
    return SignedSegment(header, records)


def _header(line: bytes) -> SegmentHeader:
    if len(line) > _MAX_HEADER_BYTES:
        raise BadSegment(f"the segment's first line has {len(line)} bytes; at most {_MAX_HEADER_BYTES} are allowed")
    try:
        header = msgspec.json.decode(line, type=SegmentHeader)
        signature = unb64(header.signature)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadIdentity) as error:
        raise BadSegment(f"the segment's first line is wrong: {error}") from None
    if not 1 <= header.first_seq < 2**53:
        raise BadSegment(f"first_seq is {header.first_seq}; a number from 1 is allowed")
    if len(header.prev) != len(GENESIS) or not set(header.prev) <= set("0123456789abcdef"):
        raise BadSegment("prev is no leaf hash of 64 hex digits")
    if len(signature) != 64:
        raise BadSegment(f"the signature has {len(signature)} bytes; Ed25519 has 64")
    return header
