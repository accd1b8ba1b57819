"""The shop's settings as the lane goes by them: verified here, whoever put the file there, and never an older one."""

import logging
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
