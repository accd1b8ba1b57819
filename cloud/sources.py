"""A shop's product list from a file, by its suffix."""

from collections.abc import Iterator
from pathlib import Path

from cloud.catalogues import BadCatalogue
from kiosk.records.catalogue import from_ndjson, iter_csv, lines, parse_json
from kiosk.records.sale import Currency, Product


def read_products(file: Path, currency: Currency) -> list[Product]:
    """The products in order of code. Blocks. Raises BadCatalogue for another suffix, CatalogueError, OSError."""
    return sorted(_read(file, currency), key=lambda product: product.code)


def _read(file: Path, currency: Currency) -> Iterator[Product]:
    match file.suffix.lower():
        case ".csv":
            yield from iter_csv(lines(file), file.name, currency)
        case ".json":
            yield from parse_json(file.read_bytes(), file.name, currency)
        case ".ndjson":
            with file.open("rb") as open_file:
                yield from from_ndjson(open_file, file.name)
        case other:
            raise BadCatalogue(f"{file}: files of {other or 'no suffix'} are not read; allowed: .csv, .json, .ndjson")
