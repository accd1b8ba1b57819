"""The file as it is found at start: opened and inspected, or set aside where it cannot be a journal any more."""

import os
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal import opening
from kiosk.journal.database import Database, wal_path
from kiosk.journal.errors import Damaged, NoJournal
from kiosk.journal.recovery import Departure, Recovery, place
from kiosk.records.journal import Head

_BROKEN = (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError, NoJournal, Damaged)


def opened(
    path: Path, vfs: str, dev: str, cosign_key: Ed25519PublicKey, known: Head | None, recovery: Recovery | None
) -> tuple[Database, opening.Opened]:
    """`known`: what the head anchor says. Without `recovery` every fault raises, and nothing is changed."""
    if recovery is None:
        return _inspected(path, vfs, dev, cosign_key, known, None)
    ours = known if known is not None and known.dev == dev and known.seq > 0 else None
    if ours is not None and not path.exists():
        found = _inspected(path, vfs, dev, cosign_key, None, recovery)
        why = f"{path.name} is not there, and the head anchor has seen record {ours.seq} of epoch {ours.ep}"
        found[1].departure = Departure("missing", why, place(ours))
        return found
    try:
        return _inspected(path, vfs, dev, cosign_key, known, recovery)
    except _BROKEN as error:
        if ours is None and isinstance(error, NoJournal | apsw.NotADBError):
            raise  # it may be someone else's file, and nothing says that a journal was ever here
        why = f"its pages do not hold together: {error}"
    aside = _set_aside(path)
    found = _inspected(path, vfs, dev, cosign_key, None, recovery)
    found[1].departure = Departure("file", why, place(ours), aside=aside)
    return found


def _inspected(
    path: Path, vfs: str, dev: str, cosign_key: Ed25519PublicKey, known: Head | None, recovery: Recovery | None
) -> tuple[Database, opening.Opened]:
    database = Database(path, vfs)
    try:
        identity_key = "" if recovery is None else recovery.identity_key
        return database, opening.inspect(database, dev, cosign_key, known, identity_key, mend=recovery is not None)
    except BaseException:
        database.close()
        raise


def _set_aside(path: Path) -> str:
    """Give the file and its log another name, durably; nothing of it is lost. Returns the file's new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    # The log first: without its file it is no journal, while a file without its log looks whole and is not.
    for source, target in (
        (wal_path(path), wal_path(aside)),
        (path.with_name(path.name + "-shm"), aside.with_name(aside.name + "-shm")),
        (path, aside),
    ):
        if source.exists():
            source.rename(target)
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return aside.name
