"""Catalogue down: ask for the newest manifest, verify it, fetch its products, build the lane's file, tell the lane.

What was taken last stands in `sync.json` in the catalogue folder; every step before that is done again after a
crash, and no step leaves a file under its final name that is not whole.
"""

import asyncio
import hashlib
import os
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.records.catalogue import CatalogueError, from_ndjson
from kiosk.records.identity import BadIdentity, Enrolment, public_key
from kiosk.records.manifest import Manifest, check
from kiosk.records.sale import Product
from kiosk.sync.http import HttpBackend
from kiosk.sync.meaning import Failed
from kiosk.sync.threads import in_thread

log = structlog.get_logger()
MAX_PRODUCTS_BYTES = 2 * 1024**3
KEEP_VERSIONS = 3
_MAX_PAUSE_S = 300.0
_VERSION = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
Build = Callable[[Iterable[Product], Manifest, Path], None]


class Untrusted(Exception):
    """A manifest or products file that must not be used; the text says why."""


class Taken(msgspec.Struct, frozen=True):
    """`sync.json`. `versions`: what is kept, oldest first."""

    etag: str = ""
    manifest: Manifest | None = None
    versions: list[str] = []


def judge(manifest: Manifest, present: Manifest | None, enrolment: Enrolment) -> None:
    """Raises Untrusted: wrong signature, shop or form, or older than what is there."""
    try:
        check(public_key(enrolment.release_key), manifest)
    except BadIdentity as error:
        raise Untrusted(str(error)) from None
    if manifest.shop != enrolment.shop:
        raise Untrusted(f"the catalogue is for shop {manifest.shop!r}, this lane is of {enrolment.shop!r}")
    if not _VERSION.fullmatch(manifest.version):
        raise Untrusted(f"version {manifest.version!r}; allowed: 1 to 40 of 0-9, A-Z, a-z and -")
    if not 1 <= manifest.size_bytes <= MAX_PRODUCTS_BYTES:
        raise Untrusted(f"a products file of {manifest.size_bytes} bytes; 1 to {MAX_PRODUCTS_BYTES} are allowed")
    if present is None:
        return
    if manifest.sequence < present.sequence:
        raise Untrusted(f"version {manifest.version} is older than the present {present.version}: no step back")
    if manifest.sequence == present.sequence and manifest != present:
        raise Untrusted(f"another catalogue under the sequence {manifest.sequence} of the present one")


@dataclass
class Downlink:
    """`build` writes the lane's file, whole or not at all; it blocks, in a thread of its own."""

    enrolment: Enrolment
    state: Path
    lane: Path
    backend: HttpBackend
    build: Build
    every_s: float = 60.0
    luck: Callable[[], float] = random.random
    _failures: int = field(default=0, init=False)

    @property
    def folder(self) -> Path:
        return self.state / "catalogue"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            pause = self.every_s
            if self._failures:
                pause = max(1.0, self.luck() * min(_MAX_PAUSE_S, 2.0 * 2.0 ** min(self._failures, 10)))
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """One look for a newer version. True when the lane has, or was told of, the newest one."""
        try:
            await in_thread(self.refresh)
            await self._tell()
        except Failed as error:
            if error.status == 404:
                log.info("no_catalogue", message=str(error))
                self._failures = 0
                return True
            return self._failed("catalogue_unreachable", error)
        except (Untrusted, CatalogueError) as error:
            return self._failed("catalogue_refused", error)
        except OSError as error:
            return self._failed("catalogue_not_stored", error)
        except (LaneGone, LaneRefused) as error:
            return self._failed("catalogue_not_taken", error)
        self._failures = 0
        return True

    def _failed(self, event: str, error: Exception) -> bool:
        self._failures += 1
        log.warning(event, message=str(error).splitlines()[0] if str(error) else type(error).__name__)
        return False

    def refresh(self) -> None:
        """Fetch and build what is newer. Blocks. Raises Failed, Untrusted, CatalogueError, OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = self._taken()
        have = taken.manifest is not None and self._file(taken.manifest.version).exists()
        found = self.backend.manifest(taken.etag if have else "")
        if found is None:
            return
        manifest, etag = found
        judge(manifest, taken.manifest, self.enrolment)
        if not self._file(manifest.version).exists():
            self._fetch(manifest)
        others = [version for version in taken.versions if version != manifest.version]
        versions = [*others, manifest.version][-KEEP_VERSIONS:]
        self._write_taken(Taken(etag, manifest, versions))
        log.info("catalogue_stored", version=manifest.version, products=manifest.products)

    def _fetch(self, manifest: Manifest) -> None:
        download = self.folder / ".products.part"
        try:
            with download.open("wb") as file:
                digest = hashlib.sha256()

                def write(chunk: bytes) -> None:
                    digest.update(chunk)
                    file.write(chunk)

                self.backend.products(manifest.version, manifest.size_bytes, write)
                size = file.tell()
            if (size, digest.hexdigest()) != (manifest.size_bytes, manifest.sha256):
                raise Untrusted(f"the products file of {manifest.version} ({size} bytes) is not the one that is signed")
            with download.open("rb") as lines:
                self.build(from_ndjson(lines, manifest.version), manifest, self._file(manifest.version))
        finally:
            download.unlink(missing_ok=True)

    async def _tell(self) -> None:
        """Say it again until the lane has it: a crash may have come between the file and the word."""
        manifest = self._taken().manifest
        if manifest is None:
            return
        async with await LaneClient.connect(self.lane) as lane:
            status = await lane.status()
            if status.catalogue != manifest.version:
                await lane.catalogue_ready(version=manifest.version)
        self._prune(status.catalogue)

    def _prune(self, in_use: str) -> None:
        """Keep the last few versions, and the one that the lane sells by."""
        taken = self._taken()
        keep = {*taken.versions, in_use}
        by_age = sorted(self.folder.glob("catalogue-*.db"), key=lambda path: path.stat().st_mtime)
        for path in by_age[:-KEEP_VERSIONS]:
            version = path.name.removeprefix("catalogue-").removesuffix(".db")
            if version not in keep:
                path.unlink(missing_ok=True)
                log.info("catalogue_pruned", version=version)

    def _file(self, version: str) -> Path:
        return self.folder / f"catalogue-{version}.db"

    def _taken(self) -> Taken:
        try:
            return msgspec.json.decode((self.folder / "sync.json").read_bytes(), type=Taken)
        except FileNotFoundError:
            return Taken()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("sync_state_unreadable", message=str(error))
            return Taken()

    def _write_taken(self, taken: Taken) -> None:
        path = self.folder / "sync.json"
        temporary = path.with_name(".sync.json.part")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(taken))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
