"""Ballast: room on the disk that is given up so that the open sale can be finished when the disk is full."""

import os
from pathlib import Path

BALLAST_BYTES = 16 * 1024 * 1024
LOW_WATER_BYTES = 64 * 1024 * 1024


class Reserve:
    """`path`: the ballast file, on the journal's own file system. No method raises."""

    def __init__(self, path: Path, *, ballast_bytes: int = BALLAST_BYTES, low_water_bytes: int = LOW_WATER_BYTES):
        self._path = path
        self._ballast_bytes = ballast_bytes
        self._low_water_bytes = low_water_bytes
        self._whole = False
        self.restore()

    def free_bytes(self) -> int:
        stat = os.statvfs(self._path.parent)
        return stat.f_bavail * stat.f_frsize

    def ok(self) -> bool:
        """Whether a new sale may begin: the ballast is whole and the disk is above the low-water mark."""
        return self._whole and self.free_bytes() >= self._low_water_bytes

    def release(self) -> bool:
        """Give the ballast up. False when there was none."""
        had = self._whole
        self._whole = False
        if had:
            try:
                self._resize(0)
            except OSError:
                return False
        return had

    def restore(self) -> None:
        """Take the ballast back as soon as there is room for it above the low-water mark."""
        if self._whole:
            return
        try:
            present = self._path.stat().st_size if self._path.exists() else 0
            if self.free_bytes() + present < self._low_water_bytes + self._ballast_bytes:
                return
            self._resize(self._ballast_bytes)
            self._whole = True
        except OSError:
            self._whole = False

    def _resize(self, size: int) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if size:
                os.posix_fallocate(fd, 0, size)
            else:
                os.ftruncate(fd, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
