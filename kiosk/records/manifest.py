"""A catalogue version on its way down: the signed manifest over its products file."""

import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.records.canonical import NotCanonical, canonical
from kiosk.records.identity import BadIdentity, b64, unb64
from kiosk.records.sale import Currency

_CONTEXT = b"kassa catalogue version v1\x00"


class Manifest(msgspec.Struct, frozen=True):
    """`version`: rising text such as `20261121T120000Z-1`, of [0-9A-Za-z-], at most 40. `sha256` and `size_bytes` are
    of the products file (NDJSON of `Product`, one a line, UTF-8). `valid_from_ms`: not to be used before. `shop`: whom
    it is for; `sequence` rises with every version, so that an older one is never taken again."""

    version: str
    sequence: int
    shop: str
    currency: Currency
    prices_include_tax: bool
    products: int
    size_bytes: int
    sha256: str
    valid_from_ms: int
    created_ms: int
    signature: str = ""


def _message(manifest: Manifest) -> bytes:
    return _CONTEXT + canonical(msgspec.structs.replace(manifest, signature=""))


def sign(key: Ed25519PrivateKey, manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, signature=b64(key.sign(_message(manifest))))


def check(key: Ed25519PublicKey, manifest: Manifest) -> None:
    """Raises BadIdentity when the manifest is not signed by the pinned release key."""
    try:
        key.verify(unb64(manifest.signature), _message(manifest))
    except NotCanonical as error:
        raise BadIdentity(f"the catalogue manifest {error}") from None
    except InvalidSignature:
        raise BadIdentity("the catalogue manifest is not signed by the pinned release key") from None


def digest(products: bytes) -> str:
    return hashlib.sha256(products).hexdigest()
