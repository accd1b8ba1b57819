"""Shops and their enrolment tokens."""

import hashlib
import re
import secrets
import unicodedata

import sqlalchemy as sa

from cloud import schema
from cloud.clock import Clock
from cloud.keys import token_hash
from cloud.store import Store

MODES = ("live", "training", "test")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HOUR_MS = 3_600_000
_REG = re.compile(r"[0-9A-Za-z-]{1,16}")


class BadShop(ValueError):
    """A shop, register or mode that cannot be; the text says what is allowed."""


def shop_id(name: str) -> str:
    """A name as it goes into addresses: ASCII letters, digits and dashes; a hash where a script leaves none."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ø", "o").replace("æ", "ae"))
    slug = re.sub(r"[^0-9a-z]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")[:40]
    return slug or "shop-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def ensure_shop(connection: sa.Connection, name_or_id: str, now_ms: int) -> str:
    """The id of a shop, found by id or name, made if it is new. Raises BadShop."""
    name = name_or_id.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise BadShop("a shop's name has 1 to 80 printable characters")
    table = schema.shops
    found = connection.scalar(sa.select(table.c.shop).where(sa.or_(table.c.shop == name, table.c.name == name)))
    if found is not None:
        return str(found)
    shop = shop_id(name)
    while (taken := connection.scalar(sa.select(table.c.name).where(table.c.shop == shop))) is not None:
        if taken == name:  # made by another process since the look above
            return shop
        shop = f"{shop_id(name)}-{secrets.token_hex(2)}"
    connection.execute(table.insert().values(shop=shop, name=name, created_ms=now_ms))
    return shop


def new_token(store: Store, clock: Clock, shop: str, reg: str, *, mode: str = "live", hours: int = 24) -> str:
    """A one-time enrolment token for a register. Only its hash is stored. Blocks on the database. Raises BadShop."""
    if not _REG.fullmatch(reg):
        raise BadShop(f"register {reg!r}: 1 to 16 ASCII letters, digits and dashes are allowed")
    if mode not in MODES:
        raise BadShop(f"mode {mode!r}; allowed: {', '.join(MODES)}")
    token = "-".join("".join(secrets.choice(_CROCKFORD) for _ in range(5)) for _ in range(4))
    now = clock()

    def keep(connection: sa.Connection) -> None:
        connection.execute(
            schema.tokens.insert().values(
                hash=token_hash(token),
                shop=ensure_shop(connection, shop, now),
                reg=reg,
                mode=mode,
                created_ms=now,
                expires_ms=now + hours * _HOUR_MS,
            )
        )

    store.run(keep)
    return token
