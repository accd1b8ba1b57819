"""A suspended sale as the text of a QR code: all that another lane needs to take it up, with no network.

    KASSA1:SALE:MINUTE:CURRENCY:CATALOGUE:CODE.PIECES.PRICE/CODE.PIECES.PRICE/…:CHECK

Numbers are in base 36, so that the text stays in a QR code's alphanumeric set: SALE is the sale's 128-bit id, MINUTE
the minutes since 1970, CODE a GTIN-14, PRICE one piece's in minor units, for showing what has changed. CHECK is the
beginning of a SHA-256 over all before it: against misreading, not against forgery. A forged code brings nothing but
goods at this lane's own prices, and restricted ones must be approved anew.
"""

import hashlib
import re

import msgspec

from kiosk.core.basket import grouped
from kiosk.records.catalogue_gtin import is_digits
from kiosk.records.sale import Sale

PREFIX = "KASSA1:"
MAX_CHARS = 600
"""What a QR code holds that prints on 58 mm paper with modules large enough for every scanner."""
MAX_PIECES = 500
_SALE = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9A-Z]{1,26}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class TooLarge(ValueError):
    """The sale does not fit into a code that can be printed."""


class Goods(msgspec.Struct, frozen=True):
    """`pieces` of one product; `price_minor`: what one was on the slip."""

    code: str
    pieces: int
    price_minor: int


class Slip(msgspec.Struct, frozen=True):
    sale_id: str
    minute: int
    currency: str
    catalogue_version: str
    goods: tuple[Goods, ...]


def encode(sale: Sale, wall_ms: int) -> str:
    """The code of a sale of counted goods. Raises TooLarge."""
    goods = "/".join(
        ".".join((_base36(int(group.first.code)), _base36(group.count), _base36(max(0, group.first.gross_minor))))
        for group in grouped(sale)
    )
    parts = (_base36(int(sale.sale_id, 16)), _base36(wall_ms // 60_000), sale.currency.code, sale.catalogue_version)
    text = f"{PREFIX}{':'.join(parts)}:{goods}"
    text = f"{text}:{_check(text)}"
    if len(text) > MAX_CHARS:
        raise TooLarge(f"a code of {len(text)} characters; at most {MAX_CHARS} can be printed")
    return text


def decode(text: str) -> Slip | None:
    """What a code says; None for any text that is not wholly one. Total and bounded: nothing raises."""
    if not text.startswith(PREFIX) or len(text) > MAX_CHARS or not text.isascii():
        return None
    body, _, check = text.rpartition(":")
    if check != _check(body):
        return None
    parts = body.removeprefix(PREFIX).split(":")
    if len(parts) != 5:
        return None
    sale, minute, currency, version, listed = parts
    if not _CURRENCY.fullmatch(currency) or not _VERSION.fullmatch(version):
        return None
    sale_no, minutes = _number(sale), _number(minute)
    goods = tuple(_goods(one) for one in listed.split("/"))
    known = tuple(one for one in goods if one is not None)
    if sale_no is None or sale_no >= 2**128 or minutes is None or minutes > 2**40 or len(known) != len(goods):
        return None
    if sum(one.pieces for one in known) > MAX_PIECES:
        return None
    return Slip(f"{sale_no:032x}", minutes, currency, version, known)


def fits(sale: Sale) -> bool:
    """Whether every line is something that the code can say."""
    return bool(_SALE.fullmatch(sale.sale_id)) and all(
        is_digits(group.first.code) and len(group.first.code) == 14 and group.first.quantity.unit == "each"
        for group in grouped(sale)
    )


def _goods(text: str) -> Goods | None:
    numbers = [_number(part) for part in text.split(".")]
    match numbers:
        case [int(code), int(pieces), int(price)] if code < 10**14 and 1 <= pieces <= MAX_PIECES and price < 2**40:
            return Goods(f"{code:014d}", pieces, price)
        case _:
            return None


def _number(text: str) -> int | None:
    return int(text, 36) if _NUMBER.fullmatch(text) else None


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8].upper()
