"""One row of a shop's list becomes a Product, or every mistake in it is named.

Columns (those with * are needed in the heading; the others may be left out or empty):

- `code`*: GTIN of 8, 12, 13 or 14 digits with its check digit, or an in-store code (see `code_kind`)
- `code_kind`: empty or `gtin`; `plu` (1 to 6 digits); `price_embedded`, `weight_embedded` (the digits of the in-store
  barcode before its value: prefix 02 or 20 to 29 and the item number, 4 to 11 digits)
- `name_en`*, `name_da`, `name_bg`, `name_zh_hans`, `name_zh_hant`: at most 64 characters
- `price`*: per unit, tax as the version says, decimal text with a dot, at most 4 decimals (or the currency's)
- `tax`*: category of UNCL5305 (S standard, AA lower, Z zero, E exempt, O outside scope), colon, rate in percent with
  at most 2 decimals: `S:25`, `AA:9`, `O:0`. Z, E and O have rate 0, S and AA do not (EN 16931-1, BR-S-5, BR-Z-5, ...)
- `category`*: the group on screens, a word of a-z, 0-9 and _, at most 32 characters
- `unit`*: `each`, or what is weighed or measured: `kg`, `g`, `l`, `m`
- `deposit`: code of the row (of kind `deposit`) that is sold along with it
- `restriction`: empty or `age_16`, `age_18`, `age_20`, `age_21`
- `image`: name of the picture, a word like `category`
- `kind`: empty or `item`, `deposit`, `gift_card`, `fee`
"""

import re
import unicodedata
from typing import cast

from kiosk.records.catalogue_gtin import GTIN_LENGTHS, gtin14, is_digits
from kiosk.records.catalogue_problems import Problems
from kiosk.records.sale import Currency, LineKind, Product

COLUMNS = (
    "code",
    "code_kind",
    "name_en",
    "name_da",
    "name_bg",
    "name_zh_hans",
    "name_zh_hant",
    "price",
    "tax",
    "category",
    "unit",
    "deposit",
    "restriction",
    "image",
    "kind",
)
NEEDED = ("code", "name_en", "price", "tax", "category", "unit")
LANGUAGES = ("en", "da", "bg", "zh-Hans", "zh-Hant")
CODE_KINDS = ("gtin", "plu", "price_embedded", "weight_embedded")
UNITS = ("each", "kg", "g", "l", "m")
RESTRICTIONS = ("age_16", "age_18", "age_20", "age_21")
KINDS = ("item", "deposit", "gift_card", "fee")
TAXED = ("S", "AA")
UNTAXED = ("Z", "E", "O")
MAX_NAME_CHARS = 64
MAX_PRICE = 99_999_999
MAX_DECIMALS = 4

_WORD = re.compile(r"[a-z0-9_]{1,32}")
_PRICE = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_TAX = re.compile(r"([A-Z]{1,2}):([0-9]{1,3})(?:\.([0-9]{1,2}))?", re.ASCII)
_EMBEDDED = re.compile(r"(?:02|2[0-9])[0-9]{2,9}", re.ASCII)
_TAX_FORM = "S:RATE or AA:RATE (above 0 to 100, at most 2 decimals), Z:0, E:0, O:0"
_CODE_FORM = {
    "gtin": "8, 12, 13 or 14 digits",
    "plu": "1 to 6 digits",
    "price_embedded": "4 to 11 digits that begin with 02 or 20 to 29",
    "weight_embedded": "4 to 11 digits that begin with 02 or 20 to 29",
}


