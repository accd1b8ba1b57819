"""Verification of a whole journal with nothing but its bytes and public keys. Pure: no file, no clock.

What it shows, and by what: a changed byte (signature), a record taken out, put in or moved (chain), a chain made anew
with another key (certificate), a chain cut or made anew with the stolen journal key (the backend's counter-signature,
as far as it reaches). What comes after the last counter-signature rests on the journal key alone.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal.entries import Bad, Entry
from kiosk.journal.stepping import Candidates, Declared, Range, no_candidates
from kiosk.journal.survey import Keys as JournalKeys
from kiosk.records.gap import GAP, BadGap, Gap, read_gap
from kiosk.records.identity import (
    Acknowledgement,
    BadIdentity,
    KeyCertificate,
    check_acknowledgement,
    check_certificate,
)
from kiosk.records.journal import GENESIS, BadRecord, Head, Record, check_signature, follow
from kiosk.records.lifecycle import EPOCH, KEY, read_epoch, read_key

__all__ = ["Bad", "Entry", "EpochReport", "GapReport", "Keys", "Report", "verify"]


@dataclass(frozen=True)
class Keys:
    """Public keys. `identity_key`: SubjectPublicKeyInfo of P-256 in base64. `dev`: empty when it is not known; the
    first certificate then says it."""

    identity_key: str
    cosign_key: Ed25519PublicKey
    dev: str = ""
    earlier_cosign_keys: tuple[Ed25519PublicKey, ...] = ()

    def check(self, dev: str, ep: int, ack: Acknowledgement) -> Head:
        """The head that was counter-signed, by the backend's key or one that this was changed for. Raises
        BadIdentity."""
        for earlier in self.earlier_cosign_keys:
            with suppress(BadIdentity):
                return check_acknowledgement(earlier, dev, ep, ack)
        return check_acknowledgement(self.cosign_key, dev, ep, ack)


@dataclass(frozen=True)
class GapReport:
    """Damaged records that the journal itself declares, by the gap record at `declared_ep`, `declared_seq`. `why`: what
    is wrong with the first of them, `kind` its stable word."""

    ep: int
    first_seq: int
    last_seq: int
    declared_ep: int
    declared_seq: int
    kind: str
    why: str


@dataclass
class EpochReport:
    """`first_seq` is more than 1 in an export of single days. `acknowledged_seq` 0: never counter-signed."""

    ep: int
    first_seq: int = 1
    last_seq: int = 0
    hash: str = GENESIS
    records: int = 0
    acknowledged_seq: int = 0


@dataclass
class Report:
    """`bad` is None when everything verifies but for declared `gaps`. `epochs` reach to where the verification
    ended."""

    dev: str
    records: int = 0
    epochs: list[EpochReport] = field(default_factory=list)
    gaps: list[GapReport] = field(default_factory=list)
    bad: Bad | None = None

    @property
    def ok(self) -> bool:
        return self.bad is None


class _Stop(Exception):
    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.why)
        self.bad = bad


class _Epoch:
    """Where verification stands within one epoch."""

    def __init__(
        self,
        keys: Keys,
        report: Report,
        certificate: KeyCertificate,
        ack: Acknowledgement | None,
        start: Head,
        declared: Declared,
        countersigned: Mapping[tuple[int, int], Acknowledgement],
        *,
        whole: bool,
    ) -> None:
        ep = certificate.ep
        self._whole, self._epochs = whole, report.epochs
        self.report = EpochReport(ep, first_seq=start.seq + 1, last_seq=start.seq, hash=start.hash)
        self._head, self._ack, self._declared, self._gaps = start, ack, declared, report.gaps
        self._trusted, self._countersigned = keys, countersigned
        self._identity_key = keys.identity_key
        self._range: Range | None = None
        try:
            if certificate.dev != report.dev:
                raise BadIdentity(f"the certificate is of device {certificate.dev!r}, expected {report.dev!r}")
            check_certificate(certificate, keys.identity_key)
            self._keys = JournalKeys(certificate)
            for seq, following in declared.changes_before(ep, start.seq + 1):
                self._keys.change(seq + 1, following)
        except BadIdentity as error:
            raise _Stop(Bad(ep, 0, "bad_certificate", str(error))) from None
        try:
            if ack is not None:
                keys.check(report.dev, ep, ack)
                self.report.acknowledged_seq = ack.hwm
        except BadIdentity as error:
            raise _Stop(Bad(ep, 0, "bad_acknowledgement", str(error))) from None

    def take(self, entry: Entry) -> None:
        if self._range is not None:
            if entry.seq <= self._range.gap.last:
                return self._inside(self._range, entry)
            self._over(self._range)
        bad = self._follow(entry)
        if bad is None:
            return
        found = self._declared.at(bad.ep, bad.seq)
        if found is None or found[0].before != self._head.hash:
            raise _Stop(bad)
        self._range = Range(found[0], self._head, self._keys, bad)
        self._gaps.append(_reported(*found, bad))
        self.take(entry)

    def _follow(self, entry: Entry) -> Bad | None:
        """Take the record as the next one; why it is not, if it is not."""
        expected = self._head.seq + 1
        if entry.seq != expected:
            why = f"the record is missing; number {entry.seq} comes next in the file"
            return self._bad(expected, "gap", why)
        try:
            record, head = follow(self._head, entry.data)
            check_signature(self._keys.at(entry.seq), head.hash, entry.signature)
        except BadRecord as error:
            return self._bad(expected, error.kind, str(error))
        if self._ack is not None and self._ack.hwm == head.seq and self._ack.hash != head.hash:
            why = "the backend has counter-signed another record here: this one, or one before it, was rewritten"
            return self._bad(expected, "not_acknowledged", why)
        if (ack := self._countersigned.get((head.ep, head.seq))) is not None:
            self._check_countersignature(ack, head)
        if record.typ == KEY:
            self._change_key(record)
        elif record.typ == GAP:
            self._check_gap(record)
        elif record.typ == EPOCH and self._whole:
            self._check_begun(record)
        self._head = head
        self.report.last_seq, self.report.hash = head.seq, head.hash
        self.report.records += 1
        return None

    def _check_countersignature(self, ack: Acknowledgement, head: Head) -> None:
        """One of those that are kept beside the last."""
        try:
            signed = self._trusted.check(head.dev, head.ep, ack)
        except BadIdentity as error:
            raise _Stop(self._bad(head.seq, "bad_acknowledgement", str(error))) from None
        if signed.hash != head.hash:
            raise _Stop(self._bad(head.seq, "not_acknowledged", "the backend has counter-signed another record here"))
        self.report.acknowledged_seq = max(self.report.acknowledged_seq, head.seq)

    def _change_key(self, record: Record) -> None:
        certificate = read_key(record)
        try:
            if certificate is None:
                raise BadIdentity("the record names no key of its epoch")
            check_certificate(certificate, self._identity_key)
            self._keys.change(record.seq + 1, certificate)
        except BadIdentity as error:
            raise _Stop(self._bad(record.seq, "bad_key", f"the change of the journal key: {error}")) from None

    def _check_begun(self, record: Record) -> None:
        """A lane that began an epoch by itself has said where the file ended then."""
        begun = read_epoch(record)
        if begun is None or begun.file.seq == 0:
            return
        last = next((epoch.last_seq for epoch in self._epochs if epoch.ep == begun.file.ep), 0)
        if last < begun.file.seq:
            why = f"record {record.seq} of epoch {record.ep} says that the file held records up to {begun.file.seq}"
            raise _Stop(Bad(begun.file.ep, last + 1, "cut_tail", why))

    def _check_gap(self, record: Record) -> None:
        """A gap record that declares what is whole is a lie, or the work of a thief with the key."""
        try:
            gap = read_gap(record)
        except BadGap as error:
            raise _Stop(self._bad(record.seq, "bad_gap", str(error))) from None
        verified = gap.ep == self.report.ep and gap.first >= self.report.first_seq
        if verified and not any(
            found.ep == gap.ep and found.first_seq <= gap.first and gap.last <= found.last_seq for found in self._gaps
        ):
            why = f"it declares records {gap.first} to {gap.last} of epoch {gap.ep} damaged, and they are whole"
            raise _Stop(self._bad(record.seq, "gap_unfounded", why))

    def _inside(self, found: Range, entry: Entry) -> None:
        if (bad := found.take(entry)) is not None:
            raise _Stop(bad)

    def _over(self, found: Range) -> None:
        """The range has passed: the chain goes on after it."""
        if (bad := found.end()) is not None:
            raise _Stop(bad)
        gap, self._range = found.gap, None
        named = self._declared.key_named_in(gap)
        if named is not None:
            self._keys.change(named[0] + 1, named[1])
        ack = self._ack
        if ack is not None and ack.hwm == gap.last and gap.after_prev not in (ack.hash, gap.before):
            raise _Stop(self._bad(gap.last, "not_acknowledged", "the backend has counter-signed another record here"))
        self._head = Head(self._head.dev, self._head.ep, gap.last, gap.after_prev)
        self.report.last_seq, self.report.hash = gap.last, gap.after_prev

    def end(self) -> None:
        if self._range is not None:
            self._over(self._range)
        held = max((seq for ep, seq in self._countersigned if ep == self.report.ep), default=0)
        held = max(held, 0 if self._ack is None else self._ack.hwm)
        if held > self._head.seq:
            first, why = self._head.seq + 1, f"the tail is cut: the backend has counter-signed up to record {held}"
            declared = self._declared.departed(self._head)
            if declared is None:
                raise _Stop(self._bad(first, "cut_tail", why))
            place = (declared.ep, declared.seq)
            self._gaps.append(GapReport(self.report.ep, first, held, *place, "cut_tail", why))

    def _bad(self, seq: int, kind: str, why: str) -> Bad:
        return Bad(self.report.ep, seq, kind, why)


def _reported(gap: Gap, entry: Entry, bad: Bad) -> GapReport:
    return GapReport(gap.ep, gap.first, gap.last, entry.ep, entry.seq, bad.kind, bad.why)


def verify(
    entries: Iterable[Entry],
    certificates: Mapping[int, KeyCertificate],
    acknowledgements: Mapping[int, Acknowledgement],
    keys: Keys,
    *,
    starts: Mapping[int, Head] | None = None,
    candidates: Candidates = no_candidates,
    named: Mapping[tuple[int, int], KeyCertificate] | None = None,
    countersigned: Mapping[tuple[int, int], Acknowledgement] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Verify records in file order. Stops at the first bad one and names it.

    `starts`: where an export of single days begins instead of at the first record, by epoch; the records there are
    chained to each other, and each is signed. `candidates`: where gap records are found if one
    is needed; without, there are none. `named`: later journal keys by the record that names them, kept beside it.
    `countersigned`: further acknowledgements, by epoch and record. `progress` is called with the count of records now
    and then.
    """
    dev = keys.dev or next((certificate.dev for _, certificate in sorted(certificates.items())), "")
    report = Report(dev)
    try:
        declared = Declared(certificates, keys.identity_key, candidates, named or {})
        acks = (acknowledgements, countersigned or {})
        _verify(entries, certificates, acks, keys, starts or {}, declared, report, progress)
    except _Stop as stop:
        report.bad = stop.bad
    return report


