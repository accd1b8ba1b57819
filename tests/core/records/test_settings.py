"""Signed settings, badges and PINs."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from kiosk.records.identity import BadIdentity
from kiosk.records.settings import (
    Settings,
    SignedSettings,
    Staff,
    badge_hash,
    check,
    file_name,
    find_badge,
    pin_hash,
    pin_right,
    read_file,
    sign,
)

KEY = Ed25519PrivateKey.generate()
SALT = "0f" * 16
ANNA = Staff("a-1", badge_hash("s", "STAFF-1234"), SALT, pin_hash("2580", SALT), ("approve",))
SETTINGS = Settings("v1", 1, "s", 0, 0, (ANNA,))


def test_what_a_later_version_writes_verifies_and_is_read_over() -> None:
    later = msgspec.to_builtins(SETTINGS) | {"opening_hours": ["7-21"]}
    document = msgspec.json.encode(later).decode()
    from kiosk.records.identity import b64

    signed = SignedSettings(document, b64(KEY.sign(b"kassa shop settings v1\x00" + document.encode())))
    assert check(KEY.public_key(), signed) == SETTINGS


def test_every_changed_character_is_noticed() -> None:
    signed = sign(KEY, SETTINGS)
    for at in range(len(signed.document)):
        changed = signed.document[:at] + chr(ord(signed.document[at]) ^ 1) + signed.document[at + 1 :]
        with pytest.raises(BadIdentity):
            check(KEY.public_key(), SignedSettings(changed, signed.signature))


def test_a_file_of_another_key_or_of_rubbish_is_refused(tmp_path: Path) -> None:
    path = tmp_path / file_name("v1")
    path.write_bytes(msgspec.json.encode(sign(Ed25519PrivateKey.generate(), SETTINGS)))
    with pytest.raises(BadIdentity, match="not signed"):
        read_file(path, KEY.public_key())
    path.write_bytes(b"\xff")
    with pytest.raises(BadIdentity, match="no signed settings"):
        read_file(path, KEY.public_key())


def test_a_badge_counts_in_its_shop_and_in_its_time() -> None:
    assert find_badge(SETTINGS, "s", "STAFF-1234", 5) == ANNA
    assert find_badge(SETTINGS, "t", "STAFF-1234", 5) is None
    assert find_badge(SETTINGS, "s", "STAFF-1235", 5) is None
    later = replace(SETTINGS, staff=(replace(ANNA, valid_from_ms=10, valid_until_ms=20),))
    assert [find_badge(later, "s", "STAFF-1234", now) is not None for now in (9, 10, 19, 20)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_pin_is_right_or_wrong_whatever_is_given() -> None:
    assert pin_right(ANNA, "2580")
    assert not any(pin_right(ANNA, pin) for pin in ("", "258", "25800", "2581", "\ud800", "x" * 1000))


@pytest.mark.parametrize("version", ["", "../x", "a/b", "a" * 41, "a b", "\u0661"])
def test_a_version_that_is_no_plain_word_names_no_file(version: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        file_name(version)