class Rows:
    """Checks rows against each other as well: a code stands once, a deposit names a deposit."""

    def __init__(self, problems: Problems, currency: Currency) -> None:
        self._problems = problems
        self._currency = currency
        self._decimals = max(MAX_DECIMALS, currency.exponent)
        self._lines: dict[str, int] = {}
        self._deposits: set[str] = set()
        self._wanted: list[tuple[int, str]] = []
        self._taxes: dict[str, tuple[str, int]] = {}
        self._line = 0

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, line: int, fields: list[str]) -> Product | None:
        """`fields` in the order of COLUMNS, without control characters. None when a problem was noted."""
        self._line = line
        before = self._problems.count
        (code, code_kind, *names, price, tax, category, unit, deposit, restriction, image, kind) = fields
        code_kind = self._one_of("code_kind", code_kind or "gtin", CODE_KINDS)
        code = self._code(code, code_kind)
        amount, exponent = self._price(price, code_kind)
        tax_category, rate_bp = self._tax(tax)
        product = Product(
            code=code,
            code_kind=code_kind,  # type: ignore[arg-type]
            name=self._names(names),
            price_amount=amount,
            price_exponent=exponent,
            unit=self._unit(unit, code_kind),
            tax_category=tax_category,
            tax_rate_bp=rate_bp,
            category=self._word("category", category),
            deposit=self._deposit(deposit, kind) if deposit else "",
            restriction=self._one_of("restriction", restriction, RESTRICTIONS, "empty, ") if restriction else "",
            image=self._word("image", image) if image else "",
            kind=cast(LineKind, self._one_of("kind", kind or "item", KINDS, "empty, ")),
        )
        if product.kind == "deposit":
            self._deposits.add(code)
        return product if self._problems.count == before else None

    def finish(self) -> None:
        """Note the deposits that name no deposit, and a list without products."""
        for line, code in self._wanted:
            if code not in self._lines:
                self._problems.add(line, "deposit", code, "names no product", "the code of a row of kind deposit")
            elif code not in self._deposits:
                self._problems.add(
                    line, "deposit", code, "names a product of another kind", "the code of a row of kind deposit"
                )
        if not self._lines and not self._problems.count:
            self._problems.add(0, "", "", "there are no products", "at least one row after the heading")

    def _bad(self, column: str, value: str, message: str, allowed: str) -> None:
        self._problems.add(self._line, column, value, message, allowed)

    def _one_of(self, column: str, value: str, allowed: tuple[str, ...], prefix: str = "") -> str:
        if value not in allowed:
            message = "is unknown" if value else "is missing"
            self._bad(column, value, message, prefix + ", ".join(allowed))
        return value

    def _word(self, column: str, value: str) -> str:
        if not _WORD.fullmatch(value):
            message = "is missing" if not value else "is no plain word"
            self._bad(column, value, message, "1 to 32 of a-z, 0-9 and _")
        return value

    def _code(self, text: str, kind: str) -> str:
        code = self._normal("code", text, kind) if kind in CODE_KINDS else text
        if not code:
            return code
        first = self._lines.setdefault(code, self._line)
        if first != self._line:
            self._bad("code", text, f"stands already in line {first}", "each code once")
        return code

    def _normal(self, column: str, text: str, kind: str) -> str:
        """The code as it is stored; empty when it is none."""
        allowed = _CODE_FORM[kind]
        if not text:
            self._bad(column, text, "is missing", allowed)
        elif not is_digits(text):
            self._bad(column, text, "is not made of digits alone", allowed)
        elif kind == "gtin":
            return self._gtin(column, text)
        elif kind == "plu" and len(text) > 6:
            self._bad(column, text, f"has {len(text)} digits", allowed)
        elif kind != "plu" and not _EMBEDDED.fullmatch(text):
            self._bad(column, text, "is no beginning of an in-store barcode", allowed)
        else:
            return text
        return ""

    def _gtin(self, column: str, text: str) -> str:
        if len(text) not in GTIN_LENGTHS:
            self._bad(column, text, f"has {len(text)} digits", "a GTIN of 8, 12, 13 or 14 digits")
            return ""
        code = gtin14(text)
        if code is not None:
            return code
        if not text.strip("0"):
            self._bad(column, text, "is all zeros", "a GTIN of 8, 12, 13 or 14 digits")
            return ""
        # Only one last digit is right, and the reader is better served by it than by the formula.
        right = next(body for digit in "0123456789" if gtin14(body := text[:-1] + digit))
        self._bad(column, text, "has a wrong check digit", f"{right}, if the other digits are right")
        return ""

    def _names(self, texts: list[str]) -> dict[str, str]:
        if not texts[0]:
            self._bad("name_en", "", "is missing", f"1 to {MAX_NAME_CHARS} characters")
        names: dict[str, str] = {}
        for column, language, text in zip(COLUMNS[2:7], LANGUAGES, texts, strict=True):
            if len(text) > MAX_NAME_CHARS:
                self._bad(column, text, f"has {len(text)} characters", f"at most {MAX_NAME_CHARS}")
            if text:
                names[language] = text if text.isascii() else unicodedata.normalize("NFC", text)
        return names

    def _price(self, text: str, code_kind: str) -> tuple[int, int]:
        """(amount, exponent); the exponent is the currency's, or finer when the text is."""
        match = _PRICE.fullmatch(text)
        if not match:
            self._bad("price", text, _why_no_price(text), "digits with a dot, such as 12.50")
            return 0, 0
        whole, decimals = match[1], match[2] or ""
        exponent = self._currency.exponent
        if len(decimals) > exponent:
            decimals = decimals[:exponent] + decimals[exponent:].rstrip("0")
        if len(decimals) > self._decimals:
            self._bad("price", text, f"has {len(decimals)} decimals", f"at most {self._decimals}")
        elif len(whole) > 12 or int(whole) > MAX_PRICE:
            self._bad("price", text, "is too large", f"at most {MAX_PRICE}")
        else:
            exponent = max(exponent, len(decimals))
            amount = int(whole + decimals.ljust(exponent, "0"))
            if amount == 0 and code_kind != "price_embedded":
                self._bad("price", text, "is zero", "more than 0 (0 for price_embedded only)")
            return amount, exponent
        return 0, 0

    def _tax(self, text: str) -> tuple[str, int]:
        known = self._taxes.get(text)
        if known is not None:
            return known
        match = _TAX.fullmatch(text)
        if not match:
            self._bad("tax", text, "is missing" if not text else "is not CATEGORY:RATE", _TAX_FORM)
            return "", 0
        category = match[1]
        rate_bp = int(match[2]) * 100 + int((match[3] or "0").ljust(2, "0"))
        if category not in TAXED + UNTAXED:
            self._bad("tax", text, "has an unknown category", _TAX_FORM)
        elif rate_bp > 10_000 or (category in TAXED) != (rate_bp > 0):
            self._bad("tax", text, "has a rate that its category does not allow", _TAX_FORM)
        elif len(self._taxes) < 1000:
            self._taxes[text] = (category, rate_bp)
        return category, rate_bp

    def _unit(self, unit: str, code_kind: str) -> str:
        if code_kind == "weight_embedded" and unit in UNITS and unit not in ("kg", "g"):
            self._bad("unit", unit, "is no weight, but the code holds one", "kg, g")
        return self._one_of("unit", unit, UNITS)

    def _deposit(self, text: str, kind: str) -> str:
        if kind == "deposit":
            self._bad("deposit", text, "is on a deposit itself", "empty")
            return text
        code = self._normal("deposit", text, "gtin" if len(text) > 6 else "plu")
        if code:
            self._wanted.append((self._line, code))
        return code


def _why_no_price(text: str) -> str:
    if not text:
        return "is missing"
    if text.startswith(("-", "−")):
        return "is negative"
    if "," in text:
        return "holds a comma"
    return "is no price"
