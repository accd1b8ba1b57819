"""The lane's key files: a pair that fits, whatever a crash has left."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kiosk.lane.keys import StateKeys
from kiosk.records.config import BadConfig
from kiosk.records.identity import check_certificate, identity_public, raw_public


@pytest.fixture
def keys(tmp_path: Path) -> StateKeys:
    identity = ec.derive_private_key(7, ec.SECP256R1())
    pem = identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "identity.key").write_bytes(pem)
    found = StateKeys(tmp_path, "dev-1")
    found.make(1)
    return found


def lay_ready(folder: Path) -> str:
    """A following pair for epoch 1, as `kassa-provision rotate-key` leaves it; its public key."""
    other = folder / "other"
    other.mkdir()
    (other / "identity.key").write_bytes((folder / "identity.key").read_bytes())
    _, certificate = StateKeys(other, "dev-1").make(1)
    (other / "journal-1.key").rename(folder / "journal-1.next.key")
    (other / "journal-1.cert.json").rename(folder / "journal-1.next.cert.json")
    return certificate.key


def test_a_made_key_is_certified_kept_secret_and_found_again(keys: StateKeys, tmp_path: Path) -> None:
    key, certificate = keys.make(42)
    check_certificate(certificate, identity_public(keys.identity()))
    assert (tmp_path / "journal-42.key").stat().st_mode & 0o777 == 0o600
    found = keys.find(42, raw_public(key))
    assert found is not None
    assert found[1] == certificate
    assert keys.find(42, raw_public(keys.load(1)[0])) is None
    assert keys.find(7, raw_public(key)) is None
    assert keys.newest() == 42


def test_a_change_of_keys_may_be_cut_off_anywhere(keys: StateKeys, tmp_path: Path) -> None:
    old = keys.load(1)[1].key
    new = lay_ready(tmp_path)
    for step in ("nothing renamed", "the key renamed", "both renamed"):
        if step == "the key renamed":
            (tmp_path / "journal-1.next.key").rename(tmp_path / "journal-1.key")
        if step == "both renamed":
            keys.followed(1)
        found = keys.find(1, new)
        assert found is not None, step
        key, certificate = keys.load(1)
        assert certificate.key == raw_public(key), step
        assert certificate.key == (old if step == "nothing renamed" else new)
    assert keys.following(1) is None


@pytest.mark.parametrize("name", ["journal-1.key", "journal-1.cert.json", "identity.key"])
@pytest.mark.parametrize("content", [b"", b"\xff" * 99, None])
def test_a_damaged_key_file_is_named(keys: StateKeys, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadConfig, match=name):
        keys.load(1) if "journal" in name else keys.identity()
    assert keys.find(1, "x") is None


def test_other_files_are_no_keys(keys: StateKeys, tmp_path: Path) -> None:
    for name in ("journal-x.key", "journal-.key", "journal-٣.key"):
        (tmp_path / name).write_bytes(b"")
    assert keys.newest() == 1
