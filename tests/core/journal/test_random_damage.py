"""Seeded walks: a journal that is damaged again and again while it lives, and never loses what was not damaged."""

import random

import pytest

from kiosk.journal.recovery import JournalKey
from tests.core.journal.lane import TestLane, fill
from tests.core.journal.mending import AT, Ring, drop, edit, mended, recovery, spoil
from tests.core.journal.test_gaps import verified
from tests.core.journal.test_keys import pair


class Pairs(Ring):
    """Finds the keys that the walk has changed to."""

    pairs: dict[str, JournalKey]

    def find(self, ep: int, public: str) -> JournalKey | None:
        return self.pairs.get(public) or super().find(ep, public)


UNSIGNED = "UPDATE records SET signature = x'' WHERE place = {}"


def _damage(luck: random.Random, seq: int) -> str:
    garbage = f"UPDATE records SET data = x'{luck.randbytes(3).hex()}' WHERE place = {AT + seq}"
    return luck.choice([spoil(seq), drop(seq), garbage, UNSIGNED.format(AT + seq)])


@pytest.mark.parametrize("seed", range(25))
def test_what_is_not_damaged_stays_readable_and_verifies(lane: TestLane, seed: int) -> None:
    luck, whole, ring = random.Random(seed), set[int](), Pairs(lane)
    ring.pairs = {}
    with lane.open() as journal:
        whole |= {head.seq for head in fill(journal, luck.randrange(3, 9))}
    for life in range(6):
        # The very last record must be there, or the file is one that was cut.
        hit = {seq for seq in range(1, max(whole)) if luck.random() < 0.15}
        statements = {seq: _damage(luck, seq) for seq in sorted(hit)}
        edit(lane, *statements.values())
        # The chain proves the bytes of a record that has only lost its own signature.
        gone = {seq for seq, statement in statements.items() if "signature" not in statement}
        whole -= hit
        with mended(lane, recovery=recovery(lane, ring)) as journal:
            assert journal.epochs == [1]
            read = {record.seq for record in journal.backward()}
            assert whole <= read, f"life {life}: lost {sorted(whole - read)}"
            assert not read & gone, f"life {life}: read as if nothing were {sorted(read & gone)}"
            journal.mend(1)
            if luck.random() < 0.3:
                new = pair(lane, 100 + life)
                ring.pairs[new[1].key] = new
                journal.rotate(new)
            fill(journal, luck.randrange(1, 4))
            if luck.random() < 0.4:
                journal.acknowledge(lane.acknowledgement(journal.head()))
            whole = {record.seq for record in journal.backward()}
        report = verified(lane)
        assert report.bad is None, f"life {life}: {report.bad}"
        assert report.records == len(whole)
