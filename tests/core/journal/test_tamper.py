"""Everything that can be done to a journal's records, and how the verifier names it."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.journal.verify import Entry, Report, verify
from kiosk.records.canonical import canonical, parse
from kiosk.records.identity import Acknowledgement, certify
from kiosk.records.journal import Head, leaf_hash
from tests.core.journal.forge import remade
from tests.core.journal.lane import TestLane, fill

RECORDS = 6
ACKNOWLEDGED = 4


class Subject:
    """A small journal in memory, and the keys that a verifier has."""

    def __init__(self, lane: TestLane) -> None:
        self.lane = lane
        with lane.open() as journal:
            heads = fill(journal, RECORDS)
            batches = [journal.read(1, seq, 1, 1) for seq in range(RECORDS)]
        self.entries = [Entry(1, seq, batch.records[0], batch.signature) for seq, batch in enumerate(batches, 1)]
        self.certificates = {1: lane.certificate()}
        self.acknowledgements = {1: lane.acknowledgement(heads[ACKNOWLEDGED - 1])}
        self.keys = lane.keys()

    def verify(self, entries: list[Entry] | None = None, acks: dict[int, Acknowledgement] | None = None) -> Report:
        found = self.entries if entries is None else entries
        acknowledgements = self.acknowledgements if acks is None else acks
        return verify(found, self.certificates, acknowledgements, self.keys)

    def remade(self, first: int, change: Callable[[dict[str, object]], object], seed: int = 1) -> list[Entry]:
        """From record `first` on, changed there and chained and signed anew with a journal key."""
        return remade(self.entries, first, change, self.lane.key(seed))


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return Subject(TestLane(tmp_path_factory.mktemp("tamper")))


def _named(report: Report) -> tuple[int, int, str] | None:
    return None if report.bad is None else (report.bad.ep, report.bad.seq, report.bad.kind)


def test_the_untouched_one_verifies(subject: Subject) -> None:
    report = subject.verify()
    assert report.ok
    assert (report.records, report.epochs[0].acknowledged_seq, report.epochs[0].last_seq) == (6, 4, 6)


@pytest.mark.parametrize("index", [0, 3, 5])
def test_every_byte_changed_is_named(subject: Subject, index: int) -> None:
    entry = subject.entries[index]
    for at in range(len(entry.data)):
        changed = bytearray(entry.data)
        changed[at] ^= 0x01
        entries = list(subject.entries)
        entries[index] = replace(entry, data=bytes(changed))
        named = _named(subject.verify(entries))
        assert named is not None, f"byte {at} of record {entry.seq} was changed and not noticed"
        assert named[:2] == (1, entry.seq), f"byte {at} of record {entry.seq} was changed, named was {named}"


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_a_changed_signature_is_named(subject: Subject, at: int) -> None:
    entries = list(subject.entries)
    changed = bytearray(entries[2].signature)
    changed[at] ^= 0x80
    entries[2] = replace(entries[2], signature=bytes(changed))
    assert _named(subject.verify(entries)) == (1, 3, "bad_signature")


def _body(fields: dict[str, object]) -> None:
    fields["body"] = {"n": 999}


TAMPERED: dict[str, tuple[Callable[[Subject], list[Entry]], tuple[int, int, str]]] = {
    "first deleted": (lambda s: s.entries[1:], (1, 1, "gap")),
    "middle deleted": (lambda s: [*s.entries[:2], *s.entries[3:]], (1, 3, "gap")),
    "middle deleted, numbers closed up": (
        lambda s: [replace(entry, seq=seq) for seq, entry in enumerate([*s.entries[:2], *s.entries[3:]], 1)],
        (1, 3, "gap"),
    ),
    "inserted twice": (lambda s: [*s.entries[:3], *s.entries[2:]], (1, 4, "gap")),
    "inserted twice, numbers moved up": (
        lambda s: [replace(entry, seq=seq) for seq, entry in enumerate([*s.entries[:3], *s.entries[2:]], 1)],
        (1, 4, "gap"),
    ),
    "two swapped": (
        lambda s: [replace(s.entries[i], seq=n) for n, i in enumerate([0, 2, 1, 3, 4, 5], 1)],
        (1, 2, "gap"),
    ),
    "tail cut below the counter-signature": (lambda s: s.entries[:3], (1, 4, "cut_tail")),
    "all deleted": (lambda s: [], (1, 1, "cut_tail")),
    "edited and re-signed with the journal key": (
        lambda s: s.remade(2, _body)[:2] + s.entries[2:],
        (1, 3, "broken_chain"),
    ),
    "rewritten to the end with the journal key": (lambda s: s.remade(2, _body), (1, 4, "not_acknowledged")),
    "rewritten to the end with another key": (lambda s: s.remade(2, _body, seed=9), (1, 2, "bad_signature")),
    "of another device": (lambda s: s.remade(3, lambda f: f.update(dev="dev-2")), (1, 3, "foreign")),
    "of another epoch": (lambda s: s.remade(3, lambda f: f.update(ep=2)), (1, 3, "epoch")),
    "number jumped over": (lambda s: s.remade(3, lambda f: f.update(seq=4)), (1, 3, "gap")),
    "field missing": (lambda s: s.remade(3, lambda f: f.pop("actor")), (1, 3, "bad_field")),
    "epoch that has no certificate": (lambda s: [*s.entries, replace(s.entries[0], ep=2)], (2, 0, "no_certificate")),
    "epoch before the first": (lambda s: [replace(s.entries[0], ep=0), *s.entries], (0, 0, "no_certificate")),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_named(subject: Subject, case: str) -> None:
    tamper, expected = TAMPERED[case]
    assert _named(subject.verify(tamper(subject))) == expected


def test_a_tail_cut_above_the_counter_signature_cannot_be_seen(subject: Subject) -> None:
    """What the verifier does not promise; the head anchor is there for it."""
    assert subject.verify(subject.entries[:ACKNOWLEDGED]).ok


def test_a_foreign_certificate_is_named(subject: Subject) -> None:
    thief = TestLane(subject.lane.folder, identity=ec.derive_private_key(8, ec.SECP256R1()))
    certificates = {1: certify(thief.identity, subject.lane.dev, 1, subject.lane.key(9))}
    entries = subject.remade(1, _body, seed=9)
    report = verify(entries, certificates, subject.acknowledgements, subject.keys)
    assert _named(report) == (1, 0, "bad_certificate")
    renamed = {1: certify(subject.lane.identity, "dev-2", 1, subject.lane.key())}
    assert _named(verify(entries, renamed, {}, subject.keys)) == (1, 0, "bad_certificate")


def test_a_foreign_counter_signature_is_named(subject: Subject) -> None:
    forger = TestLane(subject.lane.folder, cosign=subject.lane.key(9))
    ack = forger.acknowledgement(Head(subject.lane.dev, 1, 4, leaf_hash(subject.entries[3].data)))
    assert _named(subject.verify(acks={1: ack})) == (1, 0, "bad_acknowledgement")
    garbage = msgspec.structs.replace(ack, cosig="???")
    assert _named(subject.verify(acks={1: garbage})) == (1, 0, "bad_acknowledgement")


def test_fields_of_a_newer_version_are_kept_and_verify(subject: Subject) -> None:
    """A newer version's record: unknown fields in the header, and they count for the hash."""

    def newer(fields: dict[str, object]) -> None:
        fields["fiscal_seal"] = {"scheme": "x", "n": [1, 2]}
        fields["schema"] = 2

    entries = subject.remade(5, newer)
    assert b"fiscal_seal" in entries[4].data
    assert subject.verify(entries).ok
    stripped = subject.remade(5, newer)
    fields = parse(stripped[4].data)
    del fields["fiscal_seal"]
    stripped[4] = replace(stripped[4], data=canonical(fields))
    assert _named(subject.verify(stripped)) == (1, 5, "bad_signature")
