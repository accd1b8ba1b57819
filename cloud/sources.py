"""A shop's product list from a file, by its suffix."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from cloud.catalogues import BadCatalogue
from kiosk.records.sale import Product

_MAX_LINE_BYTES = 64 * 1024


def read_products(file: Path) -> Iterator[Product]:
    """Raises BadCatalogue, naming file and line; OSError. Reads as it goes where the format allows."""
    match file.suffix.lower():
        case ".ndjson":
            return _ndjson(file)
        case other:
            raise BadCatalogue(f"{file}: files of {other or 'no suffix'} are not read; allowed: .csv, .json, .ndjson")


def _ndjson(file: Path) -> Iterator[Product]:
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(_MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > _MAX_LINE_BYTES:
                raise BadCatalogue(f"{file}: line {number} is longer than {_MAX_LINE_BYTES} bytes")
            try:
                yield msgspec.json.decode(line, type=Product)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BadCatalogue(f"{file}: line {number}: {error}") from None
