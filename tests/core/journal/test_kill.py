"""kill -9 of a real appending process at random points: nothing acknowledged is lost, nothing doubled, nothing torn.

KASSA_KILLS sets how many kills; the default is for every run.
"""

import multiprocessing
import os
import random
from pathlib import Path

import pytest

from kiosk.journal.source import Source
from kiosk.journal.verify import Keys, verify
from kiosk.records.identity import identity_public
from tests.core.journal.appender import append_until_killed, fill_of
from tests.core.journal.lane import TestLane

KILLS = int(os.environ.get("KASSA_KILLS", "40"))
_LONGEST_S = 0.03
_START_S = 60


@pytest.mark.timeout(120 + KILLS)
def test_kill(lane: TestLane) -> None:
    chance = random.Random(4711)
    reported: dict[int, str] = {}
    for _ in range(KILLS):
        reported |= _append_and_kill(lane.folder, chance.uniform(0, _LONGEST_S))
    with lane.open() as journal:
        numbers = []
        for record in journal.tail():
            numbers.append(record.body["n"])
            assert record.body["fill"] == fill_of(record.body["n"]), f"record {record.seq} is torn"
        assert numbers == list(range(1, journal.head().seq + 1))
        assert journal.head().seq >= max(reported)
        for seq, digest in reported.items():
            assert journal.read(1, seq, 1, 1).prev == digest, f"record {seq} is not the one that was reported durable"
    keys = Keys(identity_public(lane.identity), lane.cosign.public_key(), lane.dev)
    with Source(lane.path) as source:
        assert verify(source.entries(), source.certificates, source.acknowledgements, keys).bad is None


def _append_and_kill(folder: Path, delay_s: float) -> dict[int, str]:
    """What the process reported before the kill. The delay runs from its first record; waiting for the pipe to go
    quiet for that long would be no random point, so whatever it reports meanwhile is read afterwards."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.core.journal.appender"])
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=append_until_killed, args=(folder, its))
    process.start()
    its.close()
    reports = []
    try:
        assert mine.poll(_START_S), "the appending process reported nothing"
        process.join(delay_s)
        process.kill()
        while True:
            reports.append(mine.recv_bytes().decode())
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
        process.close()
        mine.close()
    return {int(seq): digest for seq, digest in (report.split() for report in reports)}
