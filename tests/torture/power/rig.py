"""The disk with a file system on it: FUSE file, loop device, ext4. Needs root, /dev/fuse, loop devices, e2fsprogs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.torture.power.log import NAME

IMAGE_BYTES = 24 * 1024 * 1024
_BLOCK_BYTES = "4096"
_BACKUP_BLOCK = "2048"
"""Blocks in a group, and so where the second group, with the backup of the superblock, begins."""
_TOOLS = ("mkfs.ext4", "e2fsck", "losetup", "mount", "umount")


def why_not() -> str:
    """Why power cuts cannot be tried here; empty when they can."""
    if os.geteuid() != 0:
        return "power cuts need root, for a loop device and mounts"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.access(device, os.R_OK | os.W_OK):
            return f"power cuts need {device}"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"power cuts need {', '.join(missing)}" if missing else ""


def call(*command: str | Path, good: tuple[int, ...] = (0,)) -> str:
    """Its output. Raises RuntimeError with what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode not in good:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def make_image(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, IMAGE_BYTES)
    # 4 KiB blocks as on a real disk, and no initialisation left for later. Groups small enough that there is a second
    # one: like a real disk it then has a backup of the superblock.
    lazy = "lazy_itable_init=0,lazy_journal_init=0"
    call("mkfs.ext4", "-q", "-F", "-b", _BLOCK_BYTES, "-g", _BACKUP_BLOCK, "-J", "size=4", "-E", lazy, path)


@contextmanager
def logged_disk(folder: Path, image: Path, log: Path) -> Iterator[Path]:
    """The image, mounted as ext4; every write and flush below it goes into `log`."""
    below, mounted = folder / "below", folder / "mounted"
    below.mkdir()
    mounted.mkdir()
    log.touch()
    with ExitStack() as undo:
        command = [sys.executable, "-m", "tests.torture.power.device", below, image, log]
        server = undo.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        undo.callback(server.kill)
        if server.stdout is None or server.stdout.readline() != b"ready\n":
            raise RuntimeError("the logging disk did not start")
        undo.callback(call, "umount", below)
        loop = call("losetup", "--find", "--show", below / NAME)
        undo.callback(call, "losetup", "--detach", loop)
        call("mount", "-t", "ext4", "-o", "noatime", loop, mounted)
        undo.callback(call, "umount", mounted)
        yield mounted
    mounted.rmdir()
    below.rmdir()


@contextmanager
def recovered(image: Path, mounted: Path) -> Iterator[bool]:
    """A file with a disk's image, mounted as at boot: ext4 recovers itself, and where it cannot, for a superblock that
    was torn between its two sectors, e2fsck puts it right first, from the backup if need be. Whether it had to. Raises
    RuntimeError."""
    mount = ("mount", "-t", "ext4", "-o", "loop,noatime", image, mounted)
    repaired = False
    try:
        call(*mount)
    except RuntimeError:
        repaired = True
        # 1: errors were corrected.
        try:
            call("e2fsck", "-fy", image, good=(0, 1))
        except RuntimeError:
            call("e2fsck", "-fy", "-b", _BACKUP_BLOCK, "-B", _BLOCK_BYTES, image, good=(0, 1))
        call(*mount)
    try:
        yield repaired
    finally:
        call("umount", mounted)
