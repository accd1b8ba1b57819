"""A shop's product list on its way to the lane: text in, checked products, the file that the lane reads.

CSV or JSON (`catalogue_text`, columns in `catalogue_row`) -> `Product` -> NDJSON under a signed manifest
(`catalogue_ndjson`, `manifest`) -> `catalogue-VERSION.db` (`catalogue_db`). Anything wrong: `CatalogueError`.
"""

from kiosk.records.catalogue_db import build_db, find_product, open_db, stored_product
from kiosk.records.catalogue_ndjson import decode_product, encode_product, from_ndjson, to_ndjson
from kiosk.records.catalogue_problems import CatalogueError, Problem
from kiosk.records.catalogue_text import decode, iter_csv, lines, parse_csv, parse_json

__all__ = [
    "CatalogueError",
    "Problem",
    "build_db",
    "decode",
    "decode_product",
    "encode_product",
    "find_product",
    "from_ndjson",
    "iter_csv",
    "lines",
    "open_db",
    "parse_csv",
    "parse_json",
    "stored_product",
    "to_ndjson",
]
