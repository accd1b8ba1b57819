"""What a barcode means to a shop: a product's GTIN, an in-store code that holds a price or a weight, or neither.

Pure, bounded and total: any text gives a Meaning within a few milliseconds, none raises. By symbology (the AIM
identifier of ISO/IEC 15424, `]E0` and so on; empty when the scanner sends none):

- EAN/UPC `]E0` (13, 12, or UPC-E of 6 to 8 digits), `]E3` (with an add-on of 2 or 5 digits, which is left out),
  `]E4` EAN-8; ITF `]I0`, `]I1` of 14 digits; the same by length where there is no identifier
- GS1 element strings in `]C1`, `]e0` to `]e2`, `]d2`, `]Q3`, `]J1` (GS1 General Specifications 7.8): AI 01
- web addresses that are GS1 Digital Link URIs (GS1 Digital Link: URI Syntax, 4), in any symbology
- everything else is no product, even if it looks like a GTIN: member cards are often 13 digits of Code 128
"""

import re
from dataclasses import dataclass
from typing import Literal

from biip import BiipException
from biip.checksums import gs1_price_weight_check_digit
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementStrings
from biip.gs1_messages import GS1Message
from biip.upc import Upc

from kiosk.records.catalogue_gtin import gtin14, is_digits

MAX_CHARS = 1000

Reason = Literal[
    "empty",
    "too_long",
    "not_printable",
    "symbology",
    "length",
    "check_digit",
    "value_check_digit",
    "add_on",
    "coupon",
    "web_address",
    "element_strings",
    "no_gtin",
]


@dataclass(frozen=True)
class Measure:
    """`value` x 10^-`exponent` of a kilogram, or of a currency's major unit."""

    value: int
    exponent: int


@dataclass(frozen=True)
class Gtin:
    """A product by its GTIN-14, and what else the symbol says. Dates are YYMMDD as read (DD may be 00)."""

    code14: str
    weight: Measure | None = None
    price: Measure | None = None
    price_currency: str = ""
    lot: str = ""
    best_before: str = ""
    expires: str = ""


@dataclass(frozen=True)
class InStore:
    """An in-store symbol: `code` are its digits before the value (the prefix as well), as the catalogue has them.

    `value` x 10^-`exponent` is the price to pay in major units, or the weight in kilograms.
    """

    kind: Literal["price", "weight"]
    code: str
    value: int
    exponent: int


@dataclass(frozen=True)
class NotAProduct:
    reason: Reason


Meaning = Gtin | InStore | NotAProduct


@dataclass(frozen=True)
class InStoreRule:
    """How a shop reads its 13 digits with `prefix` (02, 20 to 29): prefix, item, maybe a check digit, value, and the
    symbol's check digit.

    `plain`: the whole is a number of its own, without a value. `value_check`: a digit between item and value checks
    the value (GS1 General Specifications 7.9.2 to 7.9.4; for 4 or 5 digits). Raises ValueError on a layout that does
    not add up.
    """

    prefix: str
    kind: Literal["price", "weight", "plain"]
    item_digits: int = 0
    value_digits: int = 0
    exponent: int = 0
    value_check: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch("02|2[0-9]", self.prefix):
            raise ValueError(f"in-store prefix {self.prefix!r} is not allowed; allowed: 02, 20 to 29")
        if self.kind == "plain":
            return
        digits = 2 + self.item_digits + self.value_check + self.value_digits
        if self.item_digits < 1 or self.value_digits < 1 or digits != 12:
            raise ValueError(f"in-store prefix {self.prefix}: its parts have {digits} digits; allowed: 12 in all")
        if self.value_check and self.value_digits not in (4, 5):
            raise ValueError(f"in-store prefix {self.prefix}: a value with check digit has 4 or 5 digits")
        if not 0 <= self.exponent <= 4:
            raise ValueError(f"in-store prefix {self.prefix}: exponent {self.exponent} is not allowed; allowed: 0 to 4")


class InStoreRules:
    """A shop's rules by prefix. A prefix without a rule is plain. Raises ValueError when a prefix has two rules."""

    def __init__(self, *rules: InStoreRule) -> None:
        self.by_prefix = {rule.prefix: rule for rule in rules}
        if len(self.by_prefix) != len(rules):
            raise ValueError("an in-store prefix has two rules; allowed: one each")


# GS1 Denmark's GTIN-13 with price (21 to 24) and with weight (26 to 28).
DENMARK = InStoreRules(
    *(InStoreRule(prefix, "price", 4, 6, 2) for prefix in ("21", "22", "23", "24")),
    InStoreRule("26", "weight", 4, 6, 3),
    InStoreRule("27", "weight", 5, 5, 3),
    InStoreRule("28", "weight", 4, 6, 3),
)

