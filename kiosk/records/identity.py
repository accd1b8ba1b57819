"""Who a lane is: what enrolment answers, the certificate of its journal key, and the server's counter-signature."""

import base64
import binascii

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.records.canonical import NotCanonical, canonical
from kiosk.records.journal import Head

_ACK_CONTEXT = b"kassa journal acknowledgement v1\x00"
_CERTIFICATE_CONTEXT = b"kassa journal key v1\x00"
_PROOF_CONTEXT = b"kassa enrolment v1\x00"
_CHANGE_CONTEXT = b"kassa counter-signing key change v1\x00"
MAX_CHANGES = 64


class BadIdentity(ValueError):
    """A key, certificate or counter-signature that does not verify; the text says which and why."""


class EnrolmentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`POST /v1/enrol`. `identity_key`: P-256 public key, SubjectPublicKeyInfo DER in base64. `proof`: by that key
    over the token, so that a copied request is worth nothing without the key. `last_ep`: the highest epoch that the
    device has a journal key for; it may have begun some by itself that the backend never heard of."""

    token: str
    identity_key: str
    proof: str
    last_ep: int = 0


class Enrolment(msgspec.Struct, frozen=True):
    """What the backend answers, kept by the lane as `enrolment.json` (mode 0600: it holds `device_token`).

    `cosign_key` and `release_key` are raw Ed25519 public keys in base64: the first counter-signs journal heads, the
    second signs catalogue versions. Both are pinned here. `cosign_changes` led to the first: what earlier ones have
    counter-signed in this journal stays provable. `next_sale_no` and `next_receipt_no`: where the register's
    series go on, as far as the backend knows; a lane whose own journal knows better goes by that.
    """

    backend: str
    tenant: str
    shop: str
    shop_name: str
    reg: str
    dev: str
    ep: int
    mode: str
    device_token: str
    cosign_key: str
    release_key: str
    next_sale_no: int = 1
    next_receipt_no: int = 1
    cosign_changes: "tuple[CosignChange, ...]" = ()


class KeyCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The journal key of one epoch (raw Ed25519 public key, base64), certified by the device's identity key."""

    dev: str
    ep: int
    key: str
    signature: str = ""


class CosignChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The counter-signing key was changed from `old` to `new` (raw Ed25519 public keys, base64): both have signed."""

    old: str
    new: str
    old_signature: str
    new_signature: str


class Acknowledgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server's counter-signature over a head: it holds every record up to it. `cosig`: base64.

    `changes` lead from a key that a lane has pinned to the one that has signed: whoever trusts the first can verify
    with nothing else."""

    hwm: int
    hash: str
    cosig: str
    changes: tuple[CosignChange, ...] = ()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    """Raises BadIdentity."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadIdentity("is no base64") from None


def public_key(raw_base64: str) -> Ed25519PublicKey:
    """An Ed25519 public key from its 32 raw bytes in base64. Raises BadIdentity."""
    try:
        return Ed25519PublicKey.from_public_bytes(unb64(raw_base64))
    except ValueError as error:
        raise BadIdentity(f"an Ed25519 public key is 32 bytes in base64: {error}") from None


def raw_public(key: Ed25519PrivateKey) -> str:
    return b64(key.public_key().public_bytes_raw())


def identity_public(key: ec.EllipticCurvePrivateKey) -> str:
    """SubjectPublicKeyInfo DER of a P-256 key, base64."""
    return b64(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _identity_verify(spki_base64: str, signature: str, message: bytes, what: str) -> None:
    try:
        key = serialization.load_der_public_key(unb64(spki_base64))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadIdentity(f"the identity key is no public key: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadIdentity("the identity key must be of P-256")
    try:
        key.verify(unb64(signature), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise BadIdentity(f"{what} is not signed by the identity key") from None


def prove(key: ec.EllipticCurvePrivateKey, token: str) -> str:
    return b64(key.sign(_PROOF_CONTEXT + token.encode(), ec.ECDSA(hashes.SHA256())))


def check_proof(request: EnrolmentRequest) -> None:
    """Raises BadIdentity."""
    _identity_verify(request.identity_key, request.proof, _PROOF_CONTEXT + request.token.encode(), "the request")


def _certified(dev: str, ep: int, key: str) -> bytes:
    return _CERTIFICATE_CONTEXT + canonical({"dev": dev, "ep": ep, "key": key})


def certify(identity: ec.EllipticCurvePrivateKey, dev: str, ep: int, journal_key: Ed25519PrivateKey) -> KeyCertificate:
    """The certificate of a journal key, by ECDSA P-256 with SHA-256."""
    key = raw_public(journal_key)
    signature = identity.sign(_certified(dev, ep, key), ec.ECDSA(hashes.SHA256()))
    return KeyCertificate(dev, ep, key, b64(signature))


def check_certificate(certificate: KeyCertificate, identity_key: str) -> Ed25519PublicKey:
    """The certified journal key. Raises BadIdentity."""
    try:
        message = _certified(certificate.dev, certificate.ep, certificate.key)
    except NotCanonical as error:
        raise BadIdentity(f"the journal key's certificate {error}") from None
    _identity_verify(identity_key, certificate.signature, message, "the journal key's certificate")
    return public_key(certificate.key)


def acknowledge(key: Ed25519PrivateKey, head: Head, changes: tuple[CosignChange, ...] = ()) -> Acknowledgement:
    """Counter-sign a head."""
    return Acknowledgement(head.seq, head.hash, b64(key.sign(_ACK_CONTEXT + canonical(head))), changes)


def check_acknowledgement(key: Ed25519PublicKey, dev: str, ep: int, ack: Acknowledgement) -> Head:
    """The head that the server says it holds. Raises BadIdentity when the counter-signature is not its: by `key`, or
    by the one that the changes lead to from `key` on."""
    head = Head(dev, ep, ack.hwm, ack.hash)
    try:
        changed(key, ack.changes).verify(unb64(ack.cosig), _ACK_CONTEXT + canonical(head))
    except NotCanonical as error:
        raise BadIdentity(f"the acknowledgement {error}") from None
    except InvalidSignature:
        raise BadIdentity("the acknowledgement is not counter-signed by the pinned key") from None
    return head


def change_cosign(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> CosignChange:
    """Cross-sign: the old key names the new one, which proves that its owner holds it."""
    before, after = raw_public(old), raw_public(new)
    message = _CHANGE_CONTEXT + canonical({"old": before, "new": after})
    return CosignChange(before, after, b64(old.sign(message)), b64(new.sign(message)))


def earlier_keys(key: Ed25519PublicKey, changes: tuple[CosignChange, ...]) -> tuple[Ed25519PublicKey, ...]:
    """The keys that were changed for `key`, by its own word. Raises BadIdentity."""
    found: list[Ed25519PublicKey] = []
    for change in reversed(changes[-MAX_CHANGES:]):
        present = found[-1] if found else key
        if change.new == b64(present.public_bytes_raw()):
            before = public_key(change.old)
            if changed(before, (change,)).public_bytes_raw() == present.public_bytes_raw():
                found.append(before)
    return tuple(found)


def changed(key: Ed25519PublicKey, changes: tuple[CosignChange, ...]) -> Ed25519PublicKey:
    """The key that `changes` lead to from `key` on; `key` itself where none begins at it. Changes before it are
    passed over. Raises BadIdentity for one that is not signed by both of its keys."""
    if len(changes) > MAX_CHANGES:
        raise BadIdentity(f"{len(changes)} changes of the counter-signing key; at most {MAX_CHANGES} are allowed")
    for change in changes:
        if change.old != b64(key.public_bytes_raw()):
            continue
        successor, message = public_key(change.new), _CHANGE_CONTEXT + canonical({"old": change.old, "new": change.new})
        try:
            key.verify(unb64(change.old_signature), message)
            successor.verify(unb64(change.new_signature), message)
        except InvalidSignature:
            raise BadIdentity("a change of the counter-signing key is not signed by both keys") from None
        key = successor
    return key
