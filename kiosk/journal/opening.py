"""What is checked before a journal is appended to.

From the last acknowledged record on, every record's place, chain and signature is verified; what lies before was
verified by the backend, whose counter-signature over it is kept. A lane that was offline for long stays quick to
start: at most CHAIN_LIMIT records are walked and the last SIGNATURE_LIMIT signatures checked (the newest signature
covers the whole chain before it). `kassa-journal verify` checks everything.

Where a record does not verify, the whole epoch is surveyed for the smallest ranges that do not.
"""

from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal import landmarks
from kiosk.journal.database import Database
from kiosk.journal.errors import Damaged, WrongJournal
from kiosk.journal.landmarks import Landmarks
from kiosk.journal.recovery import Departure, place
from kiosk.journal.survey import Range, step, survey
from kiosk.records.gap import Gap, rows_digest
from kiosk.records.identity import Acknowledgement, BadIdentity, KeyCertificate, check_acknowledgement, public_key
from kiosk.records.journal import GENESIS, BadRecord, Head, check_signature, leaf_hash
from kiosk.records.lifecycle import Place

CHAIN_LIMIT = 100_000
SIGNATURE_LIMIT = 5_000


@dataclass
class Opened:
    """What the opened file holds. `heads` and `acknowledged` by epoch; `checked` records were verified.

    With `mend`: `damage`, ranges that no gap record declares yet, and `departure`, why no record may follow the newest
    head."""

    landmarks: Landmarks
    acknowledged: dict[int, Acknowledgement] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)
    checked: int = 0
    damage: list[Gap] = field(default_factory=list)
    departure: Departure | None = None


def inspect(
    database: Database,
    dev: str,
    cosign_key: Ed25519PublicKey,
    anchor: Head | None,
    identity_key: str = "",
    *,
    mend: bool = False,
) -> Opened:
    """Reads only. Raises WrongJournal when it is another device's; Damaged with the first bad record, with `mend`
    only for what no gap record and no new epoch can mend."""
    certificates = {ep: _certificate(ep, text, dev) for ep, text in database.certificates().items()}
    newest_ep, newest_seq = database.last_place()
    if newest_ep not in certificates and newest_seq:
        raise Damaged("no_certificate", newest_ep, 0, "the certificate of its journal key is missing")
    marks = landmarks.read(database, certificates, cosign_key, identity_key)
    if anchor is not None and (anchor.dev != dev or anchor.seq == 0):
        anchor = None
    opened = Opened(marks)
    for ep, text in database.acknowledgements().items():
        try:
            opened.acknowledged[ep] = _acknowledged(dev, ep, text, cosign_key)
        except Damaged:
            if not mend:
                raise
    for ep in certificates:
        _Epoch(database, opened, ep, anchor, newest=ep == max(certificates), mend=mend).open()
    if anchor is not None and opened.departure is None:
        _compare_anchor(database, anchor, opened, mend=mend)
    return opened


def undeclared(
    database: Database, marks: Landmarks, ack: Acknowledgement | None, head: Head, *, newest: bool
) -> list[Gap]:
    """What is damaged in an epoch of an open journal, and was not noticed when it was opened. Reads all of it."""
    found = Opened(marks, {} if ack is None else {head.ep: ack})
    _Epoch(database, found, head.ep, head, newest=newest, mend=True).survey("")
    return found.damage


def _certificate(ep: int, text: bytes, dev: str) -> KeyCertificate:
    try:
        certificate = msgspec.json.decode(text, type=KeyCertificate)
        public_key(certificate.key)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadIdentity) as error:
        raise Damaged("bad_certificate", ep, 0, f"the certificate of its journal key is unreadable: {error}") from None
    if certificate.dev != dev:
        raise WrongJournal(f"the journal is of device {certificate.dev!r}, this lane is {dev!r}")
    return certificate


def _acknowledged(dev: str, ep: int, text: bytes, cosign_key: Ed25519PublicKey) -> Acknowledgement:
    try:
        ack = msgspec.json.decode(text, type=Acknowledgement)
        check_acknowledgement(cosign_key, dev, ep, ack)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadIdentity) as error:
        raise Damaged("bad_acknowledgement", ep, 0, f"its stored acknowledgement does not verify: {error}") from None
    return ack