_ELEMENT_AIMS = frozenset(("]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"))
_PRINTABLE = re.compile(r"[\x20-\x7e\x1d]*", re.ASCII)
_DIGITAL_LINK = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/01/(?:[0-9]{8}|[0-9]{12,14})(?:[/?#]|$)", re.IGNORECASE)
_WEB = re.compile(r"[a-z][a-z0-9+.-]{1,15}://", re.IGNORECASE)
# 980: refund receipts, 981 to 984 and 99: coupons (GS1 General Specifications 1.4.2).
_COUPON = re.compile("98[0-4]|99")
# What biip raises on hostile text: its own errors, and those of URL splitting, decimals and dates beneath.
_FOREIGN = (BiipException, ValueError, ArithmeticError, LookupError)


def warm() -> None:
    """Load biip's tables (some 100 ms once), so that the first scan of the day does not wait for it."""
    interpret("0109521234567899", "]C1", DENMARK)


def interpret(text: str, aim: str, rules: InStoreRules) -> Meaning:
    """What `text` as scanned (without the scanner's prefix and terminator) means. `aim`: `]E0` or empty."""
    if len(text) > MAX_CHARS:
        return NotAProduct("too_long")
    text = text.strip(" \t\r\n")
    if not text:
        return NotAProduct("empty")
    if not _PRINTABLE.fullmatch(text):
        return NotAProduct("not_printable")
    if _WEB.match(text):
        return _digital_link(text)
    if aim in _ELEMENT_AIMS or (not aim and len(text) > 14):
        return _element_strings(text)
    if aim in ("]E1", "]E2"):
        return NotAProduct("add_on")
    if not is_digits(text) or (aim and aim[:2] not in ("]E", "]I")):
        return NotAProduct("symbology")
    if aim.startswith("]I"):
        return _trade_unit(text)
    return _retail(text, aim, rules)


def _trade_unit(digits: str) -> Meaning:
    if len(digits) != 14:
        return NotAProduct("length")
    code = gtin14(digits)
    return Gtin(code) if code else NotAProduct("check_digit")


def _retail(digits: str, aim: str, rules: InStoreRules) -> Meaning:
    if aim == "]E3":
        digits = _without_add_on(digits)
    if aim == "]E4" and len(digits) != 8:
        return NotAProduct("length")
    if len(digits) in (6, 7, 8) and aim != "]E4":
        return _short(digits, aim)
    if len(digits) == 14 and not aim:
        return _trade_unit(digits)
    if len(digits) not in (8, 12, 13):
        return NotAProduct("length")
    code = gtin14(digits)
    if not code:
        return NotAProduct("check_digit")
    return Gtin(code) if len(digits) == 8 else _of_13(code, rules)


def _without_add_on(digits: str) -> str:
    """13, 12 or 8 digits and an add-on of 2 or 5: every sum but 13 (as 8 and 5) is told by length alone."""
    sums = {18: 13, 15: 13, 17: 12, 14: 12, 10: 8}
    if len(digits) == 13 and not gtin14(digits) and gtin14(digits[:8]):
        return digits[:8]
    return digits[: sums.get(len(digits), len(digits))]


def _short(digits: str, aim: str) -> Meaning:
    """EAN-8 or UPC-E. `]E0` and `]E3` are never EAN-8, so UPC-E goes first there; without identifier EAN-8 does.

    UPC-E of 6 or 7 digits has no check digit of its own, and is believed only with the identifier.
    """
    ean8 = gtin14(digits)
    upc_e = _upc_e(digits) if aim or len(digits) == 8 else None
    code = (upc_e or ean8) if aim else (ean8 or upc_e)
    if code:
        return Gtin(code)
    return NotAProduct("check_digit" if len(digits) == 8 else "length")


def _upc_e(digits: str) -> str | None:
    try:
        return gtin14(Upc.parse(digits).as_upc_a())
    except _FOREIGN:
        return None


def _of_13(code14: str, rules: InStoreRules) -> Meaning:
    digits = code14[1:]
    if _COUPON.match(digits):
        return NotAProduct("coupon")
    rule = rules.by_prefix.get(digits[:2])
    if rule is None or rule.kind == "plain":
        return Gtin(code14)
    end = 2 + rule.item_digits
    value = digits[12 - rule.value_digits : 12]
    if rule.value_check and int(digits[end]) != gs1_price_weight_check_digit(value):
        return NotAProduct("value_check_digit")
    return InStore(rule.kind, digits[:end], int(value), rule.exponent)


def _digital_link(text: str) -> Meaning:
    if not _DIGITAL_LINK.match(text):
        return NotAProduct("web_address")
    try:
        elements = GS1DigitalLinkURI.parse(text).element_strings
    except _FOREIGN:
        return NotAProduct("web_address")
    return _of_elements(elements)


def _element_strings(text: str) -> Meaning:
    try:
        elements = GS1Message.parse(text).element_strings
    except _FOREIGN:
        return NotAProduct("element_strings")
    return _of_elements(elements)


def _of_elements(elements: GS1ElementStrings) -> Meaning:
    values: dict[str, str] = {}
    for element in elements:
        if values.setdefault(element.ai.ai, element.value) != element.value:
            return NotAProduct("element_strings")  # the same AI twice with two values: which one would be a guess
    if "01" not in values:
        return NotAProduct("no_gtin")
    code = gtin14(values["01"])
    if not code:
        return NotAProduct("check_digit")
    price, currency = _price(values)
    return Gtin(
        code,
        weight=_measure(values, "310"),
        price=price,
        price_currency=currency,
        lot=values.get("10", ""),
        best_before=values.get("15", ""),
        expires=values.get("17", ""),
    )


def _measure(values: dict[str, str], ai: str) -> Measure | None:
    """An AI whose fourth digit is the number of decimals: 310n kg, 392n amount (GS1 General Specifications 3.6.1)."""
    for key, value in values.items():
        if len(key) == 4 and key.startswith(ai) and is_digits(value):
            return Measure(int(value), int(key[3]))
    return None


def _price(values: dict[str, str]) -> tuple[Measure | None, str]:
    """AI 392n: amount in the shop's currency; 393n: after the digits of ISO 4217 (GS1 General Specifications 3.6.7)."""
    amount = _measure(values, "392")
    if amount is not None:
        return amount, ""
    for key, value in values.items():
        if len(key) == 4 and key.startswith("393") and is_digits(value) and len(value) > 3:
            return Measure(int(value[3:]), int(key[3])), value[:3]
    return None, ""
