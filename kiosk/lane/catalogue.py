"""The pinned catalogue version, as the lane asks it: by code, hundreds of times a minute, and by category."""

import logging
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from kiosk.records.catalogue import CatalogueError, Problem, find_product, open_db, stored_product
from kiosk.records.catalogue_gtin import is_digits
from kiosk.records.sale import Currency, Product

_log = logging.getLogger("kassa.lane.catalogue")
_FILE = re.compile(r"catalogue-([0-9A-Za-z-]{1,40})\.db")
_BROWSE = "SELECT body, crc FROM product WHERE category = ? ORDER BY code LIMIT ? OFFSET ?"
_CATEGORIES = "SELECT name, items FROM category ORDER BY name"
# A changed byte shows as SQLite's error, as a wrong checksum, as no UTF-8, or as another type.
_DAMAGE = (apsw.Error, ValueError, TypeError)
_CACHE_KIB = 16 * 1024


class Catalogue:
    """One version, open for reading; it does not change. For one thread at a time, as apsw's connections are."""

    def __init__(self, path: Path) -> None:
        """Opens and checks (some milliseconds). Raises CatalogueError, OSError."""
        self._connection, self.manifest = open_db(path)
        self._connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        return cls(path)

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def count(self) -> int:
        return self.manifest.products

    @property
    def currency(self) -> Currency:
        return self.manifest.currency

    @property
    def prices_include_tax(self) -> bool:
        return self.manifest.prices_include_tax

    def find(self, code: str) -> Product | None:
        """The product with this code (GTIN as 14 digits). Blocking, well below a millisecond. Raises CatalogueError
        when the file turns out to be damaged at this place."""
        if not is_digits(code):
            return None
        try:
            return find_product(self._connection, code)
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def deposit_of(self, product: Product) -> Product | None:
        """What is charged along with it (a bottle's deposit), or None."""
        return self.find(product.deposit) if product.deposit else None

    def categories(self) -> list[tuple[str, int]]:
        """Categories in order of name, each with the number of items in it."""
        try:
            return [(str(name), int(items or 0)) for name, items in self._connection.execute(_CATEGORIES)]
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def browse(self, category: str, limit: int = 60, offset: int = 0) -> list[Product]:
        """Items of a category in order of code, `limit` of them from `offset`."""
        return self._bodies(_BROWSE, (category, limit, offset)) if category.isascii() else []

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _bodies(self, sql: str, values: tuple[str | int, ...]) -> list[Product]:
        # apsw keeps prepared statements by their text, so the same text is prepared once.
        try:
            return [stored_product(body, crc) for body, crc in self._connection.execute(sql, values)]
        except _DAMAGE as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> CatalogueError:
        problem = Problem(0, "", "", f"is damaged: {error}", "a catalogue file of this version, as built by a lane")
        return CatalogueError(self.path.name, [problem], 1)


def file_name(version: str) -> str:
    """Raises ValueError for a version that is no plain word, and so might leave the folder."""
    name = f"catalogue-{version}.db"
    if not _FILE.fullmatch(name):
        raise ValueError(f"catalogue version {version!r} is not allowed; allowed: 1 to 40 of 0-9, A-Z, a-z and -")
    return name


def newest(directory: Path, sequence_floor: int = 0, now_ms: int | None = None) -> Path | None:
    """The valid file with the highest sequence that is at least `sequence_floor` and valid by now, or None.

    Files that do not open, that name another version than their file does, or whose time has not come (`now_ms`, UTC;
    None: the system's clock) are passed over, so that a damaged download never stops a lane; the log names those that
    do not open. Blocking: opens each.
    """
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    best: tuple[int, str, Path] | None = None
    for path in sorted(directory.glob("catalogue-*.db")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        try:
            with Catalogue(path) as catalogue:
                manifest = catalogue.manifest
        except (CatalogueError, OSError) as error:
            _log.warning("passed over: %s", str(error).splitlines()[-1] if isinstance(error, CatalogueError) else error)
            continue
        if manifest.version != match[1] or manifest.sequence < sequence_floor or manifest.valid_from_ms > now_ms:
            continue
        if best is None or (manifest.sequence, manifest.version) > best[:2]:
            best = (manifest.sequence, manifest.version, path)
    return best[2] if best else None
