"""Numeric currency codes for BMP 49 (PA00P015, 1.4), from ISO 4217, and how many decimals the minor unit has.

Amounts travel in minor units of the currency; with no decimals (JPY, KRW, ISK) the unit itself is the minor unit.
TWD has two in ISO 4217, though cash knows none.
"""

NUMERIC: dict[str, str] = {
    "AED": "0784",
    "AUD": "0036",
    "BAM": "0977",
    "BGN": "0975",
    "BRL": "0986",
    "CAD": "0124",
    "CHF": "0756",
    "CNY": "0156",
    "CZK": "0203",
    "DKK": "0208",
    "EUR": "0978",
    "GBP": "0826",
    "HKD": "0344",
    "HUF": "0348",
    "ILS": "0376",
    "INR": "0356",
    "ISK": "0352",
    "JPY": "0392",
    "KRW": "0410",
    "MDL": "0498",
    "MKD": "0807",
    "MOP": "0446",
    "MXN": "0484",
    "NOK": "0578",
    "NZD": "0554",
    "PLN": "0985",
    "RON": "0946",
    "RSD": "0941",
    "SEK": "0752",
    "SGD": "0702",
    "THB": "0764",
    "TRY": "0949",
    "TWD": "0901",
    "UAH": "0980",
    "USD": "0840",
    "ZAR": "0710",
}

EXPONENTS: dict[str, int] = {code: 0 if code in {"ISK", "JPY", "KRW"} else 2 for code in NUMERIC}


def numeric(currency: str) -> str:
    """Four digits, or ValueError naming what is allowed."""
    try:
        return NUMERIC[currency]
    except KeyError:
        raise ValueError(f"currency {currency!r} is not known; allowed are {', '.join(NUMERIC)}") from None


def letters(code: str) -> str:
    """The ISO 4217 letters of four digits; the digits themselves where they are not known."""
    return _LETTERS.get(code, code)


_LETTERS = {digits: name for name, digits in NUMERIC.items()}
