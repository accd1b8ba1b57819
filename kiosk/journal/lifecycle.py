"""What changes a journal's course: gap records, a new epoch, new keys, the end of service. Each is a record."""

from typing import Protocol

from kiosk.journal.errors import OutOfService, Refused
from kiosk.journal.landmarks import DeclaredGap, Landmarks
from kiosk.journal.recovery import Departure, JournalKey, Recovery, place
from kiosk.journal.writer import Landmark
from kiosk.records.canonical import canonical
from kiosk.records.gap import GAP, Gap
from kiosk.records.identity import Acknowledgement
from kiosk.records.journal import Head, leaf_hash
from kiosk.records.lifecycle import (
    COSIGN,
    EPOCH,
    EPOCH_SPREAD,
    FENCED,
    KEY,
    MAX_EPOCH,
    CosignChanged,
    EpochBegun,
    Fenced,
    KeyChanged,
    Place,
)


class Course(Protocol):
    """The journal, as far as its course is concerned."""

    landmarks: Landmarks

    @property
    def epochs(self) -> list[int]: ...

    def head(self, ep: int | None = None) -> Head: ...

    def stored(self, ep: int, seq: int) -> tuple[bytes, bytes] | None:
        """Exact bytes and signature of a record."""

    def enter(self, ep: int, key: JournalKey) -> None:
        """Sign with this key from the next record on."""

    @property
    def key(self) -> tuple[int, JournalKey] | None:
        """The epoch and key that sign now; None while the journal is being opened."""

    def leave(self, ep: int) -> None:
        """Forget an epoch that could not be begun."""

    def note(self, typ: str, body: object, landmark: Landmark) -> Head:
        """Append a record of the system's own."""


def depart(journal: Course, recovery: Recovery, departure: Departure) -> None:
    """Go on in a new, provisional epoch. Raises OutOfService when there is no key or no number for it, and what an
    append raises; then the journal is where it was."""
    before = max(journal.epochs, default=0)
    base = max(before, recovery.ring.newest(), departure.previous.ep)
    ep = base + 1 + recovery.below(EPOCH_SPREAD - 1)
    if ep > MAX_EPOCH:
        raise OutOfService(f"there is no number above epoch {base} for a new one; enrol the lane anew")
    try:
        key, certificate = recovery.ring.make(ep)
    except (OSError, ValueError) as error:
        raise OutOfService(f"{departure.why}; a key for a new epoch cannot be made: {error}") from None
    begun = EpochBegun(
        provisional=True,
        reason=departure.reason,
        previous=departure.previous,
        file=departure.file,
        skip=departure.skip,
        why=departure.why[:400],
        aside=departure.aside,
    )
    present = journal.key
    journal.enter(ep, (key, certificate))
    try:
        journal.note(EPOCH, begun, Landmark(EPOCH, canonical(certificate).decode(), begins=True))
    except BaseException:
        journal.leave(ep)
        if present is not None:
            journal.enter(*present)
        raise
    journal.landmarks.provisional.add(ep)


def declare(journal: Course, damage: list[Gap]) -> None:
    """A gap record for each range. A range at the very tail comes first, for its gap record follows it at once."""
    head = journal.head()
    for gap in sorted(damage, key=lambda gap: ((gap.ep, gap.last) != (head.ep, head.seq), gap.ep, gap.first)):
        at = journal.note(GAP, gap, Landmark(GAP))
        found = journal.stored(at.ep, at.seq)
        assert found is not None
        journal.landmarks.gaps[gap.ep, gap.first] = DeclaredGap(gap, at.ep, at.seq, *found)


def rotate(journal: Course, key: JournalKey) -> None:
    """Change the journal key within the epoch: the old key's last record names the new one. Raises Refused."""
    head, certificate = journal.head(), key[1]
    if (certificate.dev, certificate.ep) != (head.dev, head.ep):
        raise Refused(f"the new key is certified for {certificate.dev}, epoch {certificate.ep}")
    if certificate.key == journal.landmarks.keys[head.ep].newest.key:
        raise Refused("the new key is the present one")
    at = journal.note(KEY, KeyChanged(certificate), Landmark(KEY, canonical(certificate).decode()))
    journal.landmarks.keys[head.ep].change(at.seq + 1, certificate)
    journal.enter(head.ep, key)


def cosign_changed(journal: Course, ack: Acknowledgement) -> None:
    """Note that the backend counter-signs with another key; only that one counts from here on."""
    journal.note(COSIGN, CosignChanged(ack.changes), Landmark(COSIGN))


def forked(journal: Course, recovery: Recovery | None, ep: int, ack: Acknowledgement) -> int:
    """The backend has counter-signed a head (verified by the caller) that may contradict this journal: then it was
    restored or copied, and goes on in an epoch of its own. Returns by how much the numbers go ahead. Raises Refused
    when it does not contradict."""
    if ep != max(journal.epochs):
        raise Refused(f"epoch {ep} is over; the journal has gone on")
    if recovery is None:
        raise Refused("this journal cannot begin an epoch by itself")
    head = journal.head()
    if ack.hwm <= head.seq:
        found = journal.stored(ep, ack.hwm) if ack.hwm else None
        if found is None or not _contradicts(journal, ep, ack, found[0]):
            raise Refused(f"record {ack.hwm} of epoch {ep} is the one that the backend has counter-signed")
    why = f"the backend has counter-signed another record {ack.hwm} of epoch {ep}: this journal was restored or copied"
    departure = Departure("fork", why, Place(ep, ack.hwm, ack.hash), place(head))
    depart(journal, recovery, departure)
    return departure.skip


def _contradicts(journal: Course, ep: int, ack: Acknowledgement, data: bytes) -> bool:
    return leaf_hash(data) != ack.hash and journal.landmarks.gap_at(ep, ack.hwm) is None


def fence(journal: Course, why: str) -> None:
    """Nothing is sold in this epoch any more: the backend has given the register to another one."""
    ep = journal.head().ep
    if ep not in journal.landmarks.fenced:
        journal.note(FENCED, Fenced(why), Landmark(FENCED))
        journal.landmarks.fenced[ep] = why
