"""The lane's two keys: its identity (P-256), and the journal key (Ed25519) of each epoch."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provisioning.enrol.files import write


class BadKey(ValueError):
    """A key file that cannot be used; the text names it and what was expected."""


def identity(state: Path) -> ec.EllipticCurvePrivateKey:
    """The identity key, made if there is none; `identity.pub` lies beside it. Raises BadKey, OSError."""
    path = state / "identity.key"
    if not path.exists():
        write(path, pem(ec.generate_private_key(ec.SECP256R1())))
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey(f"{path}: is no P-256 key; move it away to make a new identity")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write(state / "identity.pub", public, 0o644)
    return key


def journal(state: Path, ep: int) -> Ed25519PrivateKey:
    """The journal key of an epoch, made if there is none. Raises BadKey, OSError."""
    path = state / f"journal-{ep}.key"
    if not path.exists():
        write(path, pem(Ed25519PrivateKey.generate()))
    key = _load(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path}: is no Ed25519 key")
    return key


def newest_epoch(state: Path) -> int:
    """The highest epoch that there is a journal key for; 0 when there is none."""
    numbers = [path.name.removeprefix("journal-").partition(".")[0] for path in state.glob("journal-*.key")]
    return max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=0)


def pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path}: is no private key in PEM: {error}") from None
