"""The payment model: a seeded random walk over the real core, with everything around it failing at any moment.

The core's `step` and what is recorded of it, the journal's entries and the restart out of them are the lane's own.
Around them stand small models: a journal that keeps only what was durable, the hardware daemon with its memory, and a
card terminal whose ledger is the truth. A micro-step is the smallest thing that can happen: an event taken, an effect
begun, a call that reaches the daemon, a message on the terminal's line, a card, a clock, a fault. Between any two the
kiosk or the daemon may die, the line or the socket may be cut, the journal may refuse.

All of it follows from the seed. A violation prints the seed, the walk and the script of its events.
"""

import random
import sys
from collections.abc import Callable

from tests.torture.payment.checks import Violation
from tests.torture.payment.walk import Walk

SHOWN = 3
"""Scripts printed in full; of more only the count."""


def run(
    steps: int, seed: int, progress: Callable[[int, int], None], *, show: Callable[[str], object] = sys.stderr.write
) -> dict[str, int]:
    """At least `steps` micro-steps in walks of a few sales each. The counters `doubled`, `lost` and `wrong` are 0 where
    all is well; the others say what was met."""
    counters = dict.fromkeys(("doubled", "lost", "wrong"), 0)
    done = walks = 0
    while done < steps:
        walk = Walk(random.Random(f"{seed}/{walks}"))
        try:
            walk.play()
        except Violation as violation:
            counters[violation.kind] += 1
            if sum(counters[kind] for kind in ("doubled", "lost", "wrong")) <= SHOWN:
                show(f"seed {seed}, walk {walks}: {violation}\n{walk.script()}\n")
        for name, count in walk.met.items():
            counters[name] = counters.get(name, 0) + count
        walks += 1
        done += walk.steps
        progress(min(done, steps), steps)
    return {**counters, "steps": done, "walks": walks}
