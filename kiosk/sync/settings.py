"""The shop's settings down: one small signed document, kept as it came, for the kiosk verifies it itself."""

from pathlib import Path
from typing import ClassVar

import msgspec

from kiosk.api.client import LaneClient
from kiosk.records.identity import BadIdentity, public_key
from kiosk.records.settings import SignedSettings, check, file_name
from kiosk.sync.versions import Channel, Taken, Untrusted, write_whole


class Known(msgspec.Struct, frozen=True):
    """What sync remembers of a version: the staff's hashes stay in the signed file alone."""

    version: str
    sequence: int
    shop: str
    signature: str


class ShopSettings(Channel[Known]):
    name: ClassVar[str] = "settings"
    _signed: SignedSettings | None = None

    def newest(self, etag: str) -> tuple[Known, str] | None:
        answer = self.backend.settings(etag)
        if answer is None:
            return None
        signed, new_etag = answer
        try:
            settings = check(public_key(self.enrolment.release_key), signed)
        except BadIdentity as error:
            raise Untrusted(str(error)) from None
        self._signed = signed
        return Known(settings.version, settings.sequence, settings.shop, signed.signature), new_etag

    def store(self, found: Known) -> None:
        assert self._signed is not None
        write_whole(self.file(found.version), msgspec.json.encode(self._signed))

    def file(self, version: str) -> Path:
        return self.folder / ("settings-*.json" if version == "*" else file_name(version))

    async def tell(self, lane: LaneClient, found: Known) -> str:
        present = (await lane.status()).settings
        if present != found.version:
            await lane.settings_ready(version=found.version)
        return present

    def decode(self, data: bytes) -> Taken[Known]:
        return msgspec.json.decode(data, type=Taken[Known])
