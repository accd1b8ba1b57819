"""The proofs by name. A proof is a module with `run(count, seed, progress) -> dict[str, int]`, found only when it runs.

What it returns are counters. Those in `FAULTS` must be 0; those of its `needs` must not be, for they show that the
proof had something to find: a negative control that never fails proves nothing.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Called now and then with how many are done, and of how many."""
Run = Callable[[int, int, Progress], dict[str, int]]

FAULTS = ("lost", "doubled", "torn", "wrong")
"""`wrong`: whatever else must not be; the proof prints what it was."""


@dataclass(frozen=True)
class Proof:
    """`count` of a whole run and of a `quick` one; `what` was done, for the table."""

    what: str
    count: int
    quick: int
    module: str
    needs: tuple[str, ...] = ()

    def find(self) -> Run | None:
        """Its function; None when the module is not here."""
        if importlib.util.find_spec(self.module) is None:
            return None
        run: Run = importlib.import_module(self.module).run
        return run

    def failures(self, counters: dict[str, int]) -> list[str]:
        """Why the counters do not prove it; empty when they do."""
        wrong = [f"{counters[name]} {name}" for name in FAULTS if counters.get(name)]
        return wrong + [f"no {name}" for name in self.needs if not counters.get(name)]


PROOFS = {
    "kill": Proof("kill -9 of an appending process", 10_000, 200, "tests.torture.kill", ("records",)),
    "bits": Proof("every prefix, every bit of a journal", 10**9, 4_000, "tests.torture.bits", ("detected", "cut")),
    "tamper": Proof("tampering with every record", 10**9, 200, "tests.torture.tamper", ("by_verify", "by_the_lane")),
    "power": Proof("power cuts under ext4", 2_000, 100, "tests.torture.power", ("records", "control_lost")),
    "disk": Proof("every call to the disk fails once", 10**9, 400, "tests.torture.disk", ("refused", "there", "again")),
    "payment": Proof("steps of the payment model, with crashes", 1_000_000, 20_000, "tests.torture.payment"),
    "network": Proof(
        "sync sessions over a hostile network", 10_000, 200, "tests.torture.network", ("records", "faults", "kills")
    ),
}
