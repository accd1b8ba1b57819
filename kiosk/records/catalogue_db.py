"""`catalogue-VERSION.db`: a catalogue version as the lane reads it. Built once, renamed into place, never changed.

A SQLite file: `product` by code with the product as JSON and its CRC-32, `category` with the number of items, `meta`
with the manifest. That it is never changed is what lets it be opened as immutable: no locks, no journal, a read-only
folder.
"""

import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import apsw
import msgspec

from kiosk.records.catalogue_ndjson import decode_product, encode_product
from kiosk.records.catalogue_problems import CatalogueError, refuse
from kiosk.records.manifest import Manifest
from kiosk.records.sale import Product

SCHEMA = 1
APPLICATION_ID = 0x4B415343  # "KASC"
_PROGRESS_EVERY = 2000
_PAGE_BYTES = 8192  # products of some 400 bytes make a WITHOUT ROWID tree deep in pages of 4096
_SCHEMA_SQL = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "category": "CREATE TABLE category(name TEXT PRIMARY KEY, items INTEGER NOT NULL) WITHOUT ROWID",
    "product": (
        "CREATE TABLE product(code TEXT PRIMARY KEY, category TEXT, body BLOB NOT NULL, crc INTEGER NOT NULL)"
        " WITHOUT ROWID"
    ),
    "by_category": "CREATE INDEX by_category ON product(category, code) WHERE category IS NOT NULL",
}
_VALID = "a catalogue file of this version, as built by a lane"


