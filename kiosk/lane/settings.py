"""The shop's settings as the lane goes by them: verified here, whoever put the file there, and never an older one."""

import logging
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.core import events as on
from kiosk.lane.interpreter import Lane
from kiosk.records.identity import BadIdentity
from kiosk.records.settings import Settings, file_name, read_file

_log = logging.getLogger("kassa.lane.settings")


def read_version(folder: Path, version: str, key: Ed25519PublicKey, shop: str) -> Settings:
    """Raises ValueError for a version that is not there, not signed, or not of this shop. Blocks for a small file."""
    path = folder / file_name(version)
    try:
        settings = read_file(path, key)
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    except BadIdentity as error:
        raise ValueError(f"{path.name}: {error}") from None
    if settings.shop != shop or settings.version != version:
        raise ValueError(
            f"{path.name}: version {settings.version!r} of shop {settings.shop!r}; this lane is of {shop!r}"
        )
    return settings


def newest(folder: Path, key: Ed25519PublicKey, shop: str, floor: int, now_ms: int) -> Settings | None:
    """The version with the highest sequence that is at least `floor` and whose time has come. Files that cannot be
    used are passed over, and named in the log."""
    best: Settings | None = None
    for path in sorted(folder.glob("settings-*.json")):
        try:
            found = read_version(folder, path.name.removeprefix("settings-").removesuffix(".json"), key, shop)
        except ValueError as error:
            _log.warning("passed over: %s", error)
            continue
        if found.sequence < floor or found.valid_from_ms > now_ms:
            continue
        if best is None or found.sequence > best.sequence:
            best = found
    return best


class ShopSettings:
    """Which version the lane goes by. `use` is told of each, `now_ms` is the lane's clock. All on the lane's thread,
    except for construction."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PublicKey,
        shop: str,
        lane: Lane,
        use: Callable[[Settings | None], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._folder, self._key, self._shop = folder, key, shop
        self._now_ms = now_ms
        self._lane = lane
        self._use = use

    def hold(self, version: str) -> None:
        """Go on with the version that the journal names; without it nobody can identify."""
        try:
            self._use(self._version(version) if version else None)
        except ValueError as error:
            _log.error("nobody can identify: %s", error)

    def adopt(self, version: str) -> None:
        """A version lies in the folder. Raises ValueError when it does not verify."""
        self._version(version)
        self.take()

    def take(self) -> None:
        """Take the newest version that holds by now, if nobody is in the middle of something."""
        state = self._lane.snapshot().state
        if state.sale is not None or state.attendant is not None or state.health.journal:
            return
        found = newest(self._folder, self._key, self._shop, state.settings.sequence + 1, self._now_ms())
        if found is not None:
            self._use(found)
            self._lane.post(on.SettingsAdopted(found.version, found.sequence))
            _log.info("settings %s with %d staff", found.version, len(found.staff))

    def _version(self, version: str) -> Settings:
        return read_version(self._folder, version, self._key, self._shop)
