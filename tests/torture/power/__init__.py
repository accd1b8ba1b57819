"""Power cuts: a process writes a real journal and its anchor on ext4, on a disk that logs every write and flush. From
the log come disks as a power cut may leave them: everything flushed, and any part of the rest, sector by sector. ext4
recovers as at boot, the lane opens its journal, and every record that had been reported durable is there and verifies.

A negative control does the same with one flush left out, and must lose records: else the rig would prove nothing.
"""

import multiprocessing
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.torture.power import rig
from tests.torture.power.cuts import Promises, cuts
from tests.torture.power.examine import examine
from tests.torture.power.writer import write
from tests.torture.proofs import Progress

_CUTS_PER_RECORDING = 250
_RECORDS = 200
_CONTROL_SHARE = 20
_MEMORY = Path("/dev/shm")
why_not = rig.why_not


def run(count: int, seed: int, progress: Progress) -> dict[str, int]:
    """`count` disks, and a twentieth of that for the negative control. Raises NotImplementedError where the rig cannot
    be built. Counts records on the disks, sectors that had not been flushed, disks that e2fsck had to put right;
    `control_lost` are those that the control lost."""
    if why := why_not():
        raise NotImplementedError(why)
    totals: Counter[str] = Counter(dict.fromkeys(("records", "unflushed", "lost", "doubled", "torn", "wrong"), 0))
    control = max(count // _CONTROL_SHARE, 10)
    for first in range(0, count, _CUTS_PER_RECORDING):
        here = min(_CUTS_PER_RECORDING, count - first)
        totals.update(_recording(here, f"{seed} {first}", lambda done, at=first: progress(at + done, count + control)))
    lost = _recording(control, f"{seed} control", lambda done: progress(count + done, count + control), forget=True)
    return dict(totals) | {"control": control, "control_lost": lost["lost"] + lost["wrong"] + lost["torn"]}


def _recording(count: int, seed: str, tick: Callable[[int], None], *, forget: bool = False) -> dict[str, int]:
    """One journal written, and `count` cuts of its power."""
    folder = Path(tempfile.mkdtemp(prefix="kassa-power-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        image, log = folder / "image", folder / "log"
        rig.make_image(image)
        before = image.read_bytes()
        with rig.logged_disk(folder, image, log) as mounted:
            promises = Promises(_written(mounted, log, seed, forget=forget))
        counters: Counter[str] = Counter()
        for done, cut in enumerate(cuts(before, log, count, random.Random(seed)), 1):
            counters.update(examine(folder, cut, promises.until(cut.log_bytes), quiet=forget))
            tick(done)
        return counters
    finally:
        shutil.rmtree(folder)


def _written(mounted: Path, log: Path, seed: str, *, forget: bool) -> list[tuple[int, int, str]]:
    """What the process reported. It is another one, so that nothing of it is open when the disk is taken away."""
    context = multiprocessing.get_context("forkserver")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=write, args=(mounted, log, _RECORDS, seed, its), kwargs={"forget": forget})
    process.start()
    its.close()
    reports = []
    try:
        while True:
            reports.append(mine.recv())
    except EOFError:
        process.join()
    if process.exitcode or len(reports) != _RECORDS:
        raise RuntimeError(f"the writing process ended with {process.exitcode} after {len(reports)} records")
    return reports
