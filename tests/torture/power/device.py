"""A disk that remembers the order of what was done to it: a FUSE file system with one file, the disk's image.

Every write and every flush goes into a log before it is answered, one after the other. Run as a program: mount point,
image, log. A loop device on the file turns the kernel's flushes into fsync of it.
"""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any

import mfusepy

from tests.torture.power.log import NAME, flush_entry, write_entry


class LoggingDisk(mfusepy.Operations):  # type: ignore[misc]
    use_ns = True

    def __init__(self, image: Path, log: Path) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._size = os.fstat(self._image).st_size

    def init(self, path: str) -> None:
        print("ready", flush=True)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        if path != f"/{NAME}":
            raise mfusepy.FuseOSError(errno.ENOENT)
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": self._size}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", NAME]

    def open(self, path: str, flags: int) -> int:
        return self._image

    def release(self, path: str, fh: int) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(self._image, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        os.write(self._log, write_entry(offset, data))
        return os.pwrite(self._image, data, offset)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.write(self._log, flush_entry())
        return 0


if __name__ == "__main__":
    mount_point, image, log = sys.argv[1:]
    mfusepy.FUSE(LoggingDisk(Path(image), Path(log)), mount_point, foreground=True, nothreads=True, fsname="kassa-disk")
