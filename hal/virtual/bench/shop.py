"""The shelf: products from a CSV, as far as the bench needs them.

Columns `code,name_en,price,category`; further names (`name_da`, …) are searched too, the rest is ignored.
Tolerant: a row without a code or name is skipped, a missing price or category is empty.
"""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROW_LIMIT = 200_000
FIELD_LIMIT = 200
SHOWN = 24


@dataclass(frozen=True)
class Product:
    code: str
    name: str
    price: str
    category: str


class Shop:
    def __init__(self, rows: list[tuple[Product, str]]) -> None:
        self._rows = rows

    @classmethod
    def read(cls, path: Path) -> "Shop":
        """Raises `ValueError` naming the file and what is wrong with it."""
        rows: list[tuple[Product, str]] = []
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if "code" not in (reader.fieldnames or []):
                    raise ValueError(f"{path}: no column named code; needed are code, name_en, price, category")
                for _, row in zip(range(ROW_LIMIT), reader, strict=False):
                    rows += _row(row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: cannot be read as a UTF-8 CSV file ({error})") from None
        return cls(rows)

    @property
    def categories(self) -> list[str]:
        """In the order of the file."""
        return list(dict.fromkeys(product.category for product, _ in self._rows if product.category))

    def find(self, query: str = "", category: str = "", limit: int = SHOWN) -> dict[str, Any]:
        """The first `limit` products whose code or names contain `query`, and how many there are in all."""
        wanted = query.casefold().strip()
        found = [
            product
            for product, words in self._rows
            if wanted in words and (not category or product.category == category)
        ]
        return {"total": len(found), "products": [asdict(product) for product in _spread(found, limit)]}


def _spread(found: list[Product], limit: int) -> list[Product]:
    """A few of every category, so that the first shelf shows the shop and not its first aisle."""
    aisles: dict[str, list[Product]] = {}
    for product in found:
        aisle = aisles.setdefault(product.category, [])
        if len(aisle) < limit:
            aisle.append(product)
    out: list[Product] = []
    for depth in range(limit):
        out += [aisle[depth] for aisle in aisles.values() if depth < len(aisle)]
        if len(out) >= limit:
            break
    return sorted(out[:limit], key=lambda product: list(aisles).index(product.category))


def _row(row: dict[str, Any]) -> list[tuple[Product, str]]:
    cells = {str(key): value.strip()[:FIELD_LIMIT] for key, value in row.items() if key and isinstance(value, str)}
    name = cells.get("name_en") or next((v for k, v in cells.items() if k.startswith("name") and v), "")
    if not cells.get("code") or not name:
        return []
    product = Product(cells["code"], name, cells.get("price", ""), cells.get("category", ""))
    names = [value for key, value in cells.items() if key.startswith("name")]
    return [(product, " ".join((product.code, *names)).casefold())]