def build_db(
    products: Iterable[Product],
    manifest: Manifest,
    path: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the file for `products` (fastest in order of code) at `path`: whole and on disk, or not at all.

    `progress(done, total)`. Blocking: some seconds for 100,000 products. Raises CatalogueError when a code stands
    twice, a deposit is no deposit, or the number is not the manifest's; OSError when the disk does not take it.
    """
    handle, name = tempfile.mkstemp(prefix=".catalogue-", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        _write(temporary, products, manifest, path.name, progress)
        temporary.chmod(0o644)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except apsw.FullError as error:
        raise OSError(f"{path}: the disk is full: {error}") from None
    except apsw.IOError as error:
        raise OSError(f"{path}: cannot be written: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(
    path: Path,
    products: Iterable[Product],
    manifest: Manifest,
    source: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    tally = _Tally(progress, manifest.products)
    connection = apsw.Connection(str(path))
    try:
        # Nobody reads the file before it is complete, synced and renamed, so SQLite need not protect it meanwhile.
        _run(connection, f"PRAGMA page_size={_PAGE_BYTES}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
        _run(connection, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-65536; BEGIN")
        for sql in _SCHEMA_SQL.values():
            if sql.startswith("CREATE TABLE"):
                connection.execute(sql)
        try:
            connection.executemany("INSERT INTO product VALUES(?, ?, ?, ?)", tally.rows(products))
        except apsw.ConstraintError:
            refuse(source, "there are two products with one code", "each code once", tally.last)
        tally.check(source)
        connection.execute(_SCHEMA_SQL["by_category"])
        connection.executemany("INSERT INTO category VALUES(?, ?)", sorted(tally.categories.items()))
        connection.execute("INSERT INTO meta VALUES('manifest', ?)", (msgspec.json.encode(manifest),))
        _run(connection, f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA}; COMMIT")
    finally:
        connection.close()


def stored_product(body: object, crc: object) -> Product:
    """A product from its row. Raises ValueError when the row is not as it was written: SQLite keeps no checksums, and
    a price with one digit changed by the disk would still be a price."""
    if not isinstance(body, bytes) or zlib.crc32(body) != crc:
        raise ValueError("a product is not as it was written")
    return decode_product(body)


def find_product(connection: apsw.Connection, code: str) -> Product | None:
    """The product with this code in an opened catalogue. Raises apsw.Error, ValueError, TypeError where the file is
    damaged."""
    # apsw keeps prepared statements by their text, so the same text is prepared once.
    row = connection.execute("SELECT body, crc FROM product WHERE code = ?", (code,)).fetchone()
    if row is None:
        return None
    product = stored_product(*row)
    if product.code != code:
        raise ValueError("a product stands under another's code")
    return product


def _run(connection: apsw.Connection, statements: str) -> None:
    """All the statements: apsw stops at the first one that returns a row until that is fetched."""
    connection.execute(statements).fetchall()


class _Tally:
    """What has to be known of all the products when the last one is written."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self.categories: Counter[str] = Counter()
        self.last = ""
        self._done = 0
        self._total = total
        self._progress = progress or (lambda done, total: None)
        self._wanted: set[str] = set()
        self._deposits: set[str] = set()

    def rows(self, products: Iterable[Product]) -> Iterator[tuple[str, str | None, bytes, int]]:
        for product in products:
            self.last = product.code
            item = product.kind == "item"
            if item:
                self.categories[product.category] += 1
            elif product.kind == "deposit":
                self._deposits.add(product.code)
            if product.deposit:
                self._wanted.add(product.deposit)
            body = encode_product(product)
            yield product.code, product.category if item else None, body, zlib.crc32(body)
            self._done += 1
            if self._done % _PROGRESS_EVERY == 0:
                self._progress(self._done, self._total)
        self._progress(self._done, self._total)

    def check(self, source: str) -> None:
        if self._done != self._total:
            refuse(source, f"there are {self._done} products", f"{self._total}, as the manifest says")
        missing = sorted(self._wanted - self._deposits)
        if missing:
            refuse(source, "is named as a deposit and is none", "the code of a product of kind deposit", missing[0])


def open_db(path: Path, *, thorough: bool = False) -> tuple[apsw.Connection, Manifest]:
    """The file, read-only, and its manifest. The caller closes the connection.

    Looks at form, schema, size, manifest and the first product; `thorough` reads every page as well (seconds per
    million products). Raises CatalogueError for any other file, OSError when it cannot be read. Blocking.
    """
    source = path.name
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\x00":
            refuse(source, "is no SQLite file", _VALID)
    try:
        uri = "file:" + quote(str(path.absolute())) + "?immutable=1"
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except apsw.Error as error:
        refuse(source, f"cannot be opened: {error}", _VALID)
    try:
        manifest = _checked(connection, source, path.stat().st_size, thorough=thorough)
    except CatalogueError:
        connection.close()
        raise
    except (apsw.Error, ValueError, TypeError) as error:
        connection.close()
        refuse(source, f"is damaged: {error}", _VALID)
    return connection, manifest


def _checked(connection: apsw.Connection, source: str, size_bytes: int, *, thorough: bool) -> Manifest:
    # The file may be anybody's: no functions from its schema, cells checked before they are used, and then no schema
    # but ours at all.
    _run(connection, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA query_only=ON")
    if _number(connection, "PRAGMA application_id") != APPLICATION_ID:
        refuse(source, "is a SQLite file, but no catalogue", _VALID)
    schema = _number(connection, "PRAGMA user_version")
    if schema != SCHEMA:
        refuse(source, f"has schema version {schema}", f"schema version {SCHEMA}")
    tables = {str(name): sql for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema")}
    if tables != _SCHEMA_SQL:
        refuse(source, "has other tables than a catalogue", _VALID)
    pages_bytes = _number(connection, "PRAGMA page_count") * _number(connection, "PRAGMA page_size")
    if pages_bytes != size_bytes:
        refuse(source, f"has {size_bytes} bytes", f"{pages_bytes}, as its header says")
    body = connection.execute("SELECT value FROM meta WHERE key = 'manifest'").fetchone()
    if body is None or not isinstance(body[0], bytes):
        refuse(source, "has no manifest", _VALID)
    manifest = msgspec.json.decode(body[0], type=Manifest)
    first = connection.execute("SELECT body, crc FROM product ORDER BY code LIMIT 1").fetchone()
    if (first is None) != (manifest.products == 0):
        refuse(source, "has another number of products than its manifest says", _VALID)
    if first is not None:
        stored_product(*first)
    if thorough:
        _read_all(connection, source, manifest)
    return manifest


def _read_all(connection: apsw.Connection, source: str, manifest: Manifest) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != ("ok",):
        refuse(source, f"is damaged: {verdict[0] if verdict else 'no verdict'}", _VALID)
    count = _number(connection, "SELECT count(*) FROM product")
    if count != manifest.products:
        refuse(source, f"has {count} products", f"{manifest.products}, as its manifest says")
    for body, crc in connection.execute("SELECT body, crc FROM product"):
        stored_product(body, crc)


def _number(connection: apsw.Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and isinstance(row[0], int) else 0
