"""The short form of `make torture ARGS=kill`."""

from tests.torture import kill
from tests.torture.proofs import PROOFS

KILLS = 40


def test_kill() -> None:
    counters = kill.run(KILLS, 4711, lambda done, total: None)
    assert PROOFS["kill"].failures(counters) == [], counters
    assert counters["looks"] > 0
    assert counters["acknowledged"] > 0
