"""Journal keys and the backend's key change by records, and everything that verifies follows them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from kiosk.journal.errors import Refused, WrongJournal
from kiosk.journal.recovery import JournalKey
from kiosk.journal.source import Source
from kiosk.journal.verify import Keys, verify
from kiosk.records.identity import (
    BadIdentity,
    acknowledge,
    certify,
    change_cosign,
    earlier_keys,
    identity_public,
    raw_public,
)
from kiosk.records.journal import sign
from tests.core.journal.lane import TestLane, fill
from tests.core.journal.mending import AT, Ring, edit, mended, recovery, spoil
from tests.core.journal.test_gaps import verified


def pair(lane: TestLane, seed: int, ep: int = 1) -> JournalKey:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key, certify(lane.identity, lane.dev, ep, key)


def test_after_the_record_that_says_so_another_key_signs(lane: TestLane) -> None:
    second, third = pair(lane, 77), pair(lane, 78)
    with lane.open() as journal:
        fill(journal, 3)
        journal.rotate(second)
        fill(journal, 2)
        journal.rotate(third)
        fill(journal, 1)
        assert journal.certificate(newest=True) == third[1]
    assert verified(lane).bad is None
    assert verified(lane).records == 8
    with lane.open(key=third[0], certificate=third[1]) as journal:
        assert journal.checked == 8
        fill(journal, 1)
        bounds = [
            (batch.first_seq, len(batch.records))
            for after in (0, 4, 7)
            for batch in [journal.read(1, after, 100, 1 << 20)]
        ]
    assert bounds == [(1, 4), (5, 3), (8, 2)], "a batch ends with the change, signed by the old key"


def test_the_old_key_opens_nothing_more(lane: TestLane) -> None:
    with lane.open() as journal:
        journal.rotate(pair(lane, 77))
    with pytest.raises(WrongJournal, match="another key"):
        lane.open()


def test_a_ring_that_holds_the_new_key_finds_it(lane: TestLane) -> None:
    """The machine failed after the record was written and before the key files were renamed."""

    class Both(Ring):
        def find(self, ep: int, public: str) -> JournalKey | None:
            return pair(lane, 77) if pair(lane, 77)[1].key == public else super().find(ep, public)

    with lane.open() as journal:
        journal.rotate(pair(lane, 77))
    with mended(lane, recovery=recovery(lane, Both(lane))) as journal:
        fill(journal, 1)
    assert verified(lane).bad is None


def test_a_key_for_another_epoch_or_the_same_one_is_refused(lane: TestLane) -> None:
    with lane.open() as journal:
        for wrong in (pair(lane, 77, ep=2), (lane.key(), lane.certificate())):
            with pytest.raises(Refused):
                journal.rotate(wrong)
        assert journal.head().seq == 0


def test_a_record_by_the_old_key_after_the_change_is_named(lane: TestLane) -> None:
    with lane.open() as journal:
        journal.rotate(pair(lane, 77))
        head = fill(journal, 1)[0]
    edit(lane, f"UPDATE records SET signature = x'{sign(lane.key(), head.hash).hex()}' WHERE place = {AT + 2}")
    bad = verified(lane).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (2, "bad_signature")


def test_a_key_that_the_identity_has_not_certified_is_named(lane: TestLane) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes([77]) * 32)
    forged = certify(ec.derive_private_key(8, ec.SECP256R1()), lane.dev, 1, key)
    with lane.open() as journal:
        journal.rotate((key, forged))
        fill(journal, 1)
    bad = verified(lane).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (1, "bad_key")


def test_a_damaged_key_record_does_not_take_the_records_after_it_along(lane: TestLane) -> None:
    second = pair(lane, 77)
    with lane.open() as journal:
        fill(journal, 2)
        journal.rotate(second)
        fill(journal, 3)
    edit(lane, f"UPDATE records SET data = x'00' WHERE place = {AT + 3}")
    with mended(lane, key=second[0], certificate=second[1]) as journal:
        assert [record.seq for record in journal.backward()] == [7, 6, 5, 4, 2, 1]
    report = verified(lane)
    assert report.bad is None
    assert [(gap.first_seq, gap.last_seq) for gap in report.gaps] == [(3, 3)]


def test_damage_before_and_after_a_change_is_declared_by_the_new_key(lane: TestLane) -> None:
    second = pair(lane, 77)
    with lane.open() as journal:
        fill(journal, 3)
        journal.rotate(second)
        fill(journal, 3)
    edit(lane, spoil(2), spoil(6))
    mended(lane, key=second[0], certificate=second[1]).close()
    report = verified(lane)
    assert report.bad is None
    assert [(gap.first_seq, gap.last_seq) for gap in report.gaps] == [(2, 2), (6, 6)]


# The backend's key


def test_a_cross_signed_counter_signature_is_taken_and_journaled(lane: TestLane) -> None:
    new = Ed25519PrivateKey.from_private_bytes(bytes([99]) * 32)
    changes = (change_cosign(lane.cosign, new),)
    with lane.open() as journal:
        heads = fill(journal, 4)
        journal.acknowledge(lane.acknowledgement(heads[0]))
        journal.acknowledge(acknowledge(new, heads[1], changes))
        assert next(iter(journal.backward())).typ == "journal.cosign"
        journal.acknowledge(acknowledge(new, heads[2], changes))
        assert journal.head().seq == 5, "said once"
        with pytest.raises(Refused):
            journal.acknowledge(lane.acknowledgement(heads[3]))
    with lane.open() as journal:
        with pytest.raises(Refused):
            journal.acknowledge(lane.acknowledgement(heads[3]))
        journal.acknowledge(acknowledge(new, heads[3], changes))
    report = verified(lane)
    assert report.bad is None
    assert report.epochs[0].acknowledged_seq == 4


def test_a_change_that_is_not_signed_by_both_keys_is_refused(lane: TestLane) -> None:
    new, other = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (99, 98))
    stolen = change_cosign(other, new)
    honest = change_cosign(lane.cosign, new)
    with lane.open() as journal:
        head = fill(journal, 1)[0]
        for change in (
            stolen,
            replace(stolen, old=honest.old),
            replace(honest, new_signature=honest.old_signature),
            replace(honest, old_signature=honest.new_signature),
        ):
            with pytest.raises(Refused):
                journal.acknowledge(acknowledge(new, head, (change,)))
        with pytest.raises(Refused, match="at most 64"):
            journal.acknowledge(acknowledge(new, head, (honest,) * 65))
        assert journal.acknowledged() is None


def test_a_lost_journal_key_leads_to_an_epoch_of_its_own(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 2)
        journal.rotate(pair(lane, 77))
    with mended(lane) as journal:
        assert (journal.head().ep, journal.head().seq) == (11, 1)
        begun = next(iter(journal.backward())).body
        assert (begun["reason"], begun["skip"]) == ("key", 0)
    assert verified(lane).bad is None


def test_what_an_earlier_key_has_counter_signed_stays_provable_for_whoever_pinned_the_new_one(lane: TestLane) -> None:
    new, stranger = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (99, 98))
    change = change_cosign(lane.cosign, new)
    with lane.open() as journal:
        journal.acknowledge(lane.acknowledgement(fill(journal, 3)[-1]))
    for key, changes, good in (
        (new, (change,), True),
        (new, (), False),
        (stranger, (change,), False),
        (stranger, (replace(change, new=raw_public(stranger)),), False),
    ):
        try:
            earlier = earlier_keys(key.public_key(), changes)
        except BadIdentity:
            assert not good
            continue
        keys = Keys(identity_public(lane.identity), key.public_key(), lane.dev, earlier)
        with Source(lane.path) as source:
            report = verify(source.entries(), source.certificates, source.acknowledgements, keys)
        assert report.ok == good
