"""A signed append against the cheapest thing that is as durable: 512 bytes appended to a file and fdatasync.

Both run in turn in the same run, since a disk's speed drifts from minute to minute; only their ratio says something
of the journal. Goals: at most 1.8 at the median, 1.5 at the 99th percentile.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.records.journal import encode, leaf_hash, sign
from tests.core.journal.lane import CUSTOMER, TestLane

GOALS = {"p50": 1.8, "p99": 1.5}
_BODY = {
    "sale_id": "01JD9Z6M3V8Q7T2K4N5P6R8S9W",
    "line": {
        "line_id": "l-3",
        "kind": "item",
        "code": "05701234567899",
        "name": {"en": "Rye bread, sliced", "da": "Rugbrød i skiver"},
        "quantity": {"value": 2, "scale": 0, "unit": "each"},
        "price": {"catalogue_version": "20261121T120000Z-1", "list_amount": 2495, "charged_amount": 2495},
        "gross_minor": 4990,
        "tax_category": "S",
        "tax_rate_bp": 2500,
    },
}
_POINTS = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e6


def _points(times_us: list[float]) -> dict[str, float]:
    ordered = sorted(times_us)
    return {name: round(ordered[int(len(ordered) * at)], 1) for name, at in _POINTS.items()}


def run(seconds: float = 5.0, folder: Path | None = None) -> dict[str, Any]:
    """Microseconds at p50, p95, p99 of both, their ratios, and the parts of an append that need no disk.

    `folder`: where to write; it must be on the disk in question, not in memory.
    """
    with tempfile.TemporaryDirectory(dir=folder or Path.cwd(), prefix=".bench-") as name:
        return _run(Path(name), seconds)


def _run(folder: Path, seconds: float) -> dict[str, Any]:
    lane = TestLane(folder)
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    block = bytes(512)
    times: dict[str, list[float]] = {"raw": [], "append": [], "encode": [], "sign": []}

    def raw_append() -> None:
        os.write(raw, block)
        os.fdatasync(raw)

    with lane.open() as journal:
        for _ in range(50):
            raw_append()
            journal.append("sale.line_added", _BODY, CUSTOMER, "sale-1")
        record = next(iter(journal.backward()))
        header, leaf, key = record, leaf_hash(b"x"), lane.key()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            times["raw"].append(_timed(raw_append))
            times["append"].append(_timed(lambda: journal.append("sale.line_added", _BODY, CUSTOMER, "sale-1")))
            if len(times["raw"]) % 10 == 0:
                times["encode"].append(_timed(lambda: encode(header, _BODY)))
                times["sign"].append(_timed(lambda: sign(key, leaf)))
        size = len(journal.read(1, 0, 1, 1).records[0])
    os.close(raw)
    points = {name: _points(values) for name, values in times.items()}
    ratios = {name: round(points["append"][name] / points["raw"][name], 2) for name in _POINTS}
    return {
        "appends": len(times["append"]),
        "record_bytes": size,
        "us": points,
        "mean_us": {name: round(statistics.fmean(values), 1) for name, values in times.items()},
        "ratio": ratios,
        "met": {name: ratios[name] <= goal for name, goal in GOALS.items()},
    }


def main(seconds: float = 5.0) -> int:
    """Print the figures; 0 when the goals are met, else 1."""
    result = run(seconds)
    out = sys.stdout.write
    out(f"journal: {result['appends']} signed appends of {result['record_bytes']} bytes, in turn with raw ones\n")
    for name, values in result["us"].items():
        out(f"  {name:8}" + "".join(f"  {point} {value:8.1f} us" for point, value in values.items()) + "\n")
    out("  ratio   " + "".join(f"  {point} {value:8.2f}   " for point, value in result["ratio"].items()) + "\n")
    for point, goal in GOALS.items():
        out(f"  goal {point} <= {goal}: {'met' if result['met'][point] else 'MISSED'}\n")
    return 0 if all(result["met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
