"""The write-ahead log seen from outside: what SQLite passes over without a word.

SQLite ends its recovery at the first frame whose checksum is wrong and takes all after it for leftovers. That is
right for a torn last transaction and wrong for rot in the middle: records that were durable would vanish. Here every
transaction is synced before the next one begins, so frames of a *later* transaction prove that the earlier one had
been complete. Layout: SQLite file format, section 4.1 (https://www.sqlite.org/fileformat2.html).
"""

import os
import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
PREALLOCATED_BYTES = 4 * 1024 * 1024
SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


def header_bytes_fit(header: bytes) -> bool:
    """Whether the 32 bytes carry the checksum that they should."""
    words = _HEADER.unpack(header)
    if words[0] not in (_MAGIC_LITTLE, _MAGIC_BIG):
        return False
    return _checksum(words[0], (0, 0), header[:24]) == words[6:8]


def _checksum(magic: int, before: tuple[int, int], data: bytes) -> tuple[int, int]:
    """The log's running checksum after `data` (a multiple of 8 bytes)."""
    first, second = before
    words = struct.unpack(f"{'<' if magic == _MAGIC_LITTLE else '>'}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second


def lost_by_recovery(path: Path, recovered_frames: int) -> str:
    """Why the log at `path` holds more than the `recovered_frames` that SQLite took from it; empty if it does not.

    Reads the file only.
    """
    try:
        with path.open("rb") as file:
            return _inspect(file.fileno(), recovered_frames)
    except FileNotFoundError:
        return ""


def _inspect(fd: int, recovered_frames: int) -> str:
    header = os.pread(fd, _HEADER.size, 0)
    if len(header) < _HEADER.size or not any(header):
        return ""
    if not header_bytes_fit(header):
        return "the header of its write-ahead log is damaged"
    words = _HEADER.unpack(header)
    salts, step = words[4:6], _FRAME.size + words[2]
    committed = False
    position = _HEADER.size + recovered_frames * step
    before = words[6:8]
    if recovered_frames:
        before = _FRAME.unpack(os.pread(fd, _FRAME.size, position - step))[4:6]
    while len(frame := os.pread(fd, _FRAME.size, position)) == _FRAME.size:
        fields = _FRAME.unpack(frame)
        ours = fields[2:4] == salts
        # A sector's end between the commit mark and the salts: after a power cut one may be older than the other.
        split = (position + 8) % SECTOR_BYTES == 0
        if (ours and split) or (not ours and (fields[2] == salts[0] or fields[3] == salts[1])):
            # Or rot in a salt: what is left of an older log differs in both. The checksum knows: it covers the mark
            # and follows from the frame before.
            page = os.pread(fd, words[2], position + _FRAME.size)
            fits = len(page) == words[2] and _checksum(words[0], before, frame[:8] + page) == fields[4:6]
        else:
            fits = ours
        if ours or fits:
            if committed:
                return "a record in the middle of its write-ahead log is damaged, and whole ones come after it"
            committed = fits and fields[1] != 0
        before = fields[4:6]
        position += step
    return ""


def preallocate(path: Path) -> None:
    """Lengthen the log to PREALLOCATED_BYTES with zeros, once.

    Overwriting blocks that exist spares each later fdatasync the file system's own journal, which is a good part of
    its time. Zeros, not fallocate: an unwritten extent would have to be converted at each write. Blocking; OSError
    when there is no room.
    """
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        missing = PREALLOCATED_BYTES - os.fstat(fd).st_size
        if missing > 0:
            os.write(fd, bytes(missing))
            os.fsync(fd)
    finally:
        os.close(fd)