@dataclass
class _Epoch:
    """The inspection of one epoch, whose results go into `opened`."""

    database: Database
    opened: Opened
    ep: int
    anchor: Head | None
    newest: bool
    mend: bool

    def open(self) -> None:
        try:
            start = self._acknowledged_start()
            head, count = self._walk(start)
        except Damaged as error:
            if not self.mend:
                raise
            head, count = self.survey(str(error))
        self.opened.heads[self.ep] = head
        self.opened.checked += count

    @property
    def _dev(self) -> str:
        return self.opened.landmarks.keys[self.ep].newest.dev

    def _acknowledged_start(self) -> Head:
        """Where the walk begins. Raises Damaged when the file does not hold what the backend has acknowledged."""
        ack = self.opened.acknowledged.get(self.ep)
        if ack is None or ack.hwm == 0:
            return Head(self._dev, self.ep, 0, GENESIS)
        if (gap := self.opened.landmarks.gap_at(self.ep, ack.hwm)) is not None:
            return Head(self._dev, self.ep, gap.last, gap.after_prev)
        found = self.database.find(self.ep, ack.hwm)
        if found is None:
            last = self.database.last(self.ep)
            have = 0 if last is None else last[0]
            why = f"the backend has acknowledged record {ack.hwm}, the file ends before"
            raise Damaged("cut_tail", self.ep, have + 1, why)
        if leaf_hash(found[0]) != ack.hash:
            why = "it is not the record that the backend has counter-signed"
            raise Damaged("not_acknowledged", self.ep, ack.hwm, why)
        return Head(self._dev, self.ep, ack.hwm, ack.hash)

    def _walk(self, start: Head) -> tuple[Head, int]:
        """Verify the records after `start`; the epoch's head and how many were walked. Raises Damaged."""
        ep, keys = self.ep, self.opened.landmarks.keys[self.ep]
        last = self.database.last(ep)
        if last is None:
            return start, 0
        if last[0] - start.seq > CHAIN_LIMIT:
            start = self._hashed(last[0] - CHAIN_LIMIT)
        head, count = start, 0
        signed_from = last[0] - SIGNATURE_LIMIT
        over = {first: declared.gap for (at, first), declared in self.opened.landmarks.gaps.items() if at == ep}
        for seq, data, signature in self.database.rows(ep, start.seq):
            if (gap := over.get(head.seq + 1)) is not None and gap.before == head.hash:
                head = Head(head.dev, ep, gap.last, gap.after_prev)
            if seq <= head.seq:
                continue
            try:
                head = step(head, seq, data)
                count += 1
                if seq > signed_from:
                    check_signature(keys.at(seq), head.hash, signature)
            except BadRecord as error:
                at = head.seq + 1 if error.kind == "gap" else seq
                raise Damaged(error.kind, ep, at, str(error)) from None
        for gap in over.values():
            if gap.last == head.seq >= last[0] and not self.newest:
                head = Head(head.dev, ep, gap.first - 1, gap.before)
        return head, count

    def _hashed(self, seq: int) -> Head:
        if (gap := self.opened.landmarks.gap_at(self.ep, seq)) is not None:
            return Head(self._dev, self.ep, gap.last, gap.after_prev)
        found = self.database.find(self.ep, seq)
        if found is None:
            raise Damaged("gap", self.ep, seq, "the record is missing")
        return Head(self._dev, self.ep, seq, leaf_hash(found[0]))

    # Only with `mend`

    def survey(self, why: str) -> tuple[Head, int]:
        """Every record of the epoch, every signature: which ranges have to be stepped over, and whether the file is
        an older one than the backend knows."""
        keys, ack = self.opened.landmarks.keys[self.ep], self.opened.acknowledged.get(self.ep)
        head = start = Head(self._dev, self.ep, 0, GENESIS)
        ranges: list[Range] = []
        for found in survey(self.database.rows(self.ep, 0), start, keys):
            if isinstance(found, Head):
                head = found
            else:
                ranges.append(found)
        last = ranges[-1] if ranges and ranges[-1].first == head.seq + 1 else None
        if last is not None and self.newest:
            # The next record will be the gap record itself; what is best known stands in for the hash before it.
            head = Head(head.dev, head.ep, last.last, self._tail_hash(last))
        for item in ranges:
            self._found(item, head.hash if item is last else item.after_prev)
        if ack is not None and self.newest:
            stored = self.database.find(self.ep, ack.hwm)
            in_range = any(item.first <= ack.hwm <= item.last for item in ranges)
            if head.seq < ack.hwm or (not in_range and (stored is None or leaf_hash(stored[0]) != ack.hash)):
                reason = "cut_tail" if head.seq < ack.hwm else "rewritten"
                self._depart(reason, why, Place(self.ep, ack.hwm, ack.hash), head)
        return head, head.seq

    def _tail_hash(self, tail: Range) -> str:
        ack = self.opened.acknowledged.get(self.ep)
        if ack is not None and ack.hwm == tail.last:
            return ack.hash
        if self.anchor is not None and (self.anchor.ep, self.anchor.seq) == (self.ep, tail.last):
            return self.anchor.hash
        return tail.before

    def _found(self, item: Range, after_prev: str) -> None:
        declared = self.opened.landmarks.gaps.get((self.ep, item.first))
        if declared is not None and declared.gap.last == item.last and declared.gap.before == item.before:
            return
        digest = rows_digest(self.database.range(self.ep, item.first, item.last))
        gap = Gap(self.ep, item.first, item.last, item.before, after_prev or item.before, digest, item.kind, item.why)
        self.opened.damage.append(gap)

    def _depart(self, reason: str, why: str, previous: Place, head: Head) -> None:
        if self.anchor is not None and (self.anchor.ep, self.anchor.seq) > (previous.ep, previous.seq):
            previous = place(self.anchor)
        self.opened.departure = Departure(reason, why, previous, place(head))


def _compare_anchor(database: Database, anchor: Head, opened: Opened, *, mend: bool) -> None:
    head = opened.heads.get(anchor.ep)
    if head is None or head.seq < anchor.seq:
        have = 0 if head is None else head.seq
        why = f"the head anchor has seen record {anchor.seq}: the file was cut or put back"
        error = Damaged("cut_tail", anchor.ep, have + 1, why)
    elif _in_gap(opened, anchor) or (
        (found := database.find(anchor.ep, anchor.seq)) and leaf_hash(found[0]) == anchor.hash
    ):
        return
    else:
        why = "it is not the record that the head anchor has seen"
        error = Damaged("rewritten", anchor.ep, anchor.seq, why)
    newest = max(opened.heads, default=0)
    if not mend:
        raise error
    if anchor.ep >= newest:
        opened.departure = Departure(error.kind, str(error), place(anchor), place(opened.heads.get(newest)))


def _in_gap(opened: Opened, anchor: Head) -> bool:
    if opened.landmarks.gap_at(anchor.ep, anchor.seq) is not None:
        return True
    return any(gap.ep == anchor.ep and gap.first <= anchor.seq <= gap.last for gap in opened.damage)
