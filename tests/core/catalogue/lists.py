"""Small product lists for the tests: a good one, and ways to spoil one field of it."""

from pathlib import Path

from kiosk.records.catalogue import iter_csv, lines, to_ndjson
from kiosk.records.catalogue_row import COLUMNS
from kiosk.records.manifest import Manifest, digest
from kiosk.records.sale import Currency, Product

DKK = Currency("DKK", 2)
SAMPLE = Path(__file__).resolve().parents[3] / "provisioning" / "shop" / "sample.csv"
HEADING = ",".join(COLUMNS)
ROW = {
    "code": "9521000000018",
    "name_en": "Rye bread",
    "price": "24.95",
    "tax": "S:25",
    "category": "bakery",
    "unit": "each",
}


def row(**fields: str) -> str:
    return ",".join({**ROW, **fields}.get(column, "") for column in COLUMNS)


def table(*rows: str) -> str:
    return "\n".join([HEADING, *rows]) + "\n"


def sample() -> list[Product]:
    return list(iter_csv(lines(SAMPLE), SAMPLE.name, DKK))


def manifest(products: list[Product], version: str = "20261121T120000Z-1", sequence: int = 1) -> Manifest:
    data = to_ndjson(products)
    return Manifest(version, sequence, "s1", DKK, True, len(products), len(data), digest(data), 0, 1)
