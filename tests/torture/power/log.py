"""The log of a disk: every write and every flush, in order. What `power.device` writes and `power.cuts` reads."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "disk"
"""The one file of the logging disk."""
_ENTRY = struct.Struct("<QQ")
_FLUSH = 2**64 - 1


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


class Flush:
    """Everything written before it is on the disk for good."""


def write_entry(offset: int, data: bytes) -> bytes:
    return _ENTRY.pack(offset, len(data)) + data


def flush_entry() -> bytes:
    return _ENTRY.pack(_FLUSH, 0)


def read_log(path: Path) -> Iterator[tuple[int, Write | Flush]]:
    """What was done, in order, each with the log's length after it: what a reader of `Path.stat` could have seen."""
    raw = path.read_bytes()
    at = 0
    while at < len(raw):
        offset, size = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size
        if offset == _FLUSH:
            yield at, Flush()
        else:
            yield at + size, Write(offset, raw[at : at + size])
            at += size
