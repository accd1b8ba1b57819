"""`make torture`: every proof, with progress and one table at the end. Exit status 1 if any failed.

make torture ARGS="kill power --seed 7"
"""

import argparse
import json
import sys
import time
import traceback

from rich.console import Console
from rich.table import Table

from tests.torture.proofs import FAULTS, PROOFS, Progress, Proof

_LINE_EVERY_S = 0.5
_LINE_EVERY_S_IN_A_FILE = 30.0


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="PROOF", help=f"only these: {', '.join(PROOFS)}")
    parser.add_argument("--quick", action="store_true", help="a small count of each")
    parser.add_argument("--count", type=int, help="how many of each, instead of the proof's own count")
    parser.add_argument("--seed", type=int, default=4711, help="what is random follows from it (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON line a proof instead of the table")
    found = parser.parse_args(given)
    if unknown := [name for name in found.names if name not in PROOFS]:
        parser.error(f"no such proof: {', '.join(unknown)}; allowed: {', '.join(PROOFS)}")
    if found.count is not None and found.count < 1:
        parser.error(f"--count {found.count}: at least 1")
    return found


def _progress(name: str) -> Progress:
    every_s = _LINE_EVERY_S if sys.stderr.isatty() else _LINE_EVERY_S_IN_A_FILE
    begun = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every_s:
            last = now
            text = f"{name}: {done:,} of {total:,}, {now - begun:.0f} s, {done / (now - begun):,.0f}/s"
            whole_line = f"\r{text}\x1b[K" if sys.stderr.isatty() else f"{text}\n"
            print(whole_line, end="", file=sys.stderr, flush=True)

    return show


def _prove(name: str, proof: Proof, count: int, seed: int) -> dict[str, object]:
    """One row: what came out, and the verdict."""
    begun = time.monotonic()
    counters: dict[str, int] = {}
    try:
        run = proof.find()
        if run is None:
            verdict = "failed: not here"
        else:
            counters = run(count, seed, _progress(name))
            verdict = "; ".join(proof.failures(counters)) or "proved"
    except NotImplementedError as why:
        verdict = f"failed: cannot be run here: {why}"
    except Exception:  # noqa: BLE001 - one proof that breaks off must not hide the others' results
        traceback.print_exc()
        verdict = "failed: broke off"
    seconds = round(time.monotonic() - begun, 1)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return {"name": name, "what": proof.what, "count": count, **counters, "seconds": seconds, "verdict": verdict}


def _table(rows: list[dict[str, object]], seed: int) -> Table:
    table = Table(title=f"torture, seed {seed}", title_justify="left")
    for column in ("proof", "what was done"):
        table.add_column(column, overflow="fold")
    for column in ("count", *FAULTS):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("and", overflow="fold")
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    shown = {"name", "what", "count", "seconds", "verdict", *FAULTS}
    for row in rows:
        others = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in row.items() if key not in shown)
        figures = [f"{row[key]:,}" if key in row else "–" for key in ("count", *FAULTS)]
        table.add_row(str(row["name"]), str(row["what"]), *figures, others, str(row["seconds"]), str(row["verdict"]))
    return table


def main(given: list[str]) -> int:
    asked = _arguments(given)
    rows = []
    for name in asked.names or list(PROOFS):
        proof = PROOFS[name]
        count = asked.count or (proof.quick if asked.quick else proof.count)
        many = "all" if count >= 10**9 else f"{count:,}"
        print(f"{name}: {many} × {proof.what}", file=sys.stderr, flush=True)
        row = _prove(name, proof, count, asked.seed)
        rows.append(row)
        if asked.json:
            print(json.dumps(row | {"seed": asked.seed}), flush=True)
        else:
            print(f"{name}: {row['verdict']} in {row['seconds']} s", file=sys.stderr, flush=True)
    if not asked.json:
        Console(width=None if sys.stdout.isatty() else 160).print(_table(rows, asked.seed))
    return 0 if all(row["verdict"] == "proved" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
