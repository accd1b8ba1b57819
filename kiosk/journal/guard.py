"""What guards the door of a journal: the lock, whose key it is, and foreign errors put in this module's words."""

import fcntl
import os
import struct
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.journal.errors import Damaged, Locked, NoJournal, OutOfService, WrongJournal
from kiosk.records.identity import KeyCertificate, raw_public
from kiosk.records.lifecycle import MAX_EPOCH

# struct flock of the C library: type, whence, start, length, process.
_FLOCK = struct.Struct("@hhqqi4x")


def check_identity(dev: str, ep: int, key: Ed25519PrivateKey, certificate: KeyCertificate) -> None:
    if not 0 < ep <= MAX_EPOCH:
        raise WrongJournal(f"epoch {ep} is out of range; 1 to {MAX_EPOCH} are allowed")
    if (certificate.dev, certificate.ep) != (dev, ep):
        raise WrongJournal(
            f"the certificate is for device {certificate.dev!r}, epoch {certificate.ep}; expected {dev!r}, epoch {ep}"
        )
    if certificate.key != raw_public(key):
        raise WrongJournal(f"the certificate of epoch {ep} is for another journal key")


def take_lock(path: Path) -> int:
    """The descriptor that holds the journal's lock; closing it gives the lock up. Raises Locked, OSError.

    A file of its own: closing any descriptor of the database itself would drop SQLite's locks. A lock of the open
    file description (fcntl(2), F_OFD_SETLK) excludes this very process too, and can be asked for without taking it.
    """
    fd = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
    except OSError:
        os.close(fd)
        raise Locked(f"{path} is open in another process") from None
    return fd


def lock_held(path: Path) -> bool:
    """Whether a lane has the journal open now. Takes no lock, so that it is never in a starting lane's way."""
    try:
        fd = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_RDLCK))
    finally:
        os.close(fd)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _flock(kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0)


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def translate(error: BaseException, path: Path) -> None:
    """Foreign errors of opening, in this module's words."""
    if isinstance(error, apsw.NotADBError):
        raise NoJournal(f"{path} is not a Kassa journal") from None
    if isinstance(error, apsw.CorruptError | UnicodeDecodeError):
        raise Damaged("file", 0, 0, f"its pages do not hold together: {error}") from None
    if isinstance(error, apsw.Error | OSError):
        raise OutOfService(f"{path} cannot be opened: {error}") from None
