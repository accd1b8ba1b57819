"""`make bench`: every timing beside a baseline of the same run. With names, only those."""

import sys
from collections.abc import Callable

from tests.bench import fleet, ingest, journal, scan_to_paint

BENCHES: dict[str, Callable[[], int]] = {
    "journal": journal.main,
    "paint": scan_to_paint.main,
    "ingest": ingest.main,
    "fleet": fleet.main,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"bench: no such bench: {', '.join(unknown)}; allowed: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name in names or list(BENCHES):
        print(f"\n== {name}", flush=True)
        missed += BENCHES[name]()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
