"""What verification speaks of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One stored record: the place that the file says it has, its exact bytes, its signature."""

    ep: int
    seq: int
    data: bytes
    signature: bytes


@dataclass(frozen=True)
class Bad:
    """The first bad record. `seq` 0: the epoch as a whole. `kind` is a stable word, `why` is for people."""

    ep: int
    seq: int
    kind: str
    why: str
