"""Verification of a whole journal with nothing but its bytes and public keys. Pure: no file, no clock.

What it shows, and by what: a changed byte (signature), a record taken out, put in or moved (chain), a chain made anew
with another key (certificate), a chain cut or made anew with the stolen journal key (the backend's counter-signature,
as far as it reaches). What comes after the last counter-signature rests on the journal key alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.records.identity import (
    Acknowledgement,
    BadIdentity,
    KeyCertificate,
    check_acknowledgement,
    check_certificate,
)
from kiosk.records.journal import GENESIS, BadRecord, Head, check_signature, follow


@dataclass(frozen=True)
class Entry:
    """One stored record: the place that the file says it has, its exact bytes, its signature."""

    ep: int
    seq: int
    data: bytes
    signature: bytes


@dataclass(frozen=True)
class Keys:
    """Public keys. `identity_key`: SubjectPublicKeyInfo of P-256 in base64. `dev`: empty when it is not known; the
    first certificate then says it."""

    identity_key: str
    cosign_key: Ed25519PublicKey
    dev: str = ""


@dataclass(frozen=True)
class Bad:
    """The first bad record. `seq` 0: the epoch as a whole. `kind` is a stable word, `why` is for people."""

    ep: int
    seq: int
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
    """`bad` is None when everything verifies. `epochs` reach to where the verification ended."""

    dev: str
    records: int = 0
    epochs: list[EpochReport] = field(default_factory=list)
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

    def __init__(self, keys: Keys, dev: str, certificate: KeyCertificate, ack: Acknowledgement | None, start: Head):
        ep = certificate.ep
        self.report = EpochReport(ep, first_seq=start.seq + 1, last_seq=start.seq, hash=start.hash)
        self._head, self._ack = start, ack
        try:
            if certificate.dev != dev:
                raise BadIdentity(f"the certificate is of device {certificate.dev!r}, expected {dev!r}")
            self._key = check_certificate(certificate, keys.identity_key)
        except BadIdentity as error:
            raise _Stop(Bad(ep, 0, "bad_certificate", str(error))) from None
        try:
            if ack is not None:
                check_acknowledgement(keys.cosign_key, dev, ep, ack)
                self.report.acknowledged_seq = ack.hwm
        except BadIdentity as error:
            raise _Stop(Bad(ep, 0, "bad_acknowledgement", str(error))) from None

    def take(self, entry: Entry) -> None:
        expected = self._head.seq + 1
        if entry.seq != expected:
            raise self._bad(expected, "gap", f"the record is missing; number {entry.seq} comes next in the file")
        try:
            _, head = follow(self._head, entry.data)
            check_signature(self._key, head.hash, entry.signature)
        except BadRecord as error:
            raise self._bad(expected, error.kind, str(error)) from None
        if self._ack is not None and self._ack.hwm == head.seq and self._ack.hash != head.hash:
            why = "the backend has counter-signed another record here: this one, or one before it, was rewritten"
            raise self._bad(expected, "not_acknowledged", why)
        self._head = head
        self.report.last_seq, self.report.hash = head.seq, head.hash
        self.report.records += 1

    def end(self) -> None:
        if self._ack is not None and self._ack.hwm > self._head.seq:
            why = f"the tail is cut: the backend has counter-signed up to record {self._ack.hwm}"
            raise self._bad(self._head.seq + 1, "cut_tail", why)

    def _bad(self, seq: int, kind: str, why: str) -> _Stop:
        return _Stop(Bad(self.report.ep, seq, kind, why))


def verify(
    entries: Iterable[Entry],
    certificates: Mapping[int, KeyCertificate],
    acknowledgements: Mapping[int, Acknowledgement],
    keys: Keys,
    *,
    starts: Mapping[int, Head] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Verify records in file order. Stops at the first bad one and names it.

    `starts`: where an export of single days begins instead of at the first record, by epoch; the records there are
    chained to each other, and each is signed. `progress` is called with the count of records now and then.
    """
    dev = keys.dev or next((certificate.dev for _, certificate in sorted(certificates.items())), "")
    report = Report(dev)
    try:
        _verify(entries, certificates, acknowledgements, keys, starts or {}, report, progress)
    except _Stop as stop:
        report.bad = stop.bad
    return report


def _verify(
    entries: Iterable[Entry],
    certificates: Mapping[int, KeyCertificate],
    acknowledgements: Mapping[int, Acknowledgement],
    keys: Keys,
    starts: Mapping[int, Head],
    report: Report,
    progress: Callable[[int], None],
) -> None:
    waiting = sorted({*certificates, *acknowledgements})
    current: _Epoch | None = None

    def begin(ep: int) -> _Epoch:
        if ep not in certificates:
            raise _Stop(Bad(ep, 0, "no_certificate", "the certificate of this epoch's journal key is missing"))
        start = starts.get(ep, Head(report.dev, ep, 0, GENESIS))
        epoch = _Epoch(keys, report.dev, certificates[ep], acknowledgements.get(ep), start)
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
        current.take(entry)
        report.records += 1
        if report.records % 500 == 0:
            progress(report.records)
    while True:
        if current is not None:
            current.end()
        if not waiting:
            break
        current = begin(waiting.pop(0))
    progress(report.records)
