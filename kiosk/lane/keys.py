"""The lane's key files in its state folder: the identity key, and the journal keys that it has certified.

`journal-EPOCH.key` and `journal-EPOCH.cert.json` are the pair in use; `journal-EPOCH.next.*` is one that is to follow
(`kassa-provision rotate-key`). Whether it has followed is said by the journal alone, so a crash at any point of the
change leaves a pair that fits.
"""

import os
import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.journal.recovery import JournalKey
from kiosk.records.config import BadConfig
from kiosk.records.identity import KeyCertificate, certify, identity_public, raw_public

_AGAIN = "put it back, or enrol the lane again (kassa-provision enrol --replace)"


class StateKeys:
    """`kiosk.journal.recovery.KeyRing` over the state folder."""

    def __init__(self, state: Path, dev: str) -> None:
        self._state = state
        self._dev = dev

    def load(self, ep: int) -> JournalKey:
        """The pair of an epoch that is in use. Raises BadConfig."""
        keys, certificates = self._keys(ep), self._certificates(ep)
        for key in keys:
            for certificate in certificates:
                if certificate.key == raw_public(key):
                    return key, certificate
        raise BadConfig(f"{self._path(ep, '.cert.json')} is for another key than {self._path(ep, '.key')}: {_AGAIN}")

    def find(self, ep: int, public: str) -> JournalKey | None:
        try:
            keys, certificates = self._keys(ep), self._certificates(ep)
        except BadConfig:
            return None
        key = next((key for key in keys if raw_public(key) == public), None)
        certificate = next((certificate for certificate in certificates if certificate.key == public), None)
        return None if key is None or certificate is None else (key, certificate)

    def following(self, ep: int) -> JournalKey | None:
        """The pair that is to follow in this epoch, if one lies ready. Raises BadConfig."""
        if not self._path(ep, ".next.cert.json").exists():
            return None
        key, certificate = self._key(ep, ".next.key"), self._certificate(ep, ".next.cert.json")
        if certificate.key != raw_public(key):
            raise BadConfig(f"{self._path(ep, '.next.cert.json')} is for another key than the one beside it")
        return key, certificate

    def followed(self, ep: int) -> None:
        """The journal has gone over to the following pair: it becomes the one in use."""
        for name in (".key", ".cert.json"):
            following = self._path(ep, f".next{name}")
            if following.exists():
                following.rename(self._path(ep, name))
        _sync(self._state)

    def make(self, ep: int) -> JournalKey:
        identity = self.identity()
        key = Ed25519PrivateKey.generate()
        certificate = certify(identity, self._dev, ep, key)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(self._path(ep, ".key"), pem, 0o600)
        _write(self._path(ep, ".cert.json"), msgspec.json.encode(certificate) + b"\n", 0o644)
        return key, certificate

    def newest(self) -> int:
        numbers = [path.name.removeprefix("journal-").partition(".")[0] for path in self._state.glob("journal-*.key")]
        return max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=0)

    def identity(self) -> ec.EllipticCurvePrivateKey:
        """Raises BadConfig."""
        path = self._state / "identity.key"
        key = _pem(path)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadConfig(f"{path} is no P-256 private key in PEM: {_AGAIN}")
        return key

    def identity_public(self) -> str:
        return identity_public(self.identity())

    def _path(self, ep: int, end: str) -> Path:
        return self._state / f"journal-{ep}{end}"

    def _keys(self, ep: int) -> list[Ed25519PrivateKey]:
        following = [".next.key"] if self._path(ep, ".next.key").exists() else []
        return [self._key(ep, end) for end in (".key", *following)]

    def _certificates(self, ep: int) -> list[KeyCertificate]:
        following = [".next.cert.json"] if self._path(ep, ".next.cert.json").exists() else []
        return [self._certificate(ep, end) for end in (".cert.json", *following)]

    def _key(self, ep: int, end: str) -> Ed25519PrivateKey:
        path = self._path(ep, end)
        key = _pem(path)
        if not isinstance(key, Ed25519PrivateKey):
            raise BadConfig(f"{path} is no Ed25519 private key in PEM: {_AGAIN}")
        return key

    def _certificate(self, ep: int, end: str) -> KeyCertificate:
        path = self._path(ep, end)
        try:
            return msgspec.json.decode(path.read_bytes(), type=KeyCertificate)
        except OSError as error:
            raise BadConfig(f"{path}: {error.strerror}: {_AGAIN}") from None
        except (UnicodeDecodeError, msgspec.MsgspecError):
            raise BadConfig(f"{path} is no certificate of a journal key: {_AGAIN}") from None


def _pem(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}: {_AGAIN}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not there, durable on return."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