def _verify(
    entries: Iterable[Entry],
    certificates: Mapping[int, KeyCertificate],
    acks: tuple[Mapping[int, Acknowledgement], Mapping[tuple[int, int], Acknowledgement]],
    keys: Keys,
    starts: Mapping[int, Head],
    declared: Declared,
    report: Report,
    progress: Callable[[int], None],
) -> None:
    acknowledgements, countersigned = acks
    waiting = sorted({*certificates, *acknowledgements})
    current: _Epoch | None = None

    def begin(ep: int) -> _Epoch:
        if ep not in certificates:
            raise _Stop(Bad(ep, 0, "no_certificate", "the certificate of this epoch's journal key is missing"))
        start = starts.get(ep, Head(report.dev, ep, 0, GENESIS))
        epoch = _Epoch(
            keys, report, certificates[ep], acknowledgements.get(ep), start, declared, countersigned, whole=not starts
        )
        report.epochs.append(epoch.report)
        return epoch

    for entry in entries:
        while current is None or current.report.ep != entry.ep:
            if current is not None:
                current.end()
            if not waiting or waiting[0] > entry.ep:
                raise _Stop(
                    Bad(entry.ep, 0, "no_certificate", "the certificate of this epoch's journal key is missing")
                )
            current = begin(waiting.pop(0))
        before = current.report.records
        current.take(entry)
        report.records += current.report.records - before
        if report.records % 500 == 0:
            progress(report.records)
    while True:
        if current is not None:
            current.end()
        if not waiting:
            break
        current = begin(waiting.pop(0))
    progress(report.records)
