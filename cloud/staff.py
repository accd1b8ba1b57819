"""A shop's settings versions, and the staff in them. The PIN and the badge pass through and are never stored."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from cloud import schema
from cloud.clock import Clock
from cloud.keys import Keys
from cloud.shops import ensure_shop
from cloud.store import Store
from kiosk.records.settings import (
    BADGE_PREFIX,
    MAX_STAFF,
    PIN,
    ROLES,
    Settings,
    SignedSettings,
    Staff,
    badge_hash,
    pin_hash,
    sign,
)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MIN_BADGE, MAX_BADGE = 8, 80


class BadStaff(ValueError):
    """Not a member of staff that can be; the text says what is allowed."""


@dataclass(frozen=True)
class Times:
    """When somebody may identify, UTC milliseconds; 0: at once, without an end."""

    valid_from_ms: int = 0
    valid_until_ms: int = 0


def new_badge() -> str:
    """What a badge's QR or Code 128 holds: 100 random bits."""
    return BADGE_PREFIX + "".join(secrets.choice(_CROCKFORD) for _ in range(20))


def add(
    store: Store,
    keys: Keys,
    clock: Clock,
    shop: str,
    *,
    badge: str,
    pin: str,
    roles: tuple[str, ...],
    times: Times | None = None,
) -> tuple[Staff, Settings]:
    """One more, in a new version of the settings. Raises BadStaff, BadShop, Busy. Blocks on the database."""
    if not PIN.fullmatch(pin):
        raise BadStaff("a PIN has 4 to 8 digits")
    if len(set(pin)) == 1 or pin in "0123456789876543210":
        raise BadStaff("this PIN is guessed at once: all its digits are alike or in a row")
    if not MIN_BADGE <= len(badge) <= MAX_BADGE or not badge.isascii() or not badge.isprintable():
        raise BadStaff(f"a badge holds {MIN_BADGE} to {MAX_BADGE} printable ASCII characters")
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise BadStaff(f"role {', '.join(unknown) or 'none'}; allowed: {', '.join(ROLES)}")
    salt, times, made = secrets.token_hex(16), times or Times(), []
    hashed = pin_hash(pin, salt)

    def change(shop_id: str, staff: tuple[Staff, ...]) -> tuple[Staff, ...]:
        digest = badge_hash(shop_id, badge)
        if any(one.badge_hash == digest for one in staff):
            raise BadStaff("this badge is somebody's already")
        if len(staff) >= MAX_STAFF:
            raise BadStaff(f"a shop has at most {MAX_STAFF} staff")
        one = Staff(
            f"a-{secrets.token_hex(6)}", digest, salt, hashed, tuple(r for r in ROLES if r in roles),
            times.valid_from_ms, times.valid_until_ms,
        )  # fmt: skip
        made.append(one)
        return (*staff, one)

    settings = _publish(store, keys, clock, shop, change)
    return made[0], settings


def remove(store: Store, keys: Keys, clock: Clock, shop: str, attendant_id: str) -> Settings:
    """Raises BadStaff when nobody is known by this reference, BadShop, Busy."""

    def change(_: str, staff: tuple[Staff, ...]) -> tuple[Staff, ...]:
        left = tuple(one for one in staff if one.attendant_id != attendant_id)
        if len(left) == len(staff):
            raise BadStaff(f"nobody is known as {attendant_id!r}; `staff list` shows who is")
        return left

    return _publish(store, keys, clock, shop, change)


def newest(store: Store, shop: str) -> SignedSettings | None:
    with store.read() as connection:
        return _newest(connection, shop)


def shop_id(store: Store, name_or_id: str) -> str:
    """The id of a shop that is there; else what was given."""
    table = schema.shops
    query = sa.select(table.c.shop).where(sa.or_(table.c.shop == name_or_id, table.c.name == name_or_id))
    with store.read() as connection:
        return str(connection.scalar(query) or name_or_id)


def settings(signed: SignedSettings | None) -> Settings | None:
    """What the backend itself has signed."""
    return None if signed is None else msgspec.json.decode(signed.document, type=Settings)


def _newest(connection: sa.Connection, shop: str) -> SignedSettings | None:
    table = schema.settings
    query = sa.select(table.c.signed).where(table.c.shop == shop).order_by(table.c.sequence.desc()).limit(1)
    found = connection.scalar(query)
    return None if found is None else msgspec.json.decode(str(found), type=SignedSettings)


def _publish(
    store: Store,
    keys: Keys,
    clock: Clock,
    shop: str,
    change: Callable[[str, tuple[Staff, ...]], tuple[Staff, ...]],
) -> Settings:
    now = clock()
    with store.write() as connection:
        shop_id = ensure_shop(connection, shop, now)
        present = settings(_newest(connection, shop_id)) or Settings("", 0, shop_id, now, now)
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        sequence = present.sequence + 1
        made = replace(
            present,
            version=f"{stamp}-{sequence}",
            sequence=sequence,
            valid_from_ms=now,
            created_ms=now,
            staff=change(shop_id, present.staff),
        )
        signed = msgspec.json.encode(sign(keys.release, made)).decode()
        connection.execute(schema.settings.insert().values(shop=shop_id, sequence=sequence, signed=signed))
    return made
