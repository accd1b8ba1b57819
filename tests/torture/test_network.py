"""The short form of `make torture ARGS=network`."""

from tests.torture import network
from tests.torture.network.proxy import FAULTS
from tests.torture.proofs import PROOFS

SESSIONS = 200


def test_network() -> None:
    counters = network.run(SESSIONS, 4711, lambda done, total: None)
    assert PROOFS["network"].failures(counters) == [], counters
    assert counters["sessions"] == SESSIONS
    assert counters["records"] > SESSIONS
    assert counters["kinds"] >= len(FAULTS) - 1, "a run this short may do without a rare one"
