"""Timings of a receipt of 20 lines, each as a ratio to a fixed piece of work of the same run.

python -m tests.core.receipt.bench
"""

import sys
import time
from collections.abc import Callable

import msgspec

from kiosk.receipt.escpos import encode
from kiosk.receipt.paper import PAPER_80
from kiosk.receipt.png import render
from kiosk.records.sale import Sale
from tests.core.receipt.sales import SHOPS, issue, numbered, sale, typical

ROUNDS = 20


def twenty(language: str) -> Sale:
    base = typical(language)
    lines = [
        msgspec.structs.replace(each, name={language: f"{each.name[language]} {n}"}, kind="item", voids="")
        for n in range(3)
        for each in base.lines[:7]
    ][:20]
    return sale(numbered(lines), base.currency, language=language)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """(first, median of the later ones)."""
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e3)
    return times[0], sorted(times[1:])[ROUNDS // 2]


def main() -> None:
    yardstick = milliseconds(lambda: sum(range(1_000_000)))[1]
    out = sys.stdout
    for language in SHOPS:
        sold = twenty(language)
        document = issue(sold, language)
        for name, work in (
            ("compose + encode", lambda sold=sold, language=language: encode(issue(sold, language), PAPER_80)),
            ("png 80 mm", lambda document=document: render(document, 80)),
        ):
            first, later = milliseconds(work)
            out.write(f"{language:8} {name:18} first {first:7.1f} ms  then {later:6.1f} ms  x{later / yardstick:.2f}\n")


if __name__ == "__main__":
    main()
