"""The products file of a catalogue version: one `Product` as JSON a line, UTF-8, in order of code."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from kiosk.records.catalogue_problems import refuse
from kiosk.records.catalogue_row import MAX_NAME_CHARS, MAX_PRICE
from kiosk.records.sale import Product

MAX_PRODUCT_BYTES = 4096
_CODE = re.compile(r"[0-9]{1,14}", re.ASCII)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Product)


def encode_product(product: Product) -> bytes:
    """One product as JSON, without a line break."""
    return _encoder.encode(product)


def decode_product(data: bytes) -> Product:
    """Raises msgspec.MsgspecError (ValidationError names the field)."""
    return _decoder.decode(data)


def to_ndjson(products: Iterable[Product]) -> bytes:
    """The whole products file. In order of code, so that a lane can build its file without sorting in memory."""
    return _encoder.encode_lines(sorted(products, key=lambda product: product.code))


def from_ndjson(data: bytes | Iterable[bytes], source: str = "products") -> Iterator[Product]:
    """The products, one by one (an iterable gives one line each, such as a file opened in binary).

    Raises CatalogueError at the first line that is no product: this file is machine-made, so one says it all. That
    codes stand once and that deposits exist is checked by `build_db`.
    """
    source_lines = data.splitlines(keepends=True) if isinstance(data, bytes) else data
    for number, line in enumerate(source_lines, 1):
        if len(line) > MAX_PRODUCT_BYTES:
            refuse(source, f"line {number} has {len(line)} bytes", f"at most {MAX_PRODUCT_BYTES}")
        try:
            product = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            refuse(source, f"line {number} is no product: {error}", "one product as JSON a line")
        wrong = _wrong(product)
        if wrong:
            refuse(source, f"line {number} is no valid product: {wrong}", "what the product list allows", product.code)
        yield product


def _wrong(product: Product) -> str:
    """Why a product cannot be sold by a lane; empty when it can. Bounds only: the list itself was checked before."""
    if not _CODE.fullmatch(product.code):
        return "its code is not 1 to 14 digits"
    if not product.name.get("en"):
        return "it has no English name"
    if len(product.name) > 64 or any(len(name) > MAX_NAME_CHARS for name in product.name.values()):
        return f"it has a name of more than {MAX_NAME_CHARS} characters"
    if not 0 <= product.price_exponent <= 6 or not 0 <= product.price_amount <= MAX_PRICE * 10**product.price_exponent:
        return "its price is out of range"
    if not 0 <= product.tax_rate_bp <= 10_000:
        return "its tax rate is out of range"
    return ""
