"""GTIN as the catalogue keeps it: 14 digits, padded with zeros on the left (GS1 General Specifications 3.3.2)."""

GTIN_LENGTHS = (8, 12, 13, 14)
_ASCII_ZEROS = 48 * (3 * 7 + 6)


def is_digits(text: str) -> bool:
    """ASCII digits only: `str.isdigit` alone also takes other scripts' digits and superscripts."""
    return text.isascii() and text.isdigit()


def check_digit(code14: str) -> int:
    """What the last of 14 digits has to be: weights 3, 1, 3, ... from the left (GS1 General Specifications 7.9.1)."""
    digits = code14.encode()
    total = 3 * sum(digits[0:13:2]) + sum(digits[1:13:2]) - _ASCII_ZEROS
    return -total % 10


def gtin14(digits: str) -> str | None:
    """8, 12, 13 or 14 digits as a GTIN-14, or None when they are no GTIN (length, check digit, all zeros)."""
    if len(digits) not in GTIN_LENGTHS or not is_digits(digits):
        return None
    code = digits.zfill(14)
    if code[13] != str(check_digit(code)) or code == "0" * 14:
        return None
    return code
