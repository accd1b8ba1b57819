"""What comes down in signed versions: the rule that no version steps back, and what was taken last.

A folder per kind holds the versions as files and `sync.json`, which is written last: every step before that is done
again after a crash, and no step leaves a file under its final name that is not whole.
"""

import os
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec
import structlog

from kiosk.api.client import LaneClient
from kiosk.records.identity import Enrolment
from kiosk.sync.http import HttpBackend

log = structlog.get_logger()
KEEP_VERSIONS = 3
_VERSION = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)


class Untrusted(Exception):
    """A version that must not be used; the text says why."""


class Version(Protocol):
    @property
    def version(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def shop(self) -> str: ...


V = TypeVar("V", bound=Version)
S = TypeVar("S", bound=Version)


class Taken(msgspec.Struct, Generic[V], frozen=True):
    """`sync.json`. `versions`: what is kept, oldest first. `manifest`: what is known of the last one."""

    etag: str = ""
    manifest: V | None = None
    versions: list[str] = []


def in_order(found: S, present: S | None, enrolment: Enrolment, what: str) -> None:
    """Raises Untrusted: of another shop, of a wrong form, or older than what is there."""
    if found.shop != enrolment.shop:
        raise Untrusted(f"the {what} is for shop {found.shop!r}, this lane is of {enrolment.shop!r}")
    if not _VERSION.fullmatch(found.version):
        raise Untrusted(f"version {found.version!r}; allowed: 1 to 40 of 0-9, A-Z, a-z and -")
    if present is None:
        return
    if found.sequence < present.sequence:
        raise Untrusted(f"version {found.version} is older than the present {present.version}: no step back")
    if found.sequence == present.sequence and found != present:
        raise Untrusted(f"another {what} under the sequence {found.sequence} of the present one")


class Channel(ABC, Generic[V]):
    """One kind of what comes down. `name` begins its words in the log."""

    name: ClassVar[str]

    def __init__(self, enrolment: Enrolment, folder: Path, backend: HttpBackend) -> None:
        self.enrolment = enrolment
        self.folder = folder
        self.backend = backend

    @abstractmethod
    def newest(self, etag: str) -> tuple[V, str] | None:
        """The newest version, verified as far as it goes by itself, and its ETag; None: still that of `etag`. Raises
        Failed, Untrusted."""

    @abstractmethod
    def store(self, found: V) -> None:
        """Put its file there, whole or not at all. Raises Failed, Untrusted, OSError."""

    @abstractmethod
    def file(self, version: str) -> Path: ...

    @abstractmethod
    async def tell(self, lane: LaneClient, found: V) -> str:
        """Tell the lane of it if it has another one; answers which it had. Raises LaneGone, LaneRefused."""

    @abstractmethod
    def decode(self, data: bytes) -> Taken[V]: ...

    def refresh(self) -> None:
        """Fetch and store what is newer. Blocks. Raises Failed, Untrusted, OSError, and what `store` raises."""
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = self.taken()
        have = taken.manifest is not None and self.file(taken.manifest.version).exists()
        answer = self.newest(taken.etag if have else "")
        if answer is None:
            return
        found, etag = answer
        in_order(found, taken.manifest, self.enrolment, self.name)
        if not self.file(found.version).exists():
            self.store(found)
        others = [version for version in taken.versions if version != found.version]
        self._write_taken(Taken(etag, found, [*others, found.version][-KEEP_VERSIONS:]))
        log.info(f"{self.name}_stored", version=found.version)

    def taken(self) -> Taken[V]:
        try:
            return self.decode((self.folder / "sync.json").read_bytes())
        except FileNotFoundError:
            return Taken()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("sync_state_unreadable", message=str(error))
            return Taken()

    def prune(self, in_use: str) -> None:
        """Keep the last few versions, and the one that the lane goes by."""
        keep = {self.file(version) for version in (*self.taken().versions, in_use) if version}
        pattern = self.file("*").name
        by_age = sorted(self.folder.glob(pattern), key=lambda path: path.stat().st_mtime)
        for path in by_age[:-KEEP_VERSIONS]:
            if path not in keep:
                path.unlink(missing_ok=True)
                log.info(f"{self.name}_pruned", file=path.name)

    def _write_taken(self, taken: Taken[V]) -> None:
        write_whole(self.folder / "sync.json", msgspec.json.encode(taken))


def write_whole(path: Path, data: bytes) -> None:
    """The file with these bytes, or as it was before; on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
