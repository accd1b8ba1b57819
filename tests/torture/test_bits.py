"""The short forms of `make torture ARGS="bits tamper"`."""

from tests.torture import bits, tamper
from tests.torture.proofs import PROOFS

DAMAGES = 2000
TAMPERINGS = 90


def test_a_sample_of_every_prefix_and_every_bit() -> None:
    counters = bits.run(DAMAGES, 4711, lambda done, total: None)
    assert PROOFS["bits"].failures(counters) == [], counters
    assert counters["count"] == DAMAGES


def test_a_sample_of_tampering() -> None:
    counters = tamper.run(TAMPERINGS, 4711, lambda done, total: None)
    assert PROOFS["tamper"].failures(counters) == [], counters
    assert counters["count"] == TAMPERINGS
