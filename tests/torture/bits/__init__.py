"""Every byte prefix and every single bit of a journal of 100 records and 100 kB: damage is noticed, or cuts off no more
than a record that nobody had been told of, or it hits bytes that say nothing, and every record is intact.

The files lie on the disk as after a kill, part in the database, part in its log. They are damaged in memory, in as many
processes as there are processors; the tests take a sample.
"""

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.torture.bits.judge import Judge, Wrong
from tests.torture.bits.subject import make
from tests.torture.proofs import Progress

_CARRIED, _LOGGED = 74, 26
_CHUNK = 500
_MEMORY = Path("/dev/shm")
_Task = tuple[str, str, int]

_judges: list[Judge] = []


def run(count: int, seed: int, progress: Progress) -> dict[str, int]:
    """`count` of all damages that there are, or all. Counts what became of them."""
    folder = Path(tempfile.mkdtemp(prefix="kassa-bits-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        return _run(folder, count, random.Random(seed), progress)
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, count: int, chance: random.Random, progress: Progress) -> dict[str, int]:
    tasks = _tasks(_made(folder / "whole").sizes())
    if count < len(tasks):
        tasks = chance.sample(tasks, count)
    # Long and short ones mixed, so that the progress is even and both workers end together.
    chance.shuffle(tasks)
    chunks = [tasks[at : at + _CHUNK] for at in range(0, len(tasks), _CHUNK)]
    totals: Counter[str] = Counter(count=len(tasks), detected=0, cut=0, intact=0, wrong=0)
    workers = multiprocessing.get_context("forkserver").Pool(os.cpu_count(), _begin, (folder,))
    with workers as pool:
        for outcome in pool.imap_unordered(_judge, chunks):
            totals.update(outcome)
            progress(sum(totals[name] for name in ("detected", "cut", "intact", "wrong")), len(tasks))
    return dict(totals)


def _tasks(sizes: dict[str, int]) -> list[_Task]:
    prefixes = [("cut", name, length) for name, size in sizes.items() for length in range(size)]
    return prefixes + [("flip", name, bit) for name, size in sizes.items() for bit in range(size * 8)]


def _made(folder: Path) -> Judge:
    folder.mkdir()
    return Judge(make(folder, _CARRIED, _LOGGED))


def _begin(folder: Path) -> None:
    _judges.append(_made(folder / str(os.getpid())))


def _judge(tasks: list[_Task]) -> dict[str, int]:
    outcomes: Counter[str] = Counter()
    for kind, name, at in tasks:
        judge = _judges[0]
        try:
            outcomes[judge.cut(name, at) if kind == "cut" else judge.flip(name, at)] += 1
        except Wrong as why:
            outcomes["wrong"] += 1
            print(f"\nbits: {why}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - any other error of reader or lane is one that it does not name
            outcomes["wrong"] += 1
            print(f"\nbits: {kind} {name} at {at}: {type(error).__name__}: {error}", file=sys.stderr)
    return dict(outcomes)
