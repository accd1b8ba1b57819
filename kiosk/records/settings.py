"""A shop's settings on their way down: one small document, signed as the exact text that is sent.

What a later version writes into it is not known here and still verifies, since the text is verified and not what was
read out of it. The first content is the staff: opaque references and hashes. A name is personal data, and stays out.
"""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.records.identity import BadIdentity, b64, unb64

ROLES = ("approve", "void", "payments", "day", "suspend")
"""approve: restricted items. void: take lines off, cancel. payments: settle what is unclear. day: reports and close.
suspend: move a sale to another till."""
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_STAFF = 500
BADGE_PREFIX = "STAFF-"
"""How the badges begin that the backend makes."""
PIN = re.compile(r"[0-9]{4,8}", re.ASCII)
_CONTEXT = b"kassa shop settings v1\x00"
_BADGE_CONTEXT = b"kassa staff badge v1\x00"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_FILE = re.compile(r"settings-([0-9A-Za-z-]{1,40})\.json", re.ASCII)

Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Staff(msgspec.Struct, frozen=True):
    """`badge_hash` by `badge_hash`; `pin_hash` by `pin_hash` with `pin_salt`, all in hex. Times are UTC milliseconds,
    `valid_until_ms` 0: without an end."""

    attendant_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-z-]{1,40}$")]
    badge_hash: Hex32
    pin_salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    pin_hash: Hex32
    roles: tuple[str, ...]
    valid_from_ms: int = 0
    valid_until_ms: int = 0

    def valid(self, now_ms: int) -> bool:
        return self.valid_from_ms <= now_ms and (not self.valid_until_ms or now_ms < self.valid_until_ms)


class Settings(msgspec.Struct, frozen=True):
    """`sequence` rises with every version of a shop, so that an older one is never taken again. `valid_from_ms`: not
    to be used before."""

    version: str
    sequence: int
    shop: str
    valid_from_ms: int
    created_ms: int
    staff: tuple[Staff, ...] = ()


class SignedSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`document`: the settings as JSON text; `signature`: base64, of that text."""

    document: str
    signature: str


def sign(key: Ed25519PrivateKey, settings: Settings) -> SignedSettings:
    document = msgspec.json.encode(settings).decode()
    return SignedSettings(document, b64(key.sign(_CONTEXT + document.encode())))


def check(key: Ed25519PublicKey, signed: SignedSettings) -> Settings:
    """The settings in it. Raises BadIdentity when they are not signed by the pinned release key, or are none."""
    data = signed.document.encode("utf-8", "surrogatepass")
    try:
        key.verify(unb64(signed.signature), _CONTEXT + data)
    except InvalidSignature:
        raise BadIdentity("the shop's settings are not signed by the pinned release key") from None
    try:
        settings = msgspec.json.decode(data, type=Settings)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadIdentity(f"the signed settings cannot be read: {error}") from None
    if len(data) > MAX_DOCUMENT_BYTES or len(settings.staff) > MAX_STAFF:
        raise BadIdentity(f"settings of {len(data)} bytes, {len(settings.staff)} staff; allowed: {MAX_STAFF} staff")
    return settings


def file_name(version: str) -> str:
    """Raises ValueError for a version that is no plain word, and so might leave the folder."""
    name = f"settings-{version}.json"
    if not _FILE.fullmatch(name):
        raise ValueError(f"settings version {version!r} is not allowed; allowed: 1 to 40 of 0-9, A-Z, a-z and -")
    return name


def read_file(path: Path, key: Ed25519PublicKey) -> Settings:
    """Raises BadIdentity, OSError. Blocks for one small file."""
    with path.open("rb") as file:
        data = file.read(4 * MAX_DOCUMENT_BYTES)
    try:
        signed = msgspec.json.decode(data, type=SignedSettings)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadIdentity(f"{path.name} holds no signed settings: {error}") from None
    return check(key, signed)


def badge_hash(shop: str, badge: str) -> str:
    """Of a badge's text. Badges carry 100 random bits, so a plain hash gives nothing away; the shop is in it, so that
    equal badges of two shops do not show."""
    return hashlib.sha256(_BADGE_CONTEXT + shop.encode() + b"\x00" + badge.encode("utf-8", "surrogatepass")).hexdigest()


def pin_hash(pin: str, salt: str) -> str:
    """By scrypt (RFC 7914), about 50 ms and 16 MiB: a PIN has few digits, so that each guess must cost something."""
    derived = hashlib.scrypt(
        pin.encode("utf-8", "surrogatepass"), salt=bytes.fromhex(salt), n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32
    )
    return derived.hex()


def find_badge(settings: Settings, shop: str, text: str, now_ms: int) -> Staff | None:
    """Whose badge this is, among those valid now. Compares in constant time and looks at all."""
    digest, found = badge_hash(shop, text), None
    for staff in settings.staff:
        if hmac.compare_digest(staff.badge_hash, digest) and staff.valid(now_ms):
            found = staff
    return found


def pin_right(staff: Staff, pin: str) -> bool:
    return hmac.compare_digest(pin_hash(pin, staff.pin_salt), staff.pin_hash)
