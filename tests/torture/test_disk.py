"""The short form of `make torture ARGS=disk`: of appending and acknowledging every fault, of the rest a sample."""

from tests.torture import disk
from tests.torture.proofs import PROOFS

FAULTS = 300


def test_every_call_to_the_disk_fails_once() -> None:
    counters = disk.run(FAULTS, 4711, lambda done, total: None)
    assert PROOFS["disk"].failures(counters) == [], counters
