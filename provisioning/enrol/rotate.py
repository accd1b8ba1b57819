"""A new journal key, laid ready: the lane goes over to it at its next start, by a record that the old key signs."""

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records.identity import Enrolment, certify
from provisioning.enrol import files, keys


class NotNow(Exception):
    """No key was made; the text says why."""


def rotate(state: Path) -> list[int]:
    """The epochs that a key lies ready for: the enrolment's, and a later one that the lane has begun by itself. Blocks
    on the disk. Raises NotNow, keys.BadKey, OSError."""
    try:
        with files.locked(state):
            return _rotate(state)
    except BlockingIOError:
        raise NotNow(f"{state} is being enrolled") from None


def _rotate(state: Path) -> list[int]:
    path = state / "enrolment.json"
    try:
        enrolment = msgspec.json.decode(path.read_bytes(), type=Enrolment)
    except FileNotFoundError:
        raise NotNow(f"{path} is not there: enrol the lane first (kassa-provision enrol)") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotNow(f"{path}: is no enrolment: {error}") from None
    if not (state / "identity.key").exists():
        raise NotNow(f"{state / 'identity.key'} is not there: a journal key could not be certified")
    if waiting := sorted(state.glob("journal-*.next.cert.json")):
        raise NotNow(f"{waiting[0]} lies ready already: the lane takes it at its next start")
    identity = keys.identity(state)
    epochs = sorted({enrolment.ep, max(enrolment.ep, keys.newest_epoch(state))})
    for ep in epochs:
        key = Ed25519PrivateKey.generate()
        # The certificate last: where it is, the pair is whole.
        files.write(state / f"journal-{ep}.next.key", keys.pem(key))
        certificate = certify(identity, enrolment.dev, ep, key)
        files.write(state / f"journal-{ep}.next.cert.json", msgspec.json.encode(certificate) + b"\n", 0o644)
    return epochs
