"""What a journal says of itself, beside the gap record: its epochs, its keys, the backend's key."""

import msgspec

from kiosk.records.identity import CosignChange, KeyCertificate
from kiosk.records.journal import GENESIS, Record

EPOCH = "journal.epoch"
KEY = "journal.key"
COSIGN = "journal.cosign"
FENCED = "journal.fenced"
PREFIX = "journal."
# A provisional epoch's number is at least one and at most this much above the one before.
EPOCH_SPREAD = 10_000
MAX_EPOCH = 2**22 - 1


class Place(msgspec.Struct, frozen=True):
    """A head, of the device that the record is of."""

    ep: int = 0
    seq: int = 0
    hash: str = GENESIS


class EpochBegun(msgspec.Struct, frozen=True):
    """First record of an epoch that the lane began by itself. `previous`: where the epoch before it ended, as the head
    anchor or a counter-signature knows; `file`: where it ends in the file that was found. `skip`: by how much the sale
    and receipt numbers go on ahead, because records that used some may be lost. `reason`: `cut_tail`, `rewritten`,
    `missing`, `file`, `fork`, `key`; `why` is for people. `aside`: the name that the damaged file was given."""

    provisional: bool
    reason: str
    previous: Place
    file: Place
    skip: int = 0
    why: str = ""
    aside: str = ""


class KeyChanged(msgspec.Struct, frozen=True):
    """Signed by the old key; every record after it is signed by the key of `certificate`."""

    certificate: KeyCertificate


class CosignChanged(msgspec.Struct, frozen=True):
    """From here on only counter-signatures by the last of these keys are taken."""

    changes: tuple[CosignChange, ...]


class Fenced(msgspec.Struct, frozen=True):
    """The backend takes no more records of this epoch: nothing is sold in it."""

    why: str


def read_epoch(record: Record) -> EpochBegun | None:
    """None when the record does not begin a provisional epoch."""
    if record.typ != EPOCH or record.seq != 1:
        return None
    try:
        begun = msgspec.convert(record.body, EpochBegun)
    except msgspec.ValidationError:
        return None
    return begun if begun.provisional else None


def read_key(record: Record) -> KeyCertificate | None:
    """The new certificate, if the record changes the journal key of its own epoch."""
    if record.typ != KEY:
        return None
    try:
        certificate = msgspec.convert(record.body, KeyChanged).certificate
    except msgspec.ValidationError:
        return None
    return certificate if (certificate.dev, certificate.ep) == (record.dev, record.ep) else None
