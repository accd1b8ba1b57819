"""Catalogue versions: a products file under its hash, and a signed manifest over it."""

import gzip
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.clock import Clock
from cloud.keys import Keys, sync_folder
from cloud.shops import ensure_shop
from cloud.store import Store
from kiosk.records.catalogue import encode_product
from kiosk.records.manifest import Manifest, sign
from kiosk.records.sale import Currency, Product

MAX_PRODUCTS = 5_000_000
_VERSION = re.compile(r"[0-9A-Za-z-]{1,40}")
# ISO 4217, with the decimals used at the till (Taiwan's has none there).
EXPONENTS = {
    "AUD": 2, "BGN": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HKD": 2, "HUF": 2,
    "ISK": 0, "JPY": 0, "KRW": 0, "NOK": 2, "NZD": 2, "PLN": 2, "RON": 2, "SEK": 2, "SGD": 2, "TWD": 0, "USD": 2,
}  # fmt: skip


class BadCatalogue(ValueError):
    """The catalogue cannot be published; the text says why."""


@dataclass(frozen=True)
class Terms:
    """What holds for a whole version. `valid_from_ms` 0: at once."""

    currency: Currency
    prices_include_tax: bool = True
    valid_from_ms: int = 0


def currency(text: str) -> Currency:
    """`DKK`, or `XYZ:3` for one that is not known here. Raises BadCatalogue."""
    code, _, decimals = text.partition(":")
    if not re.fullmatch(r"[A-Z]{3}", code) or not re.fullmatch(r"[0-4]?", decimals):
        raise BadCatalogue(f"currency {text!r}; allowed: an ISO 4217 code such as DKK, or CODE:DECIMALS")
    if decimals:
        return Currency(code, int(decimals))
    if code not in EXPONENTS:
        raise BadCatalogue(f"currency {code} is not known here; say how many decimals it has: {code}:2")
    return Currency(code, EXPONENTS[code])


def publish(store: Store, keys: Keys, clock: Clock, shop: str, products: Iterable[Product], terms: Terms) -> Manifest:
    """Write the products file, then the version. Blocks on disk and database. Raises BadCatalogue, BadShop, Busy."""
    count, size, digest = _write_products(folder(store), products)
    now = clock()

    def number(connection: sa.Connection) -> Manifest:
        shop_id = ensure_shop(connection, shop, now)
        table = schema.catalogues
        last = connection.scalar(sa.select(sa.func.max(table.c.sequence)).where(table.c.shop == shop_id)) or 0
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        manifest = sign(
            keys.release,
            Manifest(
                version=f"{stamp}-{last + 1}",
                sequence=last + 1,
                shop=shop_id,
                currency=terms.currency,
                prices_include_tax=terms.prices_include_tax,
                products=count,
                size_bytes=size,
                sha256=digest,
                valid_from_ms=terms.valid_from_ms or now,
                created_ms=now,
            ),
        )
        connection.execute(
            table.insert().values(
                shop=shop_id,
                sequence=manifest.sequence,
                version=manifest.version,
                manifest=msgspec.json.encode(manifest).decode(),
            )
        )
        return manifest

    return store.run(number)


def folder(store: Store) -> Path:
    path = store.folder / "catalogues"
    path.mkdir(exist_ok=True, mode=0o700)
    return path


def newest(store: Store, shop: str) -> Manifest | None:
    table = schema.catalogues
    return _manifest(store, sa.select(table.c.manifest).where(table.c.shop == shop))


def by_version(store: Store, shop: str, version: str) -> Manifest | None:
    table = schema.catalogues
    if not _VERSION.fullmatch(version):
        return None
    return _manifest(store, sa.select(table.c.manifest).where(table.c.shop == shop, table.c.version == version))


def _manifest(store: Store, query: "sa.Select[tuple[object]]") -> Manifest | None:
    with store.read() as connection:
        found = connection.scalar(query.order_by(schema.catalogues.c.sequence.desc()).limit(1))
    return None if found is None else msgspec.json.decode(str(found), type=Manifest)


def products_file(store: Store, manifest: Manifest) -> Path:
    """The gzipped NDJSON file of a version."""
    return folder(store) / f"{manifest.sha256}.ndjson.gz"


def _write_products(target: Path, products: Iterable[Product]) -> tuple[int, int, str]:
    """Returns (products, bytes, SHA-256 hex) of the plain file. Complete under its hash or not there at all."""
    temporary = target / f".{secrets.token_hex(8)}.part"
    digest = hashlib.sha256()
    count = size = 0
    try:
        with temporary.open("wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0, filename="") as file:
                for product in products:
                    line = encode_product(product) + b"\n"
                    digest.update(line)
                    file.write(line)
                    count, size = count + 1, size + len(line)
                    if count > MAX_PRODUCTS:
                        raise BadCatalogue(f"more than {MAX_PRODUCTS} products")
            raw.flush()
            os.fsync(raw.fileno())
        if count == 0:
            raise BadCatalogue("the catalogue holds no product")
        temporary.rename(target / f"{digest.hexdigest()}.ndjson.gz")
        sync_folder(target)
    finally:
        temporary.unlink(missing_ok=True)
    return count, size, digest.hexdigest()
