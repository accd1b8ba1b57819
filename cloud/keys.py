"""The backend's secrets: two Ed25519 keys and the secret that device tokens are made from. Made at first start."""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records.identity import MAX_CHANGES, Acknowledgement, CosignChange, acknowledge, change_cosign, raw_public
from kiosk.records.journal import Head

_CHANGES, _FOLLOWING = "cosign-changes.json", "cosign.next.key"


class BadKey(ValueError):
    """A key file that cannot be used; the text names it."""


@dataclass(frozen=True)
class Keys:
    """`cosign` counter-signs journal heads, `release` signs catalogues. `changes`: how the first counter-signing
    key became this one; they go with every answer, for a lane that has pinned an earlier one."""

    cosign: Ed25519PrivateKey
    release: Ed25519PrivateKey
    _token_secret: bytes
    changes: tuple[CosignChange, ...] = ()

    def acknowledge(self, head: Head) -> Acknowledgement:
        return acknowledge(self.cosign, head, self.changes)

    def device_token(self, dev: str) -> str:
        """The bearer token of a device: derived, so that a lost enrolment answer can be given again though only the
        token's hash is stored."""
        return "kd_" + hmac.new(self._token_secret, b"device token v1\x00" + dev.encode(), hashlib.sha256).hexdigest()


def token_hash(token: str) -> str:
    """What is stored of a token. Tokens carry at least 100 random bits, so a plain hash gives nothing away."""
    return hashlib.sha256(b"kassa token v1\x00" + token.encode("utf-8", "surrogatepass")).hexdigest()


def load_or_make(folder: Path) -> Keys:
    """Blocks on the disk. Raises BadKey, OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    changes = _changes(folder)
    cosign = _ed25519(folder / "cosign.key")
    if changes and changes[-1].new != raw_public(cosign):
        raise BadKey(f"{folder / 'cosign.key'}: is not the key that {folder / _CHANGES} leads to")
    release = _ed25519(folder / "release.key")
    secret = _kept(folder / "token.secret", lambda: secrets.token_bytes(32))
    if len(secret) != 32:
        raise BadKey(f"{folder / 'token.secret'}: has {len(secret)} bytes, expected 32")
    return Keys(cosign, release, secret, changes)


def rotate_cosign(folder: Path) -> CosignChange:
    """A new counter-signing key, cross-signed with the present one. A running server takes it at its next start.
    Blocks on the disk. Raises BadKey, OSError.

    A crash in the middle leaves the change done or not begun: what the list of changes says is brought to its end by
    the next one who loads the keys.
    """
    keys = load_or_make(folder)
    if len(keys.changes) >= MAX_CHANGES:
        raise BadKey(f"{folder / _CHANGES}: holds {MAX_CHANGES} changes, which is all that a lane follows")
    following = folder / _FOLLOWING
    following.unlink(missing_ok=True)
    change = change_cosign(keys.cosign, _ed25519(following))
    changes = [*keys.changes, change]
    temporary = folder / f".{_CHANGES}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(changes), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / _CHANGES)
    sync_folder(folder)
    _changes(folder)
    return change


def _changes(folder: Path) -> tuple[CosignChange, ...]:
    path, following = folder / _CHANGES, folder / _FOLLOWING
    if not path.exists():
        return ()
    try:
        changes = msgspec.json.decode(path.read_bytes(), type=tuple[CosignChange, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadKey(f"{path}: is no list of key changes: {error}") from None
    if following.exists() and changes and changes[-1].new == raw_public(_ed25519(following)):
        following.rename(folder / "cosign.key")
        sync_folder(folder)
    return changes


def _ed25519(path: Path) -> Ed25519PrivateKey:
    pem = _kept(path, _new_pem)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path}: is no private key: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path}: is no Ed25519 key")
    return key


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes; made first if it is not there. A link never replaces a key that another process just made."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
        sync_folder(path.parent)
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Make a rename or link in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
