"""Which version of the shop's settings a lane goes by."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.lane.settings import newest, read_version
from kiosk.records.settings import Settings, file_name, sign

KEY = Ed25519PrivateKey.generate()
NOW_MS = 1_000


def put(folder: Path, sequence: int, *, valid_from_ms: int = 0, shop: str = "s", key: Ed25519PrivateKey = KEY) -> str:
    version = f"v{sequence}"
    signed = sign(key, Settings(version, sequence, shop, valid_from_ms, 0))
    (folder / file_name(version)).write_bytes(msgspec.json.encode(signed))
    return version


def found(folder: Path, floor: int = 0) -> int:
    settings = newest(folder, KEY.public_key(), "s", floor, NOW_MS)
    return settings.sequence if settings is not None else 0


def test_the_highest_that_is_signed_for_this_shop_and_whose_time_has_come(tmp_path: Path) -> None:
    put(tmp_path, 3)
    put(tmp_path, 10)
    put(tmp_path, 11, valid_from_ms=NOW_MS + 1)
    put(tmp_path, 12, shop="t")
    put(tmp_path, 13, key=Ed25519PrivateKey.generate())
    (tmp_path / "settings-v14.json").write_bytes(b"{")
    assert found(tmp_path) == 10


def test_never_an_older_one_than_the_lane_went_by(tmp_path: Path) -> None:
    put(tmp_path, 3)
    assert found(tmp_path, floor=4) == 0


def test_a_file_under_another_versions_name_is_refused(tmp_path: Path) -> None:
    version = put(tmp_path, 3)
    (tmp_path / file_name(version)).rename(tmp_path / file_name("v9"))
    with pytest.raises(ValueError, match="v3"):
        read_version(tmp_path, "v9", KEY.public_key(), "s")
