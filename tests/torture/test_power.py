"""The short form of `make torture ARGS=power`, and the reckoning behind it."""

import random
from pathlib import Path

import pytest

from tests.torture import power
from tests.torture.power.cuts import Promises, cuts
from tests.torture.power.log import flush_entry, write_entry
from tests.torture.proofs import PROOFS

DISKS = 200


@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(power.why_not()), reason=power.why_not())
def test_power_cuts() -> None:
    counters = power.run(DISKS, 4711, lambda done, total: None)
    assert PROOFS["power"].failures(counters) == [], counters
    assert counters["unflushed"] > 0


def test_what_was_flushed_is_on_every_disk_and_the_rest_on_some(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(write_entry(0, b"a" * 1024) + flush_entry() + write_entry(512, b"b" * 1024))
    found = {cut.image for cut in cuts(bytes(2048), log, 400, random.Random(1)) if cut.log_bytes == log.stat().st_size}
    flushed, first, second = b"a" * 512, (b"a" * 512, b"b" * 512), (bytes(512), b"b" * 512)
    assert found == {flushed + one + two + bytes(512) for one in first for two in second}


def test_only_what_was_reported_before_the_cut_is_promised() -> None:
    promises = Promises([(100, 1, "one"), (100, 2, "two"), (250, 3, "three")])
    assert promises.until(99) == []
    assert promises.until(100) == [(1, "one"), (2, "two")]
    assert promises.until(9999)[-1] == (3, "three")
