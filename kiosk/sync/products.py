"""Catalogue versions down: a signed manifest, and the products file that it names."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import msgspec

from kiosk.api.client import LaneClient
from kiosk.records.catalogue import from_ndjson
from kiosk.records.identity import BadIdentity, Enrolment, public_key
from kiosk.records.manifest import Manifest, check
from kiosk.records.sale import Product
from kiosk.sync.http import HttpBackend
from kiosk.sync.versions import Channel, Taken, Untrusted

MAX_PRODUCTS_BYTES = 2 * 1024**3
Build = Callable[[Iterable[Product], Manifest, Path], None]


class Catalogues(Channel[Manifest]):
    """`build` writes the lane's file, whole or not at all; it blocks."""

    name: ClassVar[str] = "catalogue"

    def __init__(self, enrolment: Enrolment, folder: Path, backend: HttpBackend, build: Build) -> None:
        super().__init__(enrolment, folder, backend)
        self.build = build

    def newest(self, etag: str) -> tuple[Manifest, str] | None:
        found = self.backend.manifest(etag)
        if found is not None:
            judge(found[0], self.enrolment)
        return found

    def store(self, found: Manifest) -> None:
        download = self.folder / ".products.part"
        try:
            with download.open("wb") as file:
                digest = hashlib.sha256()

                def write(chunk: bytes) -> None:
                    digest.update(chunk)
                    file.write(chunk)

                self.backend.products(found.version, found.size_bytes, write)
                size = file.tell()
            if (size, digest.hexdigest()) != (found.size_bytes, found.sha256):
                raise Untrusted(f"the products file of {found.version} ({size} bytes) is not the one that is signed")
            with download.open("rb") as lines:
                self.build(from_ndjson(lines, found.version), found, self.file(found.version))
        finally:
            download.unlink(missing_ok=True)

    def file(self, version: str) -> Path:
        return self.folder / f"catalogue-{version}.db"

    async def tell(self, lane: LaneClient, found: Manifest) -> str:
        present = (await lane.status()).catalogue
        if present != found.version:
            await lane.catalogue_ready(version=found.version)
        return present

    def decode(self, data: bytes) -> Taken[Manifest]:
        return msgspec.json.decode(data, type=Taken[Manifest])


def judge(manifest: Manifest, enrolment: Enrolment) -> None:
    """Raises Untrusted: wrong signature or size."""
    try:
        check(public_key(enrolment.release_key), manifest)
    except BadIdentity as error:
        raise Untrusted(str(error)) from None
    if not 1 <= manifest.size_bytes <= MAX_PRODUCTS_BYTES:
        raise Untrusted(f"a products file of {manifest.size_bytes} bytes; 1 to {MAX_PRODUCTS_BYTES} are allowed")
