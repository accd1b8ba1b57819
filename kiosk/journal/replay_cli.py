"""`kassa-journal replay`: makes every sale again from the journal, and says where it was sealed otherwise."""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import apsw
import msgspec

from kiosk.journal.replay import Difference, Products, Range, Replayed, replay
from kiosk.journal.verify import Entry
from kiosk.records.catalogue import CatalogueError, find_product, open_db
from kiosk.records.sale import Product

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def run(
    entries: Iterable[Entry],
    gaps: Iterable[Range],
    count: int,
    catalogues: Path | None,
    progress: Progress,
    *,
    as_json: bool,
) -> bool:
    """Prints the outcome; whether everything came out the same. Blocks."""
    with progress("replaying", count) as advance:
        result = replay(entries, None if catalogues is None else products_in(catalogues), advance, gaps=gaps)
    (_tell_json if as_json else _tell)(result)
    return result.ok


def products_in(folder: Path) -> Products:
    """Look-ups in the catalogue versions that lie in a lane's catalogue folder."""

    @lru_cache(maxsize=8)
    def opened(version: str) -> apsw.Connection:
        try:
            connection, manifest = open_db(folder / f"catalogue-{Path(version).name}.db")
        except (CatalogueError, OSError) as error:
            raise LookupError(str(error)) from None
        if manifest.version != version:
            raise LookupError(f"the file of {version} is of {manifest.version}")
        return connection

    def find(version: str, code: str) -> Product | None:
        return find_product(opened(version), code)

    return find


def _tell(result: Replayed) -> None:
    out = sys.stdout.write
    for difference in result.differences:
        out(f"DIFFERS: {_place(difference)}: sealed {difference.sealed}; made again {difference.rebuilt}\n")
    for why, times in sorted(result.unprovable.items()):
        out(f"not provable: {times} x {why}\n")
    same = f"{result.sales} sales, {result.charges} charges, {result.receipts} receipts, {result.prints} prints"
    if result.products:
        same += f", {result.products} products"
    word = "OK" if result.ok else f"BAD: {result.differing} differences;"
    out(f"{word}: {result.records} records replayed; the same as sealed: {same}\n")


def _place(difference: Difference) -> str:
    by = f" ({difference.software})" if difference.software else ""
    return f"epoch {difference.ep}, record {difference.seq}{by}: {difference.what}"


def _tell_json(result: Replayed) -> None:
    answer = {"ok": result.ok, **msgspec.to_builtins(result)}
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
