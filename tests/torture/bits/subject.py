"""The files that are damaged: as they lie on the disk after a kill -9 in the middle of an append."""

from pathlib import Path

from tests.core.journal.lane import TestLane, fill

FILES = ("journal.db", "journal.db-wal")
# The system's own VFS by its name: the same code, but the log is not lengthened by 4 MiB of zeros at each opening.
VFS = "unix"
_ZEROS_KEPT = 512


def make(folder: Path, carried: int, logged: int) -> TestLane:
    """`carried` records lie in the database, the last of them acknowledged, and `logged` in its log.

    The very last record is complete, but the process was killed before it could say so: neither the backend nor the
    anchor knows it, so it alone may be cut.
    """
    lane = TestLane(folder)
    made = TestLane(folder / "made")
    made.folder.mkdir()
    with made.open(vfs=VFS) as journal:
        heads = fill(journal, carried)
        journal.acknowledge(made.acknowledgement(heads[-1]))
    (made.folder / FILES[1]).unlink()
    with made.open(vfs=VFS) as journal:
        fill(journal, logged - 1, first=carried + 1)
        lane.anchor_path.write_bytes(made.anchor_path.read_bytes())
        fill(journal, 1, first=carried + logged)
        for name in FILES:
            raw = (made.folder / name).read_bytes()
            (folder / name).write_bytes(raw[: len(raw.rstrip(b"\0")) + _ZEROS_KEPT] if name.endswith("-wal") else raw)
    return lane
