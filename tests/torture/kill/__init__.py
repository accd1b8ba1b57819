"""kill -9 of a real appending process at random points: nothing durable is lost, nothing doubled, nothing torn.

One after the other, processes go on with the same journal, each until it is killed: half of them at a random moment
from their start (so that opening, recovery and the first append are hit too), half from their first record. Meanwhile
their records are read in the process, and by another that verifies the live file. After `_KILLS_PER_JOURNAL` the whole
journal is compared with what was reported, and a new one begun, so that each opening stays short.
"""

import multiprocessing
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count as counting
from pathlib import Path

from tests.core.journal.lane import TestLane
from tests.torture.kill.appender import append_until_killed
from tests.torture.kill.ledger import Ledger
from tests.torture.kill.onlooker import verify_until_stopped
from tests.torture.proofs import Progress

_KILLS_PER_JOURNAL = 100
_LONGEST_S = 0.03
_START_S = 60
_AT_ONCE = 2
_context = multiprocessing.get_context("forkserver")
# Starting and forgetting a process both walk the one list of children, which knows nothing of threads.
_children = threading.Lock()


def run(count: int, seed: int, progress: Progress) -> dict[str, int]:
    """`count` kills, on two journals at a time. Counts records, acknowledgements, looks from outside, and faults."""
    _context.set_forkserver_preload(["tests.torture.kill.appender", "tests.torture.kill.onlooker"])
    done = counting(1)
    shares = [min(_KILLS_PER_JOURNAL, count - first) for first in range(0, count, _KILLS_PER_JOURNAL)]
    totals: Counter[str] = Counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        runs = [
            pool.submit(_one_journal, kills, random.Random(f"{seed} {index}"), lambda: progress(next(done), count))
            for index, kills in enumerate(shares)
        ]
        for finished in runs:
            totals.update(finished.result())
    return dict(totals)


def _one_journal(kills: int, chance: random.Random, killed: Callable[[], None]) -> dict[str, int]:
    folder = Path(tempfile.mkdtemp(prefix="kassa-kill-"))
    ledger = Ledger()
    try:
        with _onlooker(folder, ledger.hear):
            for _ in range(kills):
                for report in _append_and_kill(folder, chance.uniform(0, _LONGEST_S), from_start=chance.random() < 0.5):
                    ledger.hear(report)
                killed()
        return ledger.compare(TestLane(folder))
    finally:
        shutil.rmtree(folder)


@contextmanager
def _onlooker(folder: Path, hear: Callable[[str], None]) -> Iterator[None]:
    mine, its = _context.Pipe()
    process = _context.Process(target=verify_until_stopped, args=(folder, its))
    with _children:
        process.start()
    its.close()
    try:
        yield
        mine.send_bytes(b"stop")
        for report in _until_end(mine):
            hear(report)
    finally:
        process.kill()
        process.join()
        with _children:
            process.close()
        mine.close()


def _append_and_kill(folder: Path, delay_s: float, *, from_start: bool) -> list[str]:
    """What the process reported before the kill. Waiting for the pipe to go quiet for that long would be no random
    point, so whatever it reports meanwhile is read afterwards."""
    mine, its = _context.Pipe(duplex=False)
    process = _context.Process(target=append_until_killed, args=(folder, its))
    with _children:
        process.start()
    its.close()
    try:
        if not from_start and not mine.poll(_START_S):
            return ["failed the appending process reported nothing"]
        process.join(delay_s)
        process.kill()
        return list(_until_end(mine))
    finally:
        process.kill()
        process.join()
        with _children:
            process.close()
        mine.close()


def _until_end(pipe: "multiprocessing.connection.Connection[bytes, bytes]") -> Iterator[str]:
    try:
        while True:
            yield pipe.recv_bytes().decode()
    except (EOFError, ConnectionResetError):
        return
