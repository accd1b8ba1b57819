"""Disks as a power cut may leave them: all that was flushed, and any part of the rest, sector by sector."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.power.log import Flush, read_log

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Cut:
    """The disk's image after the power went when the log was `log_bytes` long. `unflushed` sectors had been written
    since the last flush; `kept` of these writes reached the disk."""

    image: bytes
    log_bytes: int
    unflushed: int
    kept: int


def cuts(image: bytes, log: Path, count: int, chance: random.Random) -> Iterator[Cut]:
    """`count` cuts at random entries of the log, in its order. `image`: the disk before the first entry."""
    entries = list(read_log(log))
    points = sorted(chance.choices(range(len(entries)), k=count))
    durable, waiting, done = bytearray(image), [], 0
    for point in points:
        while done <= point:
            _, entry = entries[done]
            if isinstance(entry, Flush):
                for write in waiting:
                    durable[write.offset : write.offset + len(write.data)] = write.data
                waiting = []
            else:
                waiting.append(entry)
            done += 1
        sectors = [
            (write.offset + at, write.data[at : at + SECTOR_BYTES])
            for write in waiting
            for at in range(0, len(write.data), SECTOR_BYTES)
        ]
        # None, all, or each by chance: the extremes are cuts too, and a coin for each sector would hardly make them.
        likely = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        kept = [sector for sector in sectors if chance.random() < likely]
        result = bytearray(durable)
        for offset, data in kept:
            result[offset : offset + len(data)] = data
        yield Cut(bytes(result), entries[point][0], len(sectors), len(kept))


class Promises:
    """What had been reported durable, by the log's length at that moment."""

    def __init__(self, reports: list[tuple[int, int, str]]) -> None:
        self._lengths = [length for length, _, _ in reports]
        self._records = [(seq, digest) for _, seq, digest in reports]

    def until(self, log_bytes: int) -> list[tuple[int, str]]:
        """Number and hash of the records that must be on a disk whose log was that long."""
        return self._records[: bisect_right(self._lengths, log_bytes)]
